"""The plan of a run in its folder: run.json, settings.json, and origin.json with the command and where the cases lie.

Needs no torch.
"""

from pathlib import Path

from KDNetLib.errors import InputError
from KDNetTrainingLib.given_teacher import COPY, check_teacher, keep_teacher
from KDNetTrainingLib.plan import Plan, plan_from
from KDNetTrainingLib.run.at_work import at_work, in_turn, others_at_work
from KDNetTrainingLib.run.part import Part
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.registry import SYSTEMS

#: What may lie in a run's folder before run.json does, besides trainings that were copied from another run.
_BEFORE = {"lock", "parts", "stop", COPY}


def record_plan(plan: Plan, data: Path, run_path: Path, part: Part | None = None) -> None:
    """Write into ``run_path`` what the run is and that its cases are those under ``data``.

    What never got as far as its data is replaced; otherwise the plan must be the one that the run began with, or have
    more epochs. Raises InputError where the folder holds another run or other files, is at work, or cannot be written; other
    parts than ``part`` may be at work. A given teacher is copied into the folder; raises InputError or ModelError where it cannot teach.
    """
    _refuse_other_files(run_path, plan)
    run = RunFolder(run_path, part)
    facts = plan.as_dict()
    settings, command = facts.pop("settings"), facts.pop("command")
    # A teacher that learnt more would have taught the student's first epochs differently, and a baseline that did would have
    # given it other weights to begin with. Nor may the coarse epochs grow, a share of them all, where fine ones have begun.
    grows = (plan.settings.epochs_teacher or plan.settings.teacher_model) and not (plan.settings.coarse or plan.settings.student_from_baseline)
    # Nothing hangs on a student, so one that has a number of its own may have more of them whatever it began with.
    may_grow = ("epochs_student",) if plan.settings.epochs_student else ("epochs",) if grows else ()
    try:
        with in_turn(run, "plan"), at_work(run):
            if run.read("data") is None and not others_at_work(run):
                if plan.settings.teacher_model:
                    for taught in (training for training in plan.trainings() if SYSTEMS[training.system].taught):
                        check_teacher(plan.settings_of(taught))
                    keep_teacher(plan.settings, run.path)
                run.write("run", facts)
                run.write("settings", settings)
                record_origin(run, data, command)
            else:
                run.record("run", facts)
                # A parameter that came after the run began leaves it, by its default, as it was.
                run.record("settings", settings, may_grow, Settings().as_dict())
    except OSError as error:
        raise InputError(f"{run.path} cannot be written to ({error.strerror}); choose another run folder.") from error


def _refuse_other_files(run_path: Path, plan: Plan) -> None:
    """A run writes README.md, settings.json and more, which must not be the user's own."""
    if not run_path.is_dir():
        return
    own = _BEFORE | {training.key.split("/")[0] for training in plan.trainings()}
    try:
        # Hidden ones are a file manager's, or half-written ones of ours.
        other = sorted(entry.name for entry in run_path.iterdir() if entry.name not in own and not entry.name.startswith("."))
    except OSError as error:
        raise InputError(f"{run_path} cannot be read ({error.strerror}); choose another folder for the run.") from error
    # Asked for after looking, because another part may begin the run meanwhile.
    if other and not (run_path / "run.json").exists():
        raise InputError(f"{run_path} holds other files (such as {other[0]}); choose an empty or a new folder for the run.")


def record_origin(run: RunFolder, data: Path, command: str) -> None:
    """Write the ``command`` that makes the run again and that its cases are those under ``data``."""
    run.write("origin", {"data": str(data.resolve()), "command": command})


def recorded_plan(run: RunFolder) -> tuple[Plan, Path]:
    """What :func:`record_plan` wrote: the plan, and where its cases lie. Raises InputError where it is missing or damaged."""
    facts, settings, origin = (run.read(name) for name in ("run", "settings", "origin"))
    if not (facts and settings and origin and all(isinstance(origin.get(key), str) for key in ("data", "command"))):
        raise InputError(f"{run.path} lacks one of run.json, settings.json and origin.json, or it is damaged; begin the run again in another folder.")
    return plan_from({**facts, "settings": settings, "command": origin["command"]}), Path(origin["data"])
