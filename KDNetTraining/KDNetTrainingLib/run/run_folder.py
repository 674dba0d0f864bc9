"""The folder of one training: settings, data list, events and checkpoints, each written atomically."""

import json
import time
from pathlib import Path

import torch

from KDNetLib.atomic_file import replacing
from KDNetLib.errors import InputError


class RunFolder:
    """Files of one run. ``path`` is created where missing."""

    def __init__(self, path):
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)

    def record(self, name: str, content: dict, may_grow: tuple[str, ...] = ()) -> None:
        """Write ``content`` as ``name``.json; raises InputError where it holds something else already.

        A run goes on only with the settings and cases that it began with, except that the numbers named in
        ``may_grow`` may be larger than before: a run that was too short is prolonged.
        """
        path = self.path / f"{name}.json"
        text = json.dumps(content, indent=1) + "\n"
        if path.exists():
            earlier, now = json.loads(path.read_text(encoding="utf-8")), json.loads(text)
            grown = {key: now[key] for key in may_grow if now[key] >= earlier.get(key, now[key])}
            if earlier | grown != now:
                raise InputError(f"{self.path} holds a run with other {name}; choose another run folder or the same {name}.")
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")

    def event(self, **what) -> None:
        """Append one JSON line to events.jsonl, with the time."""
        line = json.dumps({"time": round(time.time(), 1), **what})
        with open(self.path / "events.jsonl", "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def save(self, stage: str, state: dict) -> None:
        """Save a checkpoint of ``stage``; a kill while saving leaves the one before."""
        with replacing(self.path / f"{stage}.pt") as partial:
            torch.save(state, partial)

    def load(self, stage: str) -> dict | None:
        """The checkpoint of ``stage``, or None. Tensors and plain values only: nothing in it is executed."""
        path = self.path / f"{stage}.pt"
        return torch.load(path, weights_only=True) if path.exists() else None
