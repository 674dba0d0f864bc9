"""What a terminal or a pipe shows of a run while this process carries it out."""

from contextlib import suppress
from pathlib import Path
from typing import TextIO

from KDNetTrainingLib.cli.run_line import RunLine
from KDNetTrainingLib.run.status import RunState


class Display:
    """Takes the events of the run in ``folder`` one by one and shows them as ``kdnet status --follow`` would."""

    def __init__(self, folder: Path, stream: TextIO):
        self._state, self._stream, self._line = RunState(folder), stream, RunLine(str(folder), stream)

    def __call__(self, event: dict) -> None:
        """Show what ``event`` changes; where nobody can see it any more (a closed pipe or terminal), nothing."""
        self._state.take(event)
        with suppress(OSError):
            if event["kind"] == "warning":
                self._line.clear()
                print(event["message"], file=self._stream, flush=True)
            else:
                self._line.show(self._state)

    def close(self) -> None:
        """Take the live line away."""
        with suppress(OSError):
            self._line.clear()
