"""How far a run is, told from its events and its lock by any process, cheaply enough to ask twice a second."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

from KDNetLib.errors import InputError
from KDNetTrainingLib.run.event_log import ENDS, EventLog
from KDNetTrainingLib.run.lock import holder
from KDNetTrainingLib.run.part import Part, folders_of_parts


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


class PlaceState:
    """What one process works in: a run's folder or a part's.

    Attributes: ``state``, ``message``, ``stage``, ``seconds_left`` and ``holder`` as in :class:`RunState`, of this place
    alone; ``time`` of the last event (seconds since 1970), or None.
    """

    def __init__(self, folder: Path):
        self.log, self._lock, self._file = EventLog(folder / "events.jsonl"), folder / "lock", folder / "events.jsonl"
        self.end: dict | None = None
        self.time: float | None = None
        self.stage, self.holder, self._seconds_left = "", None, None

    def look(self) -> None:
        """See whether a process works here."""
        self.holder = holder(self._lock)

    def take(self, event: dict) -> None:
        """Take note of an event that happened here."""
        self.time = event["time"]
        self.end = event if event["kind"] == "run" and event["what"] in ENDS else None
        if self.end:
            self._seconds_left = None
        self._seconds_left = event.get("left_run", self._seconds_left)

    @property
    def state(self) -> str:
        """One of the states of :class:`RunState`."""
        if self.end and not (self.holder and self.holder.since > self.time):  # a process that came later goes on with it
            return self.end["what"]
        if self.holder:
            return "running"
        return "killed" if self.time else "not started"

    @property
    def message(self) -> str:
        return (self.end.get("message") or "") if self.end else ""

    @property
    def seconds_left(self) -> float | None:
        return self._seconds_left if self.state == "running" else None

    @property
    def changed(self) -> float:
        """When the last event was written (seconds since 1970); 0 before the first."""
        try:
            return self._file.stat().st_mtime
        except OSError:
            return 0.0

    def as_dict(self) -> dict:
        """Everything as plain values."""
        held = vars(self.holder) if self.holder else None
        return {"state": self.state, "message": self.message, "stage": self.stage, "seconds_left": self.seconds_left, "holder": held, "time": self.time}


class RunState:
    """A run as its events tell it; :meth:`refresh` takes in what happened since.

    Attributes:
        state: "not started", "running", "stopped", "failed", "finished", or "killed" (it ended without saying so).
        message: why it was stopped or failed; else empty.
        trainings: the state of every training by its key (``fold-1/teacher``), in their order.
        current: key of the training that is or was last under way, or None.
        stage: what is or was being done, in words.
        seconds_left: of the whole run (of the part that takes longest) as estimated last, or None where it does not run.
        warnings: what the run warned of, in order.
        holder: the process that works in the folder (the first of several), or None.
        parts: the state of every part that ever worked here, in their order; empty where one process does the whole.
    """

    @classmethod
    def read(cls, folder) -> "RunState":
        """The state of the run in ``folder``. Raises InputError where there is no run."""
        folder = Path(folder)
        if not any((folder / name).exists() for name in ("run.json", "events.jsonl", "parts")):
            raise InputError(f"{folder} holds no run; name the folder that kdnet train or kdnet experiment was given.")
        found = cls(folder)
        found.refresh()
        return found

    def __init__(self, folder: Path):
        self._folder = Path(folder)
        self._whole = self._taking = PlaceState(self._folder)
        self.parts: dict[Part, PlaceState] = {}
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
        for part, folder in folders_of_parts(self._folder).items():
            place = self.parts.get(part) or PlaceState(folder)
            place.look()
            if place.holder or place.changed:  # else it was refused, and has only left an empty folder
                self.parts[part] = place
        self.parts = dict(sorted(self.parts.items(), key=lambda each: (each[0].count, each[0].number)))
        places = [self._whole, *self.parts.values()]
        # The locks first: a run that ends between the two looks is then still running, and not killed.
        for place in places:
            place.look()
        complete = self._take_new(places, time.monotonic() + seconds)
        self.holder = next((place.holder for place in places if place.holder), None)
        self.state, self.message = self._state(places)
        self.seconds_left = max((place.seconds_left for place in places if place.seconds_left is not None), default=None)
        return complete

    def _take_new(self, places: list[PlaceState], end: float) -> bool:
        # The place that was left longest ago first: what another one went on with is then told in the order it happened.
        for place in sorted(places, key=lambda place: place.changed):
            self._taking = place
            for event in place.log.new():
                self.take(event)
                if time.monotonic() > end:
                    return False
        return True

    def take(self, event: dict) -> None:
        """Take in one event, as it is in events.jsonl."""
        self._taking.take(event)
        kind, end = event["kind"], self._taking.end
        self.message = self._taking.message
        if kind == "run" and not end:
            self._take_plan(event)
        elif end and end["what"] == "finished" and self.current:
            self.stage = f"{self.current}, done"  # also where no case was there to score it on
        elif kind == "waiting":
            self.stage = event["message"]
        elif kind == "prepare":
            self.stage = f"preparing cases, {event['done']} of {event['total']}"
        elif kind in ("warning", "error"):
            if event["message"] not in self.warnings:  # every resumed process names the cases left out again
                self.warnings.append(event["message"])
        elif event.get("training") in self.trainings:
            self._take_training(event, self.trainings[event["training"]])
        self._taking.stage = self.stage

    def as_dict(self) -> dict:
        """Everything as plain values."""
        places = [self._whole, *self.parts.values()]
        return {
            "state": self.state, "message": self.message, "stage": self.stage, "fraction": round(self.fraction, 5),
            "seconds_left": self.seconds_left, "current": self.current, "planned": len(self.trainings), "done": self.done,
            "trainings": {key: vars(training) for key, training in self.trainings.items()}, "warnings": self.warnings,
            "holder": vars(self.holder) if self.holder else None, "time": max((place.time for place in places if place.time), default=None),
            "parts": {str(part): place.as_dict() for part, place in self.parts.items()},
        }

    def _state(self, places: list[PlaceState]) -> tuple[str, str]:
        """The run's state and message; of parts the worst of those that worked last, and "finished" only where all is scored."""
        if not self.parts or self._whole.state == "running":
            return self._whole.state, self._whole.message
        if any(place.state == "running" for place in places):
            return "running", ""
        if self.trainings and all((self._folder / key / "scores.csv").exists() for key in self.trainings):
            return "finished", ""
        last = max(self.parts, key=lambda part: self.parts[part].time or 0)
        latest = [place for part, place in self.parts.items() if part.count == last.count]
        if (self._whole.time or 0) > (self.parts[last].time or 0):
            latest = [self._whole]
        for state in ("failed", "killed", "stopped"):
            for place in latest:
                if place.state == state:
                    return state, place.message
        return ("stopped", "Some of its parts have not begun.") if any(place.time for place in latest) else ("not started", "")

    def _take_plan(self, event: dict) -> None:
        planned = dict(zip(event["trainings"], event["epochs"]))
        if self._taking is not self._whole:  # a part tells of the whole run too
            planned = event.get("planned", planned)
        earlier = self.trainings
        self.trainings = {key: earlier.get(key, TrainingState(0)) for key in planned}
        for key, epochs in planned.items():
            self.trainings[key].epochs = epochs

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
