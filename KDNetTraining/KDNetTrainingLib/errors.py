"""The failures of a training; what is not particular to training is in ``KDNetLib.errors``."""

from KDNetLib.errors import Cancelled, KDNetError


class TrainingError(KDNetError):
    """The training cannot go on: no finite loss, no memory, no disk. What was saved before is intact."""


class Stopped(Cancelled):
    """The training was asked to stop; it finished its step, saved, and can be resumed."""
