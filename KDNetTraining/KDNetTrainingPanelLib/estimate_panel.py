"""What the training will take on this computer, measured in the background on request."""

import json
import shutil
import tempfile
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from KDNetSegmentationLib.styles import ERROR_STYLE, WARNING_STYLE
from KDNetTrainingLib.cli.run_line import duration
from KDNetTrainingPanelLib.engine_task import EngineTask


class EstimatePanel:
    """Drives ``ui.estimateLabel``; ``onFinished()`` is called when an estimate is there, or why there is none."""

    def __init__(self, ui, onFinished):
        self._label, self._onFinished = ui.estimateLabel, onFinished
        self._task = EngineTask(self._onAnswer, self._onTaskFinished)
        self._file = None
        self._runFolder = ""
        self._answer = None
        self.clear()

    @property
    def running(self) -> bool:
        """Whether it is being measured."""
        return self._task.running

    def start(self, plan, cases: int, device: str, runFolder: str) -> None:
        """Measure the run of ``plan`` over so many ``cases``. Raises :class:`DependencyError`."""
        self.clear()
        self._runFolder = runFolder
        self._file = Path(tempfile.mkdtemp(prefix="KDNet-", dir=slicer.app.temporaryPath)) / "plan.json"
        self._file.write_text(json.dumps(plan.as_dict()), encoding="utf-8")
        try:
            self._task.start("KDNetTrainingLib.estimate", [self._file, "--cases", cases, "--device", device])
        except BaseException:
            self._removeFile()
            raise
        self._show(_("Measuring a few steps on this computer"))

    def clear(self) -> None:
        """Forget the estimate, because it was of other choices."""
        self._task.stop()
        self._removeFile()
        self._answer = None
        self._show(_("Disk, memory and time: not measured yet."))

    def _onAnswer(self, answer):
        self._answer = answer

    def _onTaskFinished(self, problem):
        self._removeFile()
        if problem or self._answer is None:
            self._show(problem, ERROR_STYLE)
        else:
            self._show(*estimateText(self._answer, self._runFolder))
        self._onFinished()

    def _show(self, text, style=""):
        self._label.text, self._label.styleSheet = text, style

    def _removeFile(self):
        if self._file is not None:
            shutil.rmtree(self._file.parent, ignore_errors=True)
            self._file = None


def estimateText(estimate: dict, runFolder: str) -> tuple[str, str]:
    """The estimate as a sentence and its style; with a warning where disk or memory do not suffice."""
    parts = [
        _("about {time}").format(time=duration(estimate["seconds"])),
        _("{size} of disk").format(size=_size(estimate["disk_bytes"])),
    ]
    if estimate["memory_bytes"]:
        parts.append(_("{size} of memory").format(size=_size(estimate["memory_bytes"])))
    text = _("{facts} on {device}.").format(facts=", ".join(parts), device=estimate["device"])
    text = text[0].upper() + text[1:]
    warnings = []
    free = _freeBytes(runFolder)
    if free is not None and free < estimate["disk_bytes"]:
        warnings.append(_("Only {size} of disk are free there; choose another run folder.").format(size=_size(free)))
    available = estimate["memory_available_bytes"]
    if available is not None and estimate["memory_bytes"] and available < estimate["memory_bytes"]:
        warnings.append(_("Only {size} of memory are free; choose smaller samples.").format(size=_size(available)))
    return " ".join([text, *warnings]), WARNING_STYLE if warnings else ""


def _freeBytes(folder):
    if not folder:
        return None
    place = next((parent for parent in (Path(folder), *Path(folder).parents) if parent.is_dir()), None)
    return shutil.disk_usage(place).free if place else None


def _size(count):
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{max(1, round(count / 1e6))} MB"
