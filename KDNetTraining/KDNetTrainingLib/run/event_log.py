"""events.jsonl: what happens in a run, one JSON object per line, written by one process and followed by any number."""

import json
import os
from collections.abc import Iterator
from pathlib import Path


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
        """The events since the last call, in order; none where the file does not exist. Torn lines are passed over."""
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
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
