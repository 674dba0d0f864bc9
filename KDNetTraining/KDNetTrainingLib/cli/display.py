"""What a terminal or a pipe shows of a run while this process carries it out."""

from pathlib import Path
from typing import TextIO

from KDNetLib.cli.progress import Progress
from KDNetTrainingLib.run.status import RunState


class Display:
    """Takes the events of the run in ``folder`` one by one: a live line on a terminal, one line per epoch on a pipe."""

    def __init__(self, folder: Path, stream: TextIO):
        self._state, self._stream, self._progress = RunState(folder), stream, Progress(folder.name or "run", stream)

    def __call__(self, event: dict) -> None:
        """Show what ``event`` changes."""
        self._state.take(event)
        if event["kind"] == "warning":
            self.close()
            print(event["message"], file=self._stream, flush=True)
        else:
            self._progress.update(self._state.fraction, self._state.stage + _dice(event))

    def close(self) -> None:
        """Take the live line away."""
        self._progress.clear()


def _dice(event: dict) -> str:
    measured = event.get("validation") if event["kind"] == "epoch" else event.get("native")
    return ", Dice " + " ".join(f"{region} {measured[region]:.2f}" for region in ("ET", "TC", "WT")) if measured else ""
