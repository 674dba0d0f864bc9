"""The failures a user may meet. Each message is one sentence: what was wrong, where, and what to do."""


class KDNetError(Exception):
    """Base of every failure meant for a user's eyes; ``str(error)`` is the sentence to show."""


class InputError(KDNetError):
    """The image, the label map or the folder cannot be used."""


class ModelError(KDNetError):
    """The model file is truncated, altered, foreign, too new or hostile, or no such model exists."""


class DependencyError(KDNetError):
    """A package or a program that the task needs is missing or broken."""


class DeviceError(KDNetError):
    """The named device does not exist here, or no device has the memory the task needs."""


class Cancelled(KDNetError):
    """The user asked the work to stop. Nothing was written."""
