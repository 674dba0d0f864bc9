"""A request to the worker process, from the files it exchanges to its end."""

import abc
import shutil
import tempfile
import traceback
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from KDNetLib import errors


def _ignore(*arguments):
    """Stands for a callback that nobody asked for."""


class WorkerJob(abc.ABC):
    """One request. Subclasses say what to ask (:meth:`request`) and what to make of the answer (:meth:`collect`).

    ``onProgress(fraction, stage)`` gets 0 to 1 and a text, ``onMessage(text)`` what the log should hold,
    ``onFinished(job)`` is called once, when ``result`` or ``error`` (a :class:`KDNetError`) is set. Files are exchanged
    in a folder of the job's own, which is gone when it has finished.
    """

    def __init__(self, worker, onProgress=None, onMessage=None, onFinished=None):
        self._worker = worker
        self._onProgress = onProgress or _ignore
        self._onMessage = onMessage or _ignore
        self._onFinished = onFinished or _ignore
        self._folder = None
        self.finished = False
        self.result = None
        self.error = None

    @abc.abstractmethod
    def request(self, folder: Path) -> dict:
        """The request to send; its files belong in ``folder``. Raises :class:`KDNetError` for bad input."""

    @abc.abstractmethod
    def collect(self, event: dict):
        """The result, from the worker's "result" event."""

    def start(self) -> None:
        """Send the request. What is wrong with the input is raised from here, before anything has begun."""
        self._folder = Path(tempfile.mkdtemp(prefix="KDNet-", dir=slicer.app.temporaryPath))
        try:
            self._worker.send(self.request(self._folder), self._onEvent)
        except BaseException:
            self._removeFolder()
            raise

    def wait(self) -> None:
        """Block until it has finished, while the application stays alive."""
        while not self.finished:
            self._worker.wait(20)
            slicer.app.processEvents()

    def cancel(self, message: str) -> None:
        """End the computation now; ``error`` becomes :class:`Cancelled` with ``message``."""
        if not self.finished:
            self._worker.stop()
            self._finish(error=errors.Cancelled(message))

    def _onEvent(self, event):
        name = event["event"]
        if name == "progress":
            self._onProgress(event["fraction"], event["stage"])
        elif name == "message":
            self._onMessage(event["text"])
        elif name == "result":
            self._onResult(event)
        elif name == "error":
            if event.get("details"):
                self._onMessage(event["details"])
            kind = getattr(errors, event.get("kind", ""), errors.KDNetError)
            self._finish(error=kind(event["message"]))

    def _onResult(self, event):
        try:
            result = self.collect(event)
        except errors.KDNetError as error:
            self._finish(error=error)
        except Exception as error:
            # An exception in a slot would only be printed, and the panel would wait for ever.
            self._onMessage(traceback.format_exc())
            self._finish(
                error=errors.KDNetError(
                    _("The result could not be put into the scene ({reason}); the log has the details.").format(
                        reason=error
                    )
                )
            )
        else:
            self._finish(result=result)

    def _finish(self, result=None, error=None):
        self.result, self.error, self.finished = result, error, True
        self._removeFolder()
        self._onFinished(self)

    def _removeFolder(self):
        shutil.rmtree(self._folder, ignore_errors=True)
