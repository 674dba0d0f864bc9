"""Progress that can be taken back."""

from collections.abc import Callable


class Tracker:
    """Passes shares of the work on to ``step`` and can take back what a failed attempt reported, so that the sum stays 1."""

    def __init__(self, step: Callable[[float], None]):
        self._step, self._done = step, 0.0

    def __call__(self, share: float) -> None:
        self._done += share
        self._step(share)

    def undo(self) -> None:
        """Take back all shares so far."""
        self._step(-self._done)
        self._done = 0.0
