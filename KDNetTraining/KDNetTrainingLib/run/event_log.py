"""events.jsonl: what happens in a run, one JSON object per line, written by one process and followed by any number."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

#: What a "run" event may say: how a process begins, which comes with its plan, and how it ends.
_BEGINS, ENDS = ("begin", "resume"), ("finished", "stopped", "failed")
_REGIONS = ("ET", "TC", "WT")  # KDNetLib.labels has them too, but brings numpy, which `kdnet --help` must not wait for


def _is_text(value) -> bool:
    return isinstance(value, str)


def _is_count(value) -> bool:
    return type(value) is int and value >= 0


def _is_number(value) -> bool:
    return type(value) in (int, float)


def _is_number_or_none(value) -> bool:
    return value is None or _is_number(value)


def _is_losses(value) -> bool:
    return isinstance(value, dict) and "loss" in value and all(map(_is_number, value.values()))


def _is_dice(value) -> bool:
    return isinstance(value, dict) and all(_is_number(value.get(region)) for region in _REGIONS)


def _is_measured(value) -> bool:
    return value == {} or _is_losses(value) and _is_dice(value)


def _is_keys(value) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_epochs(value) -> bool:
    return isinstance(value, list) and all(_is_count(epochs) and epochs for epochs in value)


def _is_planned(value) -> bool:
    return isinstance(value, dict) and _is_epochs(list(value.values()))


#: What every event has, and by its kind what readers find in it besides; further fields, and kinds, may be added.
_EVERY = {"time": _is_number, "kind": _is_text}
_PLAN = {"trainings": _is_keys, "epochs": _is_epochs}
_FIELDS = {
    "run": {"what": lambda value: value in (*_BEGINS, *ENDS)},
    "prepare": {"done": _is_count, "total": _is_count},
    "waiting": {"message": _is_text},
    "warning": {"message": _is_text},
    "error": {"message": _is_text},
    "training": {"training": _is_text, "epochs": _is_count, "from_epoch": _is_count, "cases": _is_count, "validation": _is_count},
    "steps": {
        "training": _is_text, "epoch": _is_count, "epochs": _is_count, "step": _is_count, "steps": _is_count, "train": _is_losses,
        "seconds_per_step": _is_number,
    },
    "epoch": {
        "training": _is_text, "epoch": _is_count, "epochs": _is_count, "train": _is_losses, "validation": _is_measured,
        "best": lambda value: isinstance(value, bool), "learning_rate": _is_number, "seconds": _is_number, "gpu_gb": _is_number_or_none,
    },
    "scores": {"training": _is_text, "cases": _is_count, "native": _is_dice, "crop": _is_dice},
    "exported": {"training": _is_text, "path": _is_text},
}
#: What an event need not have, but then as it must be.
_OPTIONAL = {
    "training": _is_text, "message": _is_text, "left_run": _is_number, "memory_gb": _is_number_or_none,
    "planned": _is_planned,  # of a part: the epochs of every training of the run, by its key
}


def append_event(path: Path, event: dict) -> None:
    """Append ``event`` as one line in one write, so that a reader never sees half of it while all goes well.

    Where a kill or a full disk has left half a line, that one is ended first. Raises OSError.
    """
    with open(path, "a+b", buffering=0) as file:
        torn = False
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            torn = file.read(1) != b"\n"
        file.write(b"\n" * torn + json.dumps(event).encode("ascii") + b"\n")


class EventLog:
    """The events of the file ``path`` from the first on; asked again, those that were added meanwhile."""

    def __init__(self, path: Path):
        self._path, self._position = path, 0

    def new(self) -> Iterator[dict]:
        """The events since the last call, in order; none where the file does not exist.

        Lines that are torn or are no event as a run writes them are passed over, so that readers need not check.
        """
        if not self._path.exists():
            return
        with open(self._path, "rb") as file:
            file.seek(self._position)
            for line in file:
                if not line.endswith(b"\n"):  # still being written, or torn by a kill; the next call looks again
                    return
                self._position += len(line)
                event = _parsed(line)
                if event is not None:
                    yield event


def _parsed(line: bytes) -> dict | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and _is_event(event) else None


def _is_event(event: dict) -> bool:
    if not _has(event, _EVERY) or not _has(event, _FIELDS.get(event["kind"], {})):
        return False
    if event["kind"] == "run" and event["what"] in _BEGINS:
        if not _has(event, _PLAN) or len(event["trainings"]) != len(event["epochs"]):
            return False
    return all(fits(event[name]) for name, fits in _OPTIONAL.items() if name in event)


def _has(event: dict, fields: dict) -> bool:
    return all(name in event and fits(event[name]) for name, fits in fields.items())
