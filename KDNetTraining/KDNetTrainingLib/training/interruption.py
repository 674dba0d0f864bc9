"""Ending a training early without losing anything: Ctrl-C, SIGTERM, a closed terminal, and ``kdnet stop``."""

import signal
import threading
from contextlib import contextmanager

from KDNetTrainingLib.run.run_folder import RunFolder


class Interruption:
    """Whether the training should end after the step, or the epoch, that it is in."""

    def __init__(self, run: RunFolder):
        self._run = run
        self._signal: str | None = None

    @property
    def reason(self) -> str | None:
        """What asked for the end after the step (a signal's name, or "on request": ``kdnet stop``, the panel's Pause), or None."""
        return self._signal or ("on request" if self._run.stop_requested else None)

    @property
    def reason_after_epoch(self) -> str | None:
        """What asked for the end after the epoch, or after the step, or None."""
        return self.reason or ("on request" if self._run.stop_after_epoch_requested else None)

    def _on_signal(self, number, frame) -> None:
        if self._signal:  # whoever presses Ctrl-C twice does not want to wait for the step
            raise KeyboardInterrupt
        self._signal = signal.Signals(number).name


@contextmanager
def interruption(run: RunFolder):
    """Listen to SIGINT, SIGTERM and SIGHUP (in the main thread, where alone Python allows it) while in the context.

    A SIGHUP that is ignored, as under ``nohup``, stays ignored.
    """
    listener = Interruption(run)
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    before = {number: signal.signal(number, listener._on_signal) for number in numbers}
    try:
        yield listener
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
