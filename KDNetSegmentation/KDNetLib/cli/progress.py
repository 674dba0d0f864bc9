"""Progress on the terminal: one line that rewrites itself, or plain lines where the output is a pipe or a file."""

import shutil
import time
from typing import TextIO

_REDRAW_SECONDS = 0.1


class Progress:
    """Shows how far one task is on ``stream``, after ``title``.

    A terminal gets stage, percentage and time left on one line; anything else gets one line per stage.
    """

    def __init__(self, title: str, stream: TextIO):
        self._title, self._stream = title, stream
        self._live = stream.isatty()
        self._start = time.monotonic()
        self._drawn_at, self._width, self._stage = 0.0, 0, None

    def update(self, fraction: float, stage: str) -> None:
        """Take note that ``fraction`` (0 to 1) of the whole is done and ``stage`` is under way."""
        if not self._live:
            if stage != self._stage:
                print(f"{self._title}: {stage}", file=self._stream, flush=True)
            self._stage = stage
            return
        now = time.monotonic()
        if stage == self._stage and now - self._drawn_at < _REDRAW_SECONDS:
            return
        self._stage, self._drawn_at = stage, now
        state = f": {stage} {100 * fraction:3.0f} %{_time_left(now - self._start, fraction)}"
        # A line that wraps leaves its remains behind; the title's end tells cases apart better than its start.
        room = max(0, shutil.get_terminal_size().columns - 1 - len(state))
        title = self._title if len(self._title) <= room else self._title[len(self._title) - room :]
        self._draw(title + state)

    def clear(self) -> None:
        """Take the live line away, so that what is printed next starts on an empty one."""
        if self._live and self._width:
            self._draw("")
            self._stream.write("\r")
            self._stream.flush()

    def _draw(self, text: str) -> None:
        # Blanks overwrite the rest of the last line: consoles without escape sequences understand that too.
        self._stream.write("\r" + text.ljust(self._width))
        self._stream.flush()
        self._width = len(text)


def _time_left(elapsed: float, fraction: float) -> str:
    if fraction < 0.05 or elapsed < 1:
        return ""
    seconds = elapsed / fraction - elapsed
    return f", {seconds / 60:.0f} min left" if seconds >= 90 else f", {seconds:.0f} s left"
