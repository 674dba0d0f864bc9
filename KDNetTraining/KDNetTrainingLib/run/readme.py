"""The README of a run: what was trained on what, how far it is, what came out, which file is what, how to go on."""

import time
from pathlib import Path

from KDNetLib.atomic_file import replacing
from KDNetLib.labels import REGIONS
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.recorded_plan import recorded_plan
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.run.status import RunState
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.registry import SYSTEMS

#: Cases left out that are named one by one; data.json names all of them.
_NAMED = 30

_FILES = (
    ("run.json", "systems, test cases and names: what the run consists of"),
    ("settings.json", "every parameter"),
    ("origin.json", "the command, and where the cases lay"),
    ("data.json", "cases with the SHA-256 of every source file, and those left out with the reason"),
    ("folds.json", "test cases, by fold where there are folds"),
    ("environment.json", "versions, machine, devices and commit"),
    ("events.jsonl", "what happened, one JSON object per line: losses by term, Dice, seconds, memory"),
    ("parts", "of every part of a run that several processes share: events.jsonl and locks"),
    ("results.csv", "scores of every tested case, system, fold and seed, in the crop and on the native grid"),
    ("table.md", "the systems compared, with the paper's figures, on every subset of the modalities where they can, and their cost"),
    ("table1.csv", "the paper's Table 1 for programs"),
    ("table2.csv", "the paper's Table 2 for programs"),
    ("table-subsets.csv", "Dice with every subset of the modalities for programs, with the deviation over folds"),
    ("table-cost.csv", "parameters, operations, time and memory of the systems for programs"),
    ("counted.json", "parameters and operations as `kdnet report` counted them"),
    ("report.html", "all of this with every training's curves in one file, for a browser"),
    ("process.log", "what the processes printed that Slicer started"),
    ("models", "model files (.safetensors) for `kdnet segment` and for 3D Slicer"),
    ("cache", "the prepared cases; may be deleted and is then made again"),
    ("cache-coarse", "the same at half the resolution, for the coarse epochs"),
    ("phantoms", "the generated cases that students learn beside the others; may be deleted and are then generated again"),
    ("cache-phantoms", "the generated cases, prepared"),
)
#: Pictures of all systems together.
PICTURES = ("boxplots.png", "scatter.png", "slices.png")
_TRAINING_FILES = (
    ("last.pt", "the last checkpoint; `previous.pt` the one before"),
    ("best.pt", "the weights of the best epoch, or of the last where no case chooses"),
    ("curves.png", "losses and Dice over the epochs"),
    ("preview.png", "sections through one case: scan, reference, network"),
    ("scores.csv", "scores of every tested case"),
    ("subsets.csv", "the same with every subset of the modalities"),
)


def write_readme(run: RunFolder) -> None:
    """Write README.md in the place of an earlier one. Raises what :func:`readme_sections` raises."""
    text = "\n\n".join(filter(None, readme_sections(run).values())) + "\n"
    with replacing(run.path / "README.md") as partial:
        partial.write_text(text, encoding="utf-8")


def readme_sections(run: RunFolder) -> dict[str, str]:
    """What README.md says, from what else the folder holds: Markdown by subject, in their order; empty where there is nothing.

    Raises InputError where run.json, settings.json or origin.json is missing or damaged.
    """
    plan, data = recorded_plan(run)
    state = RunState.read(run.path)
    return {
        "title": f"# {plan.name}: a training of KD-Net\n\nFor research use only: nothing here may decide about a patient.",
        "state": _state(state),
        "results": _results(run),
        "pictures": _pictures(run, state),
        "what": _what(plan),
        "data": _data(run, plan, state, data),
        "files": _files(run, state),
        "commands": _commands(run, plan),
    }


def _state(state: RunState) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    told = f"## State\n\n**{state.state.capitalize()}** on {when} UTC"
    if not state.trainings:
        return f"{told}, before the first training. {state.message}".rstrip()
    lines = [
        f"{told}: {len(state.done)} of {len(state.trainings)} trainings done, {100 * state.fraction:.0f} % of the epochs. {state.message}".rstrip(),
        "",
        "| Training | Epochs | Best epoch | Dice on the validation cases then (ET / TC / WT) | Dice at the end, native grid |",
        "|---|---|---|---|---|",
    ]
    for key, training in state.trainings.items():
        best = training.best_epoch if training.best_validation else "–"
        shown = _dice(training.best_validation), _dice(training.scores.get("native"))
        lines.append(f"| {key} | {training.epoch} of {training.epochs} | {best} | {shown[0]} | {shown[1]} |")
    return "\n".join(lines + [f"\nWarning: {message}" for message in state.warnings if " is left out: " not in message])


def _dice(measured: dict[str, float] | None) -> str:
    return " / ".join(f"{measured[region]:.3f}" for region in REGIONS) if measured else "–"


def _results(run: RunFolder) -> str:
    table = run.path / "table.md"
    if not table.exists():
        return ""
    lines = table.read_text(encoding="utf-8").strip().splitlines()
    # The table's own headings go below this one.
    return "## Results\n\n" + "\n".join(f"##{line}" if line.startswith("#") else line for line in lines)


