"""The process that computes, kept warm between requests and ended at once on request."""

import json

from slicer.i18n import tr as _

import KDNetLib
from KDNetLib.errors import KDNetError
from KDNetSegmentationLib.engine_process import EngineProcess


class WorkerProcess:
    """Talks to ``PythonSlicer -m KDNetLib.worker``: one JSON object per line in each direction.

    It starts with the first request and stays for the next. One request at a time. ``onLog(text)``, which may be
    changed, gets what the process writes that is no event.
    """

    def __init__(self, onLog):
        self.onLog = onLog
        self._process = EngineProcess(self._onLine, self._onEnd, onErrorLine=lambda text: self.onLog(text))
        self._requestId = 0
        self._onEvent = None

    @property
    def running(self) -> bool:
        """Whether the process exists; it may be starting or waiting for a request."""
        return self._process.running

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return self._onEvent is not None

    def send(self, request: dict, onEvent) -> None:
        """Start a request; ``onEvent(event)`` gets its events, the last of which is a "result" or an "error".

        Raises :class:`KDNetError` while another request is under way, :class:`DependencyError` without PythonSlicer.
        """
        if self.busy:
            raise KDNetError(_("KDNet is computing already; wait until it has finished or cancel it."))
        self._requestId += 1
        self._onEvent = onEvent
        if not self.running:
            try:
                self._process.start("KDNetLib.worker", [], KDNetLib)
            except KDNetError:
                self._onEvent = None
                raise
        if self.running:  # a failed start has reported itself as an event
            self._process.write(json.dumps({**request, "id": self._requestId}))

    def wait(self, milliseconds: int) -> None:
        """Wait for something to read, at most ``milliseconds``. Events are delivered from within."""
        self._process.wait(milliseconds)

    def stop(self) -> None:
        """End the process at once, also in mid-computation. The request under way gets no more events."""
        self._onEvent = None
        self._process.stop()

    def stopIdle(self) -> None:
        """End the process where no request is under way."""
        if not self.busy:
            self.stop()

    def _onLine(self, text):
        try:
            event = json.loads(text)
            name = event["event"]
        except (ValueError, TypeError, KeyError):
            if text:
                self.onLog(text)
            return
        if event.get("id") == self._requestId and self.busy:
            onEvent = self._onEvent
            if name in ("result", "error"):
                self._onEvent = None
            onEvent(event)

    def _onEnd(self, exitCode):
        if exitCode is None:
            message = _("The process that computes could not be started; reinstall Slicer or its Python environment.")
        else:
            message = _(
                "The process that computes ended unexpectedly (exit code {code}); its last lines are in the log."
            ).format(code=exitCode)
        onEvent, self._onEvent = self._onEvent, None
        if onEvent is not None:
            details = "\n".join(self._process.errorLines)
            onEvent({"event": "error", "kind": "Crash", "message": message, "details": details})
