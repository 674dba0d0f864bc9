"""How far a run is, told from its events and its lock by any process, cheaply enough to ask twice a second."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

from KDNetLib.errors import InputError
from KDNetTrainingLib.run.event_log import ENDS, EventLog
from KDNetTrainingLib.run.lock import Holder, holder


@dataclass
class TrainingState:
    """How far one training is. Losses by name; Dice (0 to 1) by region ET, TC, WT."""

    epochs: int
    #: Finished epochs; then the step of the epoch that is under way, of so many.
    epoch: int = 0
    step: int = 0
    steps: int = 0
    #: Mean losses over the training cases in the epoch under way so far, and in the last one that is finished.
    train_now: dict[str, float] = field(default_factory=dict)
    train: dict[str, float] = field(default_factory=dict)
    #: Number of cases that choose the epoch; None before the training has begun.
    validation_cases: int | None = None
    #: Losses and Dice of the last finished epoch and of the best, on the validation cases; empty where there are none.
    validation: dict[str, float] = field(default_factory=dict)
    best_validation: dict[str, float] = field(default_factory=dict)
    best_epoch: int | None = None
    #: Dice at the end, by space ("native", "crop") and region.
    scores: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether every epoch is finished; its scores may still be under way."""
        return self.epoch >= self.epochs

    @property
    def fraction(self) -> float:
        """Share of the epochs that is done, 0 to 1."""
        within = self.step / self.steps if self.steps else 0.0
        return min(1.0, (self.epoch + within) / self.epochs)


class RunState:
    """A run as its events tell it; :meth:`refresh` takes in what happened since.

    Attributes:
        state: "not started", "running", "stopped", "failed", "finished", or "killed" (it ended without saying so).
        message: why it was stopped or failed; else empty.
        trainings: the state of every training by its key (``fold-1/teacher``), in their order.
        current: key of the training that is or was last under way, or None.
        stage: what is or was being done, in words.
        seconds_left: of the whole run as estimated last, or None where it does not run.
        warnings: what the run warned of, in order.
        holder: the process that works in the folder, or None.
    """

    @classmethod
    def read(cls, folder) -> "RunState":
        """The state of the run in ``folder``. Raises InputError where there is no run."""
        folder = Path(folder)
        if not any((folder / name).exists() for name in ("run.json", "events.jsonl")):
            raise InputError(f"{folder} holds no run; name the folder that kdnet train or kdnet experiment was given.")
        found = cls(folder)
        found.refresh()
        return found

    def __init__(self, folder: Path):
        self._log, self._lock = EventLog(folder / "events.jsonl"), folder / "lock"
        self._end: dict | None = None
        self._time: float | None = None
        self.state, self.message, self.stage, self.holder = "not started", "", "", None
        self.trainings: dict[str, TrainingState] = {}
        self.current: str | None = None
        self.seconds_left: float | None = None
        self.warnings: list[str] = []

    @property
    def done(self) -> list[str]:
        """Keys of the trainings that are done."""
        return [key for key, training in self.trainings.items() if training.done]

    @property
    def fraction(self) -> float:
        """Share of all epochs of all trainings that is done, 0 to 1."""
        total = sum(training.epochs for training in self.trainings.values())
        return sum(training.epochs * training.fraction for training in self.trainings.values()) / total if total else 0.0

    def refresh(self, seconds: float = math.inf) -> bool:
        """Take in the events since the last time and whether a process holds the folder.

        After ``seconds`` the rest is left for the next call and False returned; all is then as it was at an earlier moment.
        """
        # The lock first: a run that ends between the two looks is then still running, and not killed.
        self.holder = holder(self._lock)
        end, complete = time.monotonic() + seconds, True
        for event in self._log.new():
            self.take(event)
            if time.monotonic() > end:
                complete = False
                break
        self.state = self._state(self.holder)
        if self.state != "running":
            self.seconds_left = None
        return complete

    def take(self, event: dict) -> None:
        """Take in one event, as it is in events.jsonl."""
        kind = event["kind"]
        self._time = event["time"]
        self._end = event if kind == "run" and event["what"] in ENDS else None
        self.message = self._end.get("message") or "" if self._end else ""
        if kind == "run" and not self._end:
            self._take_plan(event)
        elif self._end and self._end["what"] == "finished" and self.current:
            self.stage = f"{self.current}, done"  # also where no case was there to score it on
        elif kind == "prepare":
            self.stage = f"preparing cases, {event['done']} of {event['total']}"
        elif kind in ("warning", "error"):
            if event["message"] not in self.warnings:  # every resumed process names the cases left out again
                self.warnings.append(event["message"])
        elif event.get("training") in self.trainings:
            self._take_training(event, self.trainings[event["training"]])

    def as_dict(self) -> dict:
        """Everything as plain values."""
        return {
            "state": self.state, "message": self.message, "stage": self.stage, "fraction": round(self.fraction, 5),
            "seconds_left": self.seconds_left, "current": self.current, "planned": len(self.trainings), "done": self.done,
            "trainings": {key: vars(training) for key, training in self.trainings.items()}, "warnings": self.warnings,
            "holder": vars(self.holder) if self.holder else None, "time": self._time,
        }

    def _state(self, held: Holder | None) -> str:
        if self._end and not (held and held.since > self._time):  # a process that came later goes on with it
            return self._end["what"]
        if held:
            return "running"
        return "killed" if self._time else "not started"

    def _take_plan(self, event: dict) -> None:
        earlier = self.trainings
        self.trainings = {key: earlier.get(key, TrainingState(0)) for key in event["trainings"]}
        for training, epochs in zip(self.trainings.values(), event["epochs"]):
            training.epochs = epochs

    def _take_training(self, event: dict, training: TrainingState) -> None:
        kind, key = event["kind"], event["training"]
        self.current = key
        self.seconds_left = event.get("left_run", self.seconds_left)
        if kind == "training":
            training.epoch, training.step = event["from_epoch"], 0
            training.validation_cases = event["validation"]
            training.scores = training.scores if training.done else {}  # a prolonged one is scored again
        elif kind == "steps":
            training.epoch, training.step, training.steps = event["epoch"] - 1, event["step"], event["steps"]
            training.train_now = event["train"]
        elif kind == "epoch":
            training.epoch, training.step = event["epoch"], 0
            training.train = training.train_now = event["train"]
            training.validation = event["validation"]
            if event["best"]:
                training.best_epoch, training.best_validation = event["epoch"], event["validation"]
        elif kind == "scores":
            training.scores = {space: event[space] for space in ("native", "crop")}
        if training.done:
            self.stage = f"{key}, {'done' if training.scores or kind == 'exported' else 'scoring'}"
        else:
            self.stage = f"{key}, epoch {training.epoch + (kind != 'epoch')} of {training.epochs}"
