"""The benchmark's measurements in their order: contestants in turn, then the parts that concern KDNet alone."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from KDNetLib.benchmark.processes import MeasurementError, Processes
from KDNetLib.benchmark.registry import CONTESTANTS, OURS, absence
from KDNetLib.device import OPENVINO

#: What can be measured besides the contestants.
PARTS = ("cold", "stages", "convolution")
#: The paper's input, 64³: the central 128 mm at 2 mm.
SMALL, WHOLE = "64³", "whole brain"


@dataclass(frozen=True)
class Task:
    """What to measure: ``names`` of contestants and parts on ``scan``; ``models`` of KDNet by :data:`SMALL` and :data:`WHOLE`."""

    scan: Path
    models: dict[str, Path]
    names: tuple[str, ...]
    repeats: int
    threads: int | None
    device: str
    tuned_peers: bool


def measure(task: Task, progress: Callable[[float, str], None], failed: Callable[[str, MeasurementError], None]) -> dict:
    """Take the measurements; a failure is handed to ``failed``, noted in the result, and the rest goes on.

    Returns ``contestants`` (name -> ``title``, ``absent`` and ``failed`` as a sentence or None, ``gflop`` or None,
    ``runs`` as child.py answers) and, of ``cold`` (``seconds`` by size), ``stages`` (``runs``) and ``convolution``
    (``precision`` and ``rates``), each with ``failed``, those asked for.
    """
    with tempfile.TemporaryDirectory(prefix="kdnet-benchmark-") as folder:
        return _Measurement(task, Path(folder), progress, failed).take()


class _Measurement:
    def __init__(self, task: Task, folder: Path, progress, failed):
        self._task, self._folder, self._failed = task, folder, failed
        self._processes = Processes(folder, task.threads)
        self._progress = progress
        self._torchs_device = "cpu" if task.device == OPENVINO else task.device
        self._contestants = {
            name: {"title": kind.title, "absent": absence(kind), "failed": None, "gflop": None, "runs": []}
            for name, kind in CONTESTANTS.items()
            if name in task.names
        }
        empty = {"cold": {"seconds": {size: [] for size in task.models}}, "stages": {"runs": []}, "convolution": {"precision": None, "rates": []}}
        self._parts = {part: {"failed": None, **empty[part]} for part in PARTS if part in task.names}

    def take(self) -> dict:
        steps = list(self._steps())
        for number, (name, what, entry, action) in enumerate(steps):
            if entry.get("absent") or entry["failed"]:
                continue
            self._progress(number / len(steps), f"{name}, {what}")
            try:
                action()
            except MeasurementError as error:
                entry["failed"] = str(error)
                self._failed(name, error)
        return {"contestants": self._contestants, **self._parts}

    def _steps(self):
        """Everything to do as (name, what of it, where a failure is noted, function), the contestants alternating."""
        turns = [f"run {turn + 1} of {self._task.repeats}" for turn in range(self._task.repeats)]
        for what, action in [("counting operations", self._count), *((turn, self._run) for turn in turns)]:
            for name, entry in self._contestants.items():
                yield name, what, entry, partial(action, name)
        for name, entry in self._parts.items():
            if name == "cold":
                for turn in turns:
                    for size in self._task.models:
                        yield name, f"{size}, {turn}", entry, partial(self._cold, size)
            else:
                yield name, "all runs", entry, {"stages": self._stages, "convolution": self._convolution}[name]

    def _count(self, name: str) -> None:
        self._contestants[name]["gflop"] = self._ask("count", name, device=self._torchs_device)["gflop"]

    def _run(self, name: str) -> None:
        self._contestants[name]["runs"].append(self._ask("segment", name))

    def _cold(self, size: str) -> None:
        seconds = self._processes.cold(self._task.scan, self._folder / "cold.nii.gz", self._task.models[size], self._task.device)
        self._parts["cold"]["seconds"][size].append(seconds)

    def _stages(self) -> None:
        self._parts["stages"]["runs"] = self._ask("stages", OURS, repeats=self._task.repeats)["runs"]

    def _convolution(self) -> None:
        answer = self._processes.ask("convolution", device=self._task.device, keep_memory=True)
        self._parts["convolution"] |= {key: answer[key] for key in ("precision", "rates")}

    def _ask(self, what: str, name: str, **more) -> dict:
        target = self._folder / f"{name}.nii.gz"
        target.unlink(missing_ok=True)
        device = self._task.device if name == OURS else self._torchs_device
        request = {"contestant": name, "source": self._task.scan, "target": target, "model": self._task.models[WHOLE], "device": device, **more}
        keep = name == OURS or self._task.tuned_peers
        answer = self._processes.ask(what, keep_memory=keep, **request)
        if not target.is_file():
            raise MeasurementError("it ended without an error but wrote no file")
        return answer
