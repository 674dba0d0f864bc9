"""Carrying out a plan: data, folds, every training in turn, scores, model files and report; again and again until done."""

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import torch

from KDNetLib.device import choose_device
from KDNetLib.errors import KDNetError
from KDNetLib.model_file import load_model
from KDNetLib.networks.base import Network
from KDNetTrainingLib.data.cache import CachedCase
from KDNetTrainingLib.errors import Stopped, TrainingError
from KDNetTrainingLib.evaluation.report import write_report
from KDNetTrainingLib.evaluation.results import read_scores, scores_path, subsets_path, write_scores, write_subset_scores
from KDNetTrainingLib.evaluation.scoring import mean_dice, score_cases
from KDNetTrainingLib.export import export_model
from KDNetTrainingLib.given_teacher import COPY
from KDNetTrainingLib.modalities import MODALITIES
from KDNetTrainingLib.plan import Plan, Training
from KDNetTrainingLib.run.at_work import at_work, in_turn
from KDNetTrainingLib.run.environment import environment
from KDNetTrainingLib.run.part import Part
from KDNetTrainingLib.run.pictures import draw_training
from KDNetTrainingLib.run.preview_folder import write_preview
from KDNetTrainingLib.run.readme import write_readme
from KDNetTrainingLib.run.report_html import write_html_report
from KDNetTrainingLib.run.recorded_plan import record_origin
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.run_data import RunData, prepare
from KDNetTrainingLib.shares import share
from KDNetTrainingLib.systems.any_subset import AnySubsetSystem
from KDNetTrainingLib.systems.base import System
from KDNetTrainingLib.systems.registry import SYSTEMS
from KDNetTrainingLib.training.checkpoints import Checkpoints
from KDNetTrainingLib.training.distributed import World, world
from KDNetTrainingLib.training.interruption import Interruption, interruption
from KDNetTrainingLib.training.preview import preview_of
from KDNetTrainingLib.training.trainer import Trainer, uses_bfloat16


def run_plan(plan: Plan, data: Path, run_path: Path, device: str, listener: Callable[[dict], None], part: Part | None = None) -> None:
    """Carry out ``plan``, or ``part``'s share of it, on the cases under ``data``; what an earlier process has done in ``run_path`` is not done again.

    Args:
        device: a name that ``choose_device`` takes.
        listener: called with every event as it is written to events.jsonl.
    Raises:
        Stopped: a signal or ``kdnet stop`` asked for the end; all is saved.
        InputError: data, plan, part and run folder do not fit together, or another process works in the folder or the part.
        TrainingError: the training cannot go on; what was saved before is intact.
    """
    trainings = share(plan, part) if part else plan.trainings()
    run = RunFolder(run_path, part)
    with ExitStack() as stack:
        processes = stack.enter_context(world(choose_device(device)))
        if processes.leads:
            stack.enter_context(at_work(run))
            run.clear_stop()
        processes.any_of(False)  # the lock is held before anyone reads the folder
        torch.use_deterministic_algorithms(plan.settings.deterministic, warn_only=True)
        _Experiment(plan, trainings, Path(data), run, processes, listener).run()


