"""How Slicer runs the engine: the interpreter, its environment, and a process whose lines are read as they come."""

import collections
import os
import shutil
from pathlib import Path

import qt
from slicer.i18n import tr as _

from KDNetLib.errors import DependencyError


def interpreter() -> str:
    """Path of PythonSlicer. Raises :class:`DependencyError` where it is missing."""
    executable = shutil.which("PythonSlicer")
    if executable is None:
        raise DependencyError(
            _("PythonSlicer, the Python interpreter that comes with Slicer, was not found; reinstall Slicer.")
        )
    return executable


def folderOf(package) -> str:
    """The folder that holds an imported ``package``."""
    return str(Path(package.__file__).resolve().parents[1])


def environmentFor(*packages) -> dict[str, str]:
    """The environment in which an interpreter finds ``packages``, and whatever it finds now."""
    searchPath = [*dict.fromkeys(map(folderOf, packages)), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(searchPath)}


class EngineProcess:
    """``PythonSlicer -m MODULE ARGUMENTS``, which must end when its standard input does.

    ``onLine(text)`` gets every line of its output, ``onErrorLine(text)`` those of standard error that are not blank.
    ``onEnd(exitCode)`` is called once at the end, with None where it could not be started. A stopped process calls
    none of them any more. ``errorLines`` are the last lines of standard error, also after the end.
    """

    def __init__(self, onLine, onEnd, onErrorLine=lambda text: None):
        self._onLine, self._onEnd, self._onErrorLine = onLine, onEnd, onErrorLine
        self._process = None
        self._retired = None
        self._unread = b""
        self.errorLines = collections.deque(maxlen=20)

    @property
    def running(self) -> bool:
        """Whether it exists; it may only be starting."""
        return self._process is not None

    def start(self, module: str, arguments, *packages) -> None:
        """Start it in the folder of the first of ``packages``, which it can import. It must not run already.

        Raises :class:`DependencyError` without PythonSlicer. A failed start may report its end from within.
        """
        executable = interpreter()
        environment = qt.QProcessEnvironment.systemEnvironment()
        environment.insert("PYTHONPATH", environmentFor(*packages)["PYTHONPATH"])
        self._unread = b""
        self.errorLines.clear()
        process = qt.QProcess()
        process.setProcessEnvironment(environment)
        # Python puts the working folder first on its path, so it must not be one that holds foreign files.
        process.setWorkingDirectory(folderOf(packages[0]))
        process.connect("readyReadStandardOutput()", self._onStandardOutput)
        process.connect("readyReadStandardError()", self._onStandardError)
        process.connect("finished(int,QProcess::ExitStatus)", self._onFinished)
        process.connect("errorOccurred(QProcess::ProcessError)", self._onErrorOccurred)
        self._process = process
        process.start(executable, ["-m", module, *map(str, arguments)])

    def write(self, line: str) -> None:
        """Write an ASCII ``line`` to its standard input."""
        self._process.write((line + "\n").encode("ascii"))

    def wait(self, milliseconds: int) -> None:
        """Wait for something to read, at most ``milliseconds``. Lines are delivered from within."""
        if self.running:
            self._process.waitForReadyRead(milliseconds)

    def stop(self) -> None:
        """End it at once, also in mid-computation."""
        if not self.running:
            return
        process = self._retire()
        process.blockSignals(True)
        # PythonSlicer is a launcher: killing it alone would leave the interpreter it started alive. That one ends at
        # end-of-file on its standard input.
        process.closeWriteChannel()
        process.kill()
        process.waitForFinished(1000)

    def _onStandardOutput(self):
        if not self.running:
            return
        *lines, self._unread = (self._unread + self._process.readAllStandardOutput().data()).split(b"\n")
        for line in lines:
            if self.running:  # the line before may have led to its being stopped
                self._onLine(line.decode("utf-8", errors="replace").strip())

    def _onStandardError(self):
        if not self.running:
            return
        text = self._process.readAllStandardError().data().decode("utf-8", errors="replace")
        for line in filter(str.strip, text.splitlines()):
            self.errorLines.append(line.rstrip())
            self._onErrorLine(line.rstrip())

    def _onFinished(self, exitCode, exitStatus):
        self._onStandardOutput()
        self._onStandardError()
        if self.running:  # what it wrote last may have led to its being stopped
            self._retire()
            self._onEnd(exitCode)

    def _onErrorOccurred(self, error):
        # Every other error is followed by finished().
        if error == qt.QProcess.FailedToStart and self.running:
            self._retire()
            self._onEnd(None)

    def _retire(self):
        # It may be in the middle of its own signal, so it must outlive this: destroying it there corrupts memory.
        self._retired, self._process = self._process, None
        return self._retired
