"""What a folder of cases holds, found by a process in the background."""

from dataclasses import dataclass, field
from pathlib import Path

from slicer.i18n import tr as _

from KDNetTrainingPanelLib.engine_task import EngineTask


@dataclass(frozen=True)
class FoundData:
    """What was found: ``report`` as ``DataReport.as_dict`` has it, ``files`` by case, as ``KDNetTrainingLib.data`` prints."""

    report: dict
    files: dict = field(default_factory=dict)

    @property
    def cases(self) -> list[dict]:
        """Every case, those with a problem first, else by name."""
        return sorted(self.report["cases"], key=lambda case: case["problem"] is None)

    @property
    def usable(self) -> int:
        """How many cases can be trained on."""
        return self.report["usable"]

    @property
    def patients(self) -> int:
        """How many patients the usable cases are of."""
        return len({case["patient"] for case in self.report["cases"] if case["problem"] is None})

    def summary(self) -> str:
        """One or two sentences."""
        editions = ", ".join(f"{name}: {counts['usable']}" for name, counts in self.report["editions"].items() if name != "all")
        text = _("{usable} of {found} cases can be used ({editions}).").format(
            usable=self.usable, found=len(self.report["cases"]), editions=editions
        )
        return " ".join([text, *self.report["notes"]])

    def problem(self, folds: int) -> str:
        """Why nothing can be trained on this data with so many ``folds``; "" if it can."""
        if self.usable == 0:
            return _("No case can be trained on; the list says why.")
        if self.patients < 2:
            return _("There is one patient only; training needs two or more, as it keeps some to choose the epoch by.")
        if self.patients < folds:
            return _("{patients} patients cannot be split into {folds} folds; set fewer folds or add cases.").format(
                patients=self.patients, folds=folds
            )
        return ""


class DataCheck:
    """Looks into a folder; ``onProgress(fraction, text)`` as it goes on, ``onFinished(found, problem)`` at the end."""

    def __init__(self, onProgress, onFinished):
        self._onProgress, self._onFinished = onProgress, onFinished
        self._task = EngineTask(self._onAnswer, self._onTaskFinished)
        self._found, self._problem = None, ""

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return self._task.running

    def start(self, folder) -> None:
        """Look into ``folder``, and no longer into the one before."""
        self._found, self._problem = None, ""
        self._task.start("KDNetTrainingLib.data", [Path(folder)])

    def stop(self) -> None:
        """End it; nothing is called any more."""
        self._task.stop()

    def _onAnswer(self, answer):
        if "report" in answer:
            self._found = FoundData(answer["report"], answer["files"])
        elif "error" in answer:
            self._problem = answer["error"]
        elif "done" in answer:
            self._onProgress(
                answer["done"] / answer["total"],
                _("Reading case {done} of {total}").format(done=answer["done"], total=answer["total"]),
            )

    def _onTaskFinished(self, problem):
        self._onFinished(self._found, self._problem or ("" if self._found else problem))
