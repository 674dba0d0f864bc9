"""How Slicer runs the engine: the interpreter and its environment, and short tasks that answer in JSON lines."""

import collections
import json
import os
import shutil
from pathlib import Path

import qt
from slicer.i18n import tr as _

import KDNetLib
import KDNetTrainingLib
from KDNetLib.errors import DependencyError

#: Exit code of a process whose last line on standard error is a sentence for the user.
_EXIT_TOLD = 2


def interpreter() -> str:
    """Path of PythonSlicer. Raises :class:`DependencyError` where it is missing."""
    executable = shutil.which("PythonSlicer")
    if executable is None:
        raise DependencyError(
            _("PythonSlicer, the Python interpreter that comes with Slicer, was not found; reinstall Slicer.")
        )
    return executable


def engineFolder() -> str:
    """The folder that holds the engine's package; to work in, since Python puts the working folder on its path."""
    return str(Path(KDNetTrainingLib.__file__).resolve().parents[1])


def engineEnvironment() -> dict[str, str]:
    """The environment in which an interpreter finds the engine."""
    folders = dict.fromkeys([engineFolder(), str(Path(KDNetLib.__file__).resolve().parents[1])])
    searchPath = [*folders, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(searchPath)}


class EngineTask:
    """``PythonSlicer -m MODULE ARGUMENTS``, which prints JSON objects, one a line, and ends when its input closes.

    ``onAnswer(answer)`` gets each object, ``onFinished(problem)`` is called once at the end with "" or a sentence. A
    stopped task calls neither any more.
    """

    def __init__(self, onAnswer, onFinished):
        self._onAnswer, self._onFinished = onAnswer, onFinished
        self._process = None
        self._retired = None
        self._unread = b""
        self._errorLines = collections.deque(maxlen=20)

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return self._process is not None

    def start(self, module: str, arguments) -> None:
        """Start it, ending the one before. Raises :class:`DependencyError` without PythonSlicer."""
        self.stop()
        executable = interpreter()
        environment = qt.QProcessEnvironment.systemEnvironment()
        environment.insert("PYTHONPATH", engineEnvironment()["PYTHONPATH"])
        self._unread = b""
        self._errorLines.clear()
        process = qt.QProcess()
        process.setProcessEnvironment(environment)
        process.setWorkingDirectory(engineFolder())
        process.connect("readyReadStandardOutput()", self._onStandardOutput)
        process.connect("readyReadStandardError()", self._onStandardError)
        process.connect("finished(int,QProcess::ExitStatus)", self._onProcessFinished)
        process.connect("errorOccurred(QProcess::ProcessError)", self._onErrorOccurred)
        self._process = process
        process.start(executable, ["-m", module, *map(str, arguments)])

    def stop(self) -> None:
        """End it at once."""
        if not self.running:
            return
        process = self._retire()
        process.blockSignals(True)
        # PythonSlicer is a launcher: killing it alone would leave the interpreter it started alive.
        process.closeWriteChannel()
        process.kill()
        process.waitForFinished(1000)

    def _onStandardOutput(self):
        if not self.running:
            return
        *lines, self._unread = (self._unread + self._process.readAllStandardOutput().data()).split(b"\n")
        for line in lines:
            try:
                answer = json.loads(line)
            except ValueError:
                continue  # what a library printed
            if isinstance(answer, dict):
                self._onAnswer(answer)

    def _onStandardError(self):
        if self.running:
            text = self._process.readAllStandardError().data().decode("utf-8", errors="replace")
            self._errorLines.extend(line.strip() for line in text.splitlines() if line.strip())

    def _onProcessFinished(self, exitCode, exitStatus):
        self._onStandardOutput()
        self._onStandardError()
        if not self.running:  # an answer has led to its being stopped
            return
        self._retire()
        last = self._errorLines[-1] if self._errorLines else _("exit code {code}").format(code=exitCode)
        if exitCode == 0:
            self._onFinished("")
        elif exitCode == _EXIT_TOLD and self._errorLines:
            self._onFinished(last)
        else:
            self._onFinished(_("The process ended unexpectedly ({reason}).").format(reason=last))

    def _onErrorOccurred(self, error):
        # Every other error is followed by finished().
        if error == qt.QProcess.FailedToStart and self.running:
            self._retire()
            self._onFinished(_("The process could not be started; reinstall Slicer or its Python environment."))

    def _retire(self):
        # It may be in the middle of its own signal, so it must outlive this: destroying it there corrupts memory.
        self._retired, self._process = self._process, None
        return self._retired
