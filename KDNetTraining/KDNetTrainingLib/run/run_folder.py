"""The folder of one run: its JSON files (written atomically), its events, its trainings' folders, the request to stop."""

import heapq
import json
import time
from collections.abc import Iterator
from pathlib import Path

from KDNetLib.atomic_file import replacing
from KDNetLib.errors import InputError
from KDNetTrainingLib.run.event_log import EventLog, append_event
from KDNetTrainingLib.run.part import Part, folders_of_parts


_STOP, _AFTER_STEP, _AFTER_EPOCH = "stop", "step", "epoch"


class RunFolder:
    """Files of one run. ``path`` is created where missing; raises InputError where that is not possible.

    With ``part`` a process writes the events and the lock of that part, and listens to its request to stop; ``own`` is
    the folder that these are in. All else is the run's.
    """

    def __init__(self, path, part: Part | None = None):
        self.path, self.part = Path(path), part
        self.own = part.folder(self.path) if part else self.path
        try:
            self.own.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"The run folder {self.path} cannot be made ({error.strerror}); choose another one.") from error

    def record(self, name: str, content: dict, may_grow: tuple[str, ...] = (), unsaid: dict | None = None) -> None:
        """Write ``content`` as ``name``.json; raises InputError where it holds something else already.

        A run goes on only with the settings and cases that it began with, except that the numbers named in
        ``may_grow`` may be larger than before: a run that was too short is prolonged. ``unsaid`` has the values that an
        earlier version of KDNet, which did not write all of the keys, went by.
        """
        now, earlier = json.loads(json.dumps(content)), self.read(name)
        if earlier is not None:
            grown = {key: now[key] for key in may_grow if now[key] >= earlier.get(key, now[key])}
            allowed = (unsaid or {}) | earlier | grown
            other = sorted(key for key in allowed.keys() | now.keys() if allowed.get(key) != now.get(key))
            if other:
                raise InputError(
                    f"{self.path} holds a run with other {name} ({', '.join(other)}); choose another run folder or the same {name}."
                )
        self.write(name, now)

    def write(self, name: str, content: dict) -> None:
        """Write ``content`` as ``name``.json in the place of what is there."""
        with replacing(self.path / f"{name}.json") as partial:
            partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    def read(self, name: str) -> dict | None:
        """The content of ``name``.json, or None where there is none; raises InputError where it is damaged."""
        path = self.path / f"{name}.json"
        if not path.exists():
            return None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read ({error}); bring it back from a copy or begin the run in another folder.") from error
        if not isinstance(content, dict):
            raise InputError(f"{path} does not hold what a run writes there; bring it back from a copy or begin the run in another folder.")
        return content

    def event(self, **what) -> None:
        """Append ``what`` to events.jsonl as one JSON line, with the time (seconds since 1970)."""
        append_event(self.own / "events.jsonl", {"time": time.time(), **what})

    def events(self) -> Iterator[dict]:
        """Every event of the run and of its parts so far, in order; torn lines are passed over."""
        logs = [EventLog(folder / "events.jsonl").new() for folder in (self.path, *folders_of_parts(self.path).values())]
        return heapq.merge(*logs, key=lambda event: event["time"])

    def folder(self, training: str) -> Path:
        """The folder of ``training`` (such as ``fold-1/teacher``), created where missing."""
        path = self.path / training
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def stop_requested(self) -> bool:
        """Whether the training in this folder was asked to end after its step."""
        return self._stop_request() not in (None, _AFTER_EPOCH)

    @property
    def stop_after_epoch_requested(self) -> bool:
        """Whether the training in this folder was asked to end after its epoch."""
        return self._stop_request() == _AFTER_EPOCH

    def request_stop(self, after_epoch: bool = False) -> None:
        """Ask the training that works in this folder (or all its parts) to save and end after its step or its epoch; the last request counts.

        Raises InputError where the folder cannot be written to.
        """
        try:
            for folder in [self.own] if self.part else [self.path, *folders_of_parts(self.path).values()]:
                with replacing(folder / _STOP) as partial:
                    partial.write_text(_AFTER_EPOCH if after_epoch else _AFTER_STEP, encoding="ascii")
        except OSError as error:
            raise InputError(f"{self.path} cannot be written to ({error.strerror}); stop the training where it was started.") from error

    def clear_stop(self) -> None:
        """Take the request to stop back."""
        (self.own / _STOP).unlink(missing_ok=True)

    def _stop_request(self) -> str | None:
        try:
            return (self.own / _STOP).read_text(encoding="ascii", errors="replace")
        except OSError:
            return None


def existing_run(path: Path) -> RunFolder:
    """The run in ``path``, which :class:`RunFolder` would make. Raises InputError where there is none."""
    if not (path / "run.json").exists():
        raise InputError(f"{path} holds no run; begin one with kdnet train or kdnet experiment.")
    return RunFolder(path)
