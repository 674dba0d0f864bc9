"""Short tasks of the training engine, in a process of their own, that answer in JSON lines."""

import json

from slicer.i18n import tr as _

import KDNetLib
import KDNetTrainingLib
from KDNetSegmentationLib.engine_process import EngineProcess

#: What the process must be able to import, the package whose folder it works in first.
PACKAGES = (KDNetTrainingLib, KDNetLib)
#: Exit code of a process whose last line on standard error is a sentence for the user.
_EXIT_TOLD = 2


class EngineTask:
    """``PythonSlicer -m MODULE ARGUMENTS``, which prints JSON objects, one a line, and ends when its input closes.

    ``onAnswer(answer)`` gets each object, ``onFinished(problem)`` is called once at the end with "" or a sentence. A
    stopped task calls neither any more.
    """

    def __init__(self, onAnswer, onFinished):
        self._onAnswer, self._onFinished = onAnswer, onFinished
        self._process = EngineProcess(self._onLine, self._onEnd)

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return self._process.running

    def start(self, module: str, arguments) -> None:
        """Start it, ending the one before. Raises :class:`DependencyError` without PythonSlicer."""
        self.stop()
        self._process.start(module, arguments, *PACKAGES)

    def stop(self) -> None:
        """End it at once."""
        self._process.stop()

    def _onLine(self, text):
        try:
            answer = json.loads(text)
        except ValueError:
            return  # what a library printed
        if isinstance(answer, dict):
            self._onAnswer(answer)

    def _onEnd(self, exitCode):
        lines = self._process.errorLines
        last = lines[-1].strip() if lines else _("exit code {code}").format(code=exitCode)
        if exitCode is None:
            self._onFinished(_("The process could not be started; reinstall Slicer or its Python environment."))
        elif exitCode == 0:
            self._onFinished("")
        elif exitCode == _EXIT_TOLD and lines:
            self._onFinished(last)
        else:
            self._onFinished(_("The process ended unexpectedly ({reason}).").format(reason=last))
