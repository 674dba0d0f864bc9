"""The process that computes, kept warm between requests and ended at once on request."""

import collections
import json
import os
import shutil
from pathlib import Path

import qt
from slicer.i18n import tr as _

import KDNetLib
from KDNetLib.errors import DependencyError, KDNetError


class WorkerProcess:
    """Talks to ``PythonSlicer -m KDNetLib.worker``: one JSON object per line in each direction.

    It starts with the first request and stays for the next. One request at a time. ``onLog(text)`` gets what the
    process writes that is no event.
    """

    def __init__(self, onLog):
        self._onLog = onLog
        self._process = None
        self._retired = None
        self._requestId = 0
        self._onEvent = None
        self._unread = b""
        self._lastErrorLines = collections.deque(maxlen=20)

    @property
    def running(self) -> bool:
        """Whether the process exists; it may be starting or waiting for a request."""
        return self._process is not None

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
                self._start()
            except KDNetError:
                self._onEvent = None
                raise
        if self.running:  # a failed start has reported itself as an event
            self._process.write((json.dumps({**request, "id": self._requestId}) + "\n").encode("ascii"))

    def wait(self, milliseconds: int) -> None:
        """Wait for something to read, at most ``milliseconds``. Events are delivered from within."""
        if self.running:
            self._process.waitForReadyRead(milliseconds)

    def stop(self) -> None:
        """End the process at once, also in mid-computation. The request under way gets no more events."""
        self._onEvent = None
        if not self.running:
            return
        process = self._retire()
        process.blockSignals(True)
        # PythonSlicer is a launcher: killing it alone would leave the interpreter it started alive. That one ends at
        # end-of-file on its standard input.
        process.closeWriteChannel()
        process.kill()
        process.waitForFinished(1000)

    def _start(self):
        executable = shutil.which("PythonSlicer")
        if executable is None:
            raise DependencyError(
                _("PythonSlicer, the Python interpreter that comes with Slicer, was not found; reinstall Slicer.")
            )
        folder = str(Path(KDNetLib.__file__).resolve().parents[1])
        environment = qt.QProcessEnvironment.systemEnvironment()
        searchPath = [folder, environment.value("PYTHONPATH")]
        environment.insert("PYTHONPATH", os.pathsep.join(entry for entry in searchPath if entry))
        self._unread = b""
        self._lastErrorLines.clear()
        process = qt.QProcess()
        process.setProcessEnvironment(environment)
        # Python puts the working folder first on its path, so it must not be one that holds foreign files.
        process.setWorkingDirectory(folder)
        process.connect("readyReadStandardOutput()", self._onStandardOutput)
        process.connect("readyReadStandardError()", self._onStandardError)
        process.connect("finished(int,QProcess::ExitStatus)", self._onFinished)
        process.connect("errorOccurred(QProcess::ProcessError)", self._onErrorOccurred)
        self._process = process
        process.start(executable, ["-m", "KDNetLib.worker"])

    def _onStandardOutput(self):
        if not self.running:
            return
        *lines, self._unread = (self._unread + self._process.readAllStandardOutput().data()).split(b"\n")
        for line in lines:
            text = line.decode("utf-8", errors="replace").strip()
            try:
                event = json.loads(text)
                name = event["event"]
            except (ValueError, TypeError, KeyError):
                if text:
                    self._onLog(text)
                continue
            if event.get("id") == self._requestId and self.busy:
                onEvent = self._onEvent
                if name in ("result", "error"):
                    self._onEvent = None
                onEvent(event)

    def _onStandardError(self):
        if not self.running:
            return
        text = self._process.readAllStandardError().data().decode("utf-8", errors="replace")
        for line in text.splitlines():
            if line.strip():
                self._lastErrorLines.append(line.rstrip())
                self._onLog(line.rstrip())

    def _onFinished(self, exitCode, exitStatus):
        self._onStandardOutput()
        self._onStandardError()
        self._retire()
        self._fail(
            _("The process that computes ended unexpectedly (exit code {code}); its last lines are in the log.").format(
                code=exitCode
            )
        )

    def _onErrorOccurred(self, error):
        # Every other error is followed by finished().
        if error == qt.QProcess.FailedToStart:
            self._retire()
            self._fail(_("The process that computes could not be started; reinstall Slicer or its Python environment."))

    def _retire(self):
        # It may be in the middle of its own signal, so it must outlive this: destroying it there corrupts memory.
        self._retired, self._process = self._process, None
        return self._retired

    def _fail(self, message):
        onEvent, self._onEvent = self._onEvent, None
        if onEvent is not None:
            onEvent({"event": "error", "kind": "Crash", "message": message, "details": "\n".join(self._lastErrorLines)})
