"""A run's state together with what the panel draws of it: the course of every training, the log, the speed."""

from pathlib import Path

from KDNetTrainingLib.run.status import RunState
from KDNetTrainingLib.systems.registry import SYSTEMS
from KDNetTrainingPanelLib.course import Course
from KDNetTrainingPanelLib.run_log import RunLog

#: Longest time that one refresh takes of Slicer's main thread; a long history is read in several.
_SECONDS = 0.02


class WatchedRun(RunState):
    """A :class:`RunState` to be shown; ``state`` is "reading" too, until the first time that all is known.

    Attributes:
        folder: the run's folder.
        behind: whether there is more to read; call :meth:`refresh` again soon.
        courses: the course of every training that has begun, by its key.
        log: the lines of the log.
        secondsPerStep, secondsPerEpoch, learningRate, gpuGigabytes, memoryGigabytes: as last told, or None.
        prepared: (cases that are prepared, of so many) where that is under way, else None.
        exportedFiles: names of the model files that the run has written.
    """

    def __init__(self, folder):
        super().__init__(Path(folder))
        self.folder = Path(folder)
        self.state = "reading"
        self.behind = False
        self.courses: dict[str, Course] = {}
        self.log = RunLog()
        self.secondsPerStep = self.secondsPerEpoch = self.learningRate = self.gpuGigabytes = self.memoryGigabytes = None
        self.prepared: tuple[int, int] | None = None
        self.exportedFiles: list[str] = []

    def refresh(self) -> None:
        """Take in what happened since the last time, as far as that goes without being felt."""
        earlier = self.state
        self.behind = not super().refresh(_SECONDS)
        if self.behind:
            self.state = earlier  # whether it runs, is finished or was killed is told by the last event only

    def take(self, event: dict) -> None:
        """Take in one event."""
        super().take(event)
        self.log.take(event)
        kind = event["kind"]
        self.prepared = (event["done"], event["total"]) if kind == "prepare" else None
        if kind == "training":
            self.courses.setdefault(event["training"], Course()).cutAfter(event["from_epoch"])
        elif kind == "steps":
            self.secondsPerStep = event["seconds_per_step"]
        elif kind == "epoch":
            self.courses.setdefault(event["training"], Course()).put(event)
            self.secondsPerEpoch, self.learningRate = event["seconds"], event["learning_rate"]
            self.gpuGigabytes, self.memoryGigabytes = event["gpu_gb"], event.get("memory_gb")
        elif kind == "exported":
            name = Path(event["path"]).name  # the run may have been moved since
            if name not in self.exportedFiles:
                self.exportedFiles.append(name)

    def teacherOf(self, key: str) -> str | None:
        """Key of the training whose network teaches ``key``; None for a teacher or where none was planned."""
        fold, label = key.split("/")
        system = max((name for name in SYSTEMS if f"{label}-".startswith(f"{name}-")), key=len, default="")
        teacher = f"{fold}/teacher{label.removeprefix(system)}"
        return teacher if system and SYSTEMS[system].taught and teacher in self.trainings else None