class _Experiment:
    def __init__(self, plan: Plan, trainings: list[Training], data: Path, run: RunFolder, processes: World, listener):
        self._plan, self._data, self._run, self._world, self._listener = plan, data, run, processes, listener
        self._trainings = trainings
        self._trained: dict[str, Network] = {}  # by key, those that later trainings need

    def run(self) -> None:
        try:
            with interruption(self._run) as stop:
                self._carry_out(stop)
        except Stopped as error:
            self._end("stopped", str(error))
            raise
        except KDNetError as error:
            self._end("failed", str(error))
            raise
        except OSError as error:
            message = f"{error.filename or self._run.path} cannot be read or written ({error.strerror}); put that right and resume: the last checkpoint is intact."
            self._end("failed", message)
            raise TrainingError(message) from error
        except KeyboardInterrupt:
            message = "Stopped in the middle of a step; the last checkpoint is intact."
            self._end("stopped", message)
            raise Stopped(message) from None
        except BaseException as error:
            self._end("failed", f"{type(error).__name__}: {error}")
            raise
        self._end("finished", "")

    def _carry_out(self, stop: Interruption) -> None:
        with ExitStack() as turn:
            # The first of several parts prepares the cases; the others find them, and check that they are the same.
            self._world.led(lambda: turn.enter_context(in_turn(self._run, "cases", self._waiting(stop))))
            data = self._prepare(stop)
        for place, training in enumerate(self._trainings):
            if self._world.any_of(stop.reason_after_epoch is not None):
                raise Stopped(f"Stopped ({stop.reason_after_epoch or 'asked by another process'}) before {training.key}; everything is saved.")
            self._current, self._later = training, self._trainings[place + 1 :]
            self._train(training, data, stop)
        self._world.led(self._tables)  # once more: a kill may have come between the last scores and what tells of them

    def _end(self, what: str, message: str) -> None:
        """Tell how the run ended, in its events, its report and its README; where that fails too, the first failure is the one to show."""
        with suppress(OSError):
            self._report(kind="run", what=what, message=message)
            if self._world.leads:
                self._document()

    def _waiting(self, stop: Interruption) -> Callable[[], None]:
        told = False

        def waiting() -> None:
            nonlocal told
            if stop.reason:
                raise Stopped(f"Stopped ({stop.reason}) while another part prepares the cases.")
            if not told:
                self._report(kind="waiting", message="waiting for the cases that another part prepares")
                told = True

        return waiting

    def _document(self) -> None:
        with in_turn(self._run, "report"):
            write_html_report(self._run)
            write_readme(self._run)

    def _prepare(self, stop: Interruption) -> RunData:
        """The cases, ready for the trainings; writes environment.json and tells that the run has begun."""

        def progress(done: int, total: int, name: str) -> None:
            self._report(kind="prepare", done=done, total=total, name=name)
            if stop.reason:
                raise Stopped(f"Stopped ({stop.reason}) while preparing the cases; {done} of {total} are done.")

        data = prepare(self._plan, self._trainings, self._data, self._run, self._world, progress)
        if self._world.leads:
            self._run.write("environment", environment())
            record_origin(self._run, self._data, self._plan.command)
        for name, reason in data.left_out.items():
            self._report(kind="warning", message=f"{name} is left out: {reason}")
        resumed = any((self._run.path / training.key).exists() for training in self._trainings)
        epochs = {training.key: self._plan.epochs(training) for training in self._trainings}
        planned = {training.key: self._plan.epochs(training) for training in self._plan.trainings()}
        whole = {"planned": planned} if self._run.part else {}
        self._report(kind="run", what="resume" if resumed else "begin", trainings=list(epochs), epochs=list(epochs.values()), **whole)
        if self._world.leads:
            self._document()
        return data

    def _train(self, training: Training, data: RunData, stop: Interruption) -> None:
        plan = self._plan
        settings = plan.settings_of(training)
        train, validation, test = data.split(training)
        folder = self._run.folder(training.key)
        scores = scores_path(self._run.path, training)
        checkpoints = Checkpoints(folder, lambda message: self._report(kind="warning", training=training.key, message=message))
        system = self._make(training, settings)
        needed = any(training in plan.needed_by(each) for each in self._later)
        epochs = plan.epochs(training)

        def report(**what) -> None:
            self._report(training=training.key, **what)
            if self._world.leads and what["kind"] == "epoch" and what["best"] and validation:
                self._preview(folder, system, data.cached[validation[0]], what["epoch"])

        fine, coarse = data.learnt(train, settings)
        chosen_by = [data.cached[name] for name in validation]
        trainer = Trainer(system, fine, chosen_by, epochs, settings, checkpoints, self._world, report, stop, coarse)
        if trainer.epochs_done < epochs or not scores.exists() or needed:
            self._steps, self._learnt = trainer.steps_per_epoch, len(fine)
            if self._world.leads and trainer.epochs_done < epochs:
                for path in (scores, subsets_path(self._run.path, training)):
                    path.unlink(missing_ok=True)  # of a run that is prolonged: they are those of fewer epochs
            if plan.settings.inner_validation and not validation:
                self._report(kind="warning", training=training.key, message=f"{training.key} has too few patients to keep one for validation: its last epoch counts.")
            self._report(
                kind="training", training=training.key, fold=training.fold, system=training.label, epochs=epochs, cases=len(train),
                validation=len(validation), from_epoch=trainer.epochs_done,
            )
            system = trainer.run()
        if needed:
            self._trained[training.key] = system.network
        tested = [data.cases[name] for name in test or validation]
        self._world.led(lambda: scores.exists() or self._finish(training, settings, system, tested, scores, len(train), bool(test), stop))
        system.to(self._world.device)  # scoring goes to the CPU where the device's memory does not suffice

    def _finish(self, training: Training, settings, system: System, tested, scores: Path, trained_on: int, unseen: bool, stop: Interruption) -> None:
        """Pictures, model file, scores and report of a training; the scores are what it is known to be finished by."""
        draw_training(self._run, training)
        self._score(training, settings, system, tested, scores, trained_on, unseen, stop)
        self._tables()
        self._document()

    def _tables(self) -> None:
        with in_turn(self._run, "report"):
            write_report(self._run, self._plan)

    def _preview(self, folder: Path, system: System, case: CachedCase, epoch: int) -> None:
        images, reference, prediction = preview_of(system, case, self._world.device, uses_bfloat16(self._plan.settings.precision, self._world.device))
        modality = self._plan.settings.student_modality
        scan = images[MODALITIES.index(modality)]
        write_preview(folder, case.name, modality, epoch, scan, reference, prediction, self._plan.settings.spacing)

    def _make(self, training: Training, settings) -> System:
        entry = SYSTEMS[training.system]
        if not entry.taught:
            return entry.make(settings, None)
        given = settings.teacher_model
        system = entry.make(settings, load_model(self._run.path / COPY, self._world.device)[0] if given else self._trained[training.teacher.key])
        if settings.student_from_baseline:
            system.begin_with(self._trained[training.baseline.key])
        return system

    def _score(self, training: Training, settings, system: System, tested, scores: Path, trained_on: int, unseen: bool, stop) -> None:
        def progress(done: int, total: int, name: str) -> None:
            if stop.reason:
                raise Stopped(f"Stopped ({stop.reason}) while scoring {training.key}; its training is saved.")

        def scored(network: Network, modalities: tuple[str, ...]) -> list[dict]:
            rows = score_cases([network], tested, list(modalities), settings, self._world.device, progress)
            return [{**row, "system": training.label, "fold": training.fold, "seed": settings.seed} for row in rows]

        rows = scored(system.deployed, system.modalities)
        if rows:
            means = {space: mean_dice([row for row in rows if row["space"] == space]) for space in ("native", "crop")}
            self._report(kind="scores", training=training.key, cases=len(tested), **means)
        if self._plan.exports(training):
            teacher_rows = read_scores(scores_path(self._run.path, training.teacher)) if SYSTEMS[training.system].taught else []
            path = export_model(self._run.path, self._plan, training, system, rows, teacher_rows, trained_on, unseen)
            self._report(kind="exported", training=training.key, path=str(path))
        if isinstance(system, AnySubsetSystem):
            of_subset = {subset: rows if subset == system.modalities else scored(system.network_for(subset), subset) for subset in system.subsets()}
            written = [{**row, "modalities": "+".join(subset)} for subset, found in of_subset.items() for row in found]
            write_subset_scores(subsets_path(self._run.path, training), written)
        write_scores(scores, rows)

    def _report(self, **what) -> None:
        if not self._world.leads:
            return
        if "left" in what:
            what["left_run"] = what["left"] + round(self._seconds_of_later(what))
        self._run.event(**what)
        self._listener({"time": time.time(), **what})

    def _seconds_of_later(self, event: dict) -> float:
        """Seconds that the trainings after this one will take, by the speed of this one."""
        per_step = event["seconds_per_step"] if "seconds_per_step" in event else event["seconds"] / self._steps
        own = self._plan.cost_of_epoch(self._current, event["epoch"] - 1)
        phantoms = self._plan.settings_of(self._current).phantoms
        return sum(
            per_step * self._steps * self._plan.cost(later) / own * (self._learnt + self._plan.settings_of(later).phantoms - phantoms) / self._learnt
            for later in self._later
        )