def _pictures(run: RunFolder, state: RunState) -> str:
    found = [name for name in PICTURES if (run.path / name).exists()]
    found += [f"{key}/{name}" for key in state.trainings for name in ("curves.png", "preview.png") if (run.path / key / name).exists()]
    return "\n".join(["## Pictures\n", *(f"- [{name}]({name})" for name in found)]) if found else ""


def _what(plan: Plan) -> str:
    settings = plan.settings
    different = settings.differences_from(Settings())
    lines = ["## What is trained\n", f"    {plan.command}\n", "| System | Sees | What it is |", "|---|---|---|"]
    for label, system in dict((training.label, training.system) for training in plan.trainings()).items():
        modalities = settings.teacher_modalities if system == "teacher" else (settings.student_modality,)
        lines.append(f"| {label} | {', '.join(modalities)} | {SYSTEMS[system].what} |")
    lines.append("\nGT: the reference (Eq. 4 of the paper). KD: the teacher's soft labels (Eq. 2). KL: the teacher's bottleneck (Eq. 3).\n")
    if different:
        lines += ["Parameters that differ from the paper's:\n", "| Parameter | Here | Paper |", "|---|---|---|"]
        lines += [f"| {name} | {_value(own)} | {_value(paper)} |" for name, (paper, own) in different.items()]
    else:
        lines.append("Every parameter is the paper's.")
    lines.append("\nThe paper: Hu et al., Knowledge distillation from multi-modal to mono-modal segmentation networks, MICCAI 2020.")
    return "\n".join(lines)


def _value(value) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _data(run: RunFolder, plan: Plan, state: RunState, place: Path) -> str:
    data, folds = run.read("data"), run.read("folds")
    if not data or not folds:
        return f"## Data\n\nThe cases under {place} are not prepared yet."
    left_out = data["left_out"]
    chosen = _choosing(plan, state)
    lines = [f"## Data\n\n{len(data['cases'])} cases under {place}; {len(left_out) or 'none'} left out."]
    if plan.settings.folds:
        sizes = ", ".join(str(len(fold)) for fold in folds["folds"])
        lines.append(f"Cross-validation by patient in {plan.settings.folds} folds ({sizes} test cases), the same for every system.")
    elif folds["test"]:
        lines.append(f"Kept for testing, seen by no training: {', '.join(folds['test'])}.")
    elif chosen:
        lines.append("No case is kept for testing: where Dice is given, it is of the cases that also chose the epoch.")
    else:
        lines.append("No case is kept for testing, so no Dice is given.")
    if any(plan.settings_of(training).phantoms for training in plan.trainings()):
        lines.append(f"Every student learns {plan.settings.phantoms} generated cases besides; they are neither tested nor do they choose the epoch.")
    lines.append(chosen or "No case chooses the epoch or the schedule: the last epoch counts.")
    if left_out:
        lines += ["", *(f"- {name} is left out: {reason}" for name, reason in sorted(left_out.items())[:_NAMED])]
        lines += [f"- and {len(left_out) - _NAMED} more, see data.json"] if len(left_out) > _NAMED else []
    return "\n".join(lines)


def _choosing(plan: Plan, state: RunState) -> str:
    """Which cases choose the epoch, as the trainings have told or, before the first has begun, as it is intended; empty: none do."""
    counts = {key: training.validation_cases for key, training in state.trainings.items() if training.validation_cases is not None}
    if not plan.settings.inner_validation or counts and not any(counts.values()):
        return ""
    share = f"Of the training cases {100 * plan.settings.inner_validation:.0f} %"
    if not counts:
        return f"{share} are to choose the epoch and the schedule and not to be trained on."
    without = ", ".join(key for key, count in counts.items() if not count)
    exception = f", except in {without}: too few patients, so the last epoch counts" if without else ""
    return f"{share} choose the epoch and the schedule and are not trained on{exception}."


def _files(run: RunFolder, state: RunState) -> str:
    lines = ["## Files\n", *(f"- `{name}`: {what}" for name, what in _FILES if (run.path / name).exists())]
    within = [(name, what) for name, what in _TRAINING_FILES if any((run.path / key / name).exists() for key in state.trainings)]
    if within:
        lines.append(f"- in the folder of each training (`{next(iter(state.trainings))}` ...):")
        lines += [f"  - `{name}`: {what}" for name, what in within]
    return "\n".join(lines)


def _commands(run: RunFolder, plan: Plan) -> str:
    # A teacher needs more than one scan.
    students = [plan.model_name(each) for each in plan.trainings() if plan.exports(each) and each.system != "teacher"]
    models = [path for path in (run.path / "models" / f"{name}.safetensors" for name in students) if path.exists()]
    lines = [
        "## Going on\n",
        "    kdnet status RUN --follow   how far it is, until it ends",
        "    kdnet stop RUN              save and end",
        "    kdnet resume RUN            go on where it ended",
    ]
    if models:
        lines.append(f"    kdnet segment SCAN --model RUN/models/{models[0].name} -o OUT\n")
        lines.append(f"RUN is this folder; SCAN is a {plan.settings.student_modality} scan.")
    else:
        lines.append("\nRUN is this folder.")
    return "\n".join(lines)
