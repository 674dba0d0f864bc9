"""A run: what its folder tells of it, and the process that carries it out where this Slicer has started it."""

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from KDNetLib.errors import InputError, KDNetError
from KDNetSegmentationLib.engine_process import environmentFor, folderOf, interpreter
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.run.status import RunState
from KDNetTrainingPanelLib.engine_task import PACKAGES

#: How often a run is looked at while it is waited for.
_LOOK_SECONDS = 0.5
#: How long Slicer's end waits for a training to save; one that needs longer goes on for at most 30 s by itself.
_LAST_WAIT_SECONDS = 3.0
#: Exit code of a process that was asked to stop.
_EXIT_STOPPED = 130


def holdsRun(folder) -> bool:
    """Whether ``folder`` is that of a run."""
    return (Path(folder) / "run.json").is_file()


class TrainingRun:
    """The run in ``folder``; ``state`` is its ``RunState`` (or the given kind of it) as of the last :meth:`refresh`.

    It makes no difference who started it: it is found by its folder, which is also all that it is steered through.
    """

    def __init__(self, folder, stateKind=RunState):
        self.folder = Path(folder)
        self.state = stateKind(self.folder)
        self._process = None
        self._stopWanted = None
        self._unexpectedEnd = ""
        self.refresh()

    @property
    def own(self) -> bool:
        """Whether this object has started the process that works in the folder now."""
        return self._process is not None

    @property
    def running(self) -> bool:
        """Whether a process works in the folder, or is about to."""
        told = self.state.state
        return self.own or told == "running" or (told == "reading" and self.state.holder is not None)

    @property
    def starting(self) -> bool:
        """Whether the process does not work yet."""
        return self.own and self.state.state != "running"

    @property
    def ending(self) -> bool:
        """Whether it was asked to end and has not yet."""
        return self.running and (self._stopWanted is not None or (self.folder / "stop").exists())

    @property
    def problem(self) -> str:
        """Why the last process ended, where it neither finished nor was asked to; "" else."""
        if self.running:
            return ""
        if self.state.state == "failed":
            return self.state.message
        if self.state.state == "killed" and not self._unexpectedEnd:
            return _("The training process was killed or crashed; its last checkpoint is intact.")
        return self._unexpectedEnd

    def start(self, device: str = "auto", data=None, goOn: bool = False) -> None:
        """Start a process that carries the recorded plan out, or goes on with it.

        ``data``: where the cases lie now, if not where they did. ``goOn``: also when Slicer closes.
        Raises :class:`KDNetError` where one works there already, or without PythonSlicer.
        """
        self.refresh()
        if self.running:
            raise KDNetError(_("A training runs in {folder} already.").format(folder=self.folder))
        RunFolder(self.folder).clear_stop()
        command = [interpreter(), "-m", "KDNetTrainingLib", str(self.folder), "--device", device]
        command += ["--data", str(data)] if data else []
        command += [] if goOn else ["--attached"]
        # subprocess and not QProcess: a detached QProcess takes an environment only by a call that PythonQt cannot make.
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL if goOn else subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,  # holds a line or none: the process sends its output to process.log
                cwd=folderOf(PACKAGES[0]),
                env=environmentFor(*PACKAGES),
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise KDNetError(
                _("The training process could not be started ({reason}); reinstall Slicer.").format(reason=error.strerror)
            ) from error
        self._stopWanted, self._unexpectedEnd = None, ""

    def refresh(self) -> None:
        """Take in what happened since the last time; cheap enough for twice a second."""
        exitCode = self._process.poll() if self.own else None
        self.state.refresh()
        if exitCode is not None:
            error = self._process.stderr.read().decode("utf-8", errors="replace").strip()
            self._close()
            if exitCode not in (0, _EXIT_STOPPED) and self.state.state != "failed":  # it could not tell the folder
                self._unexpectedEnd = _(
                    "The training process ended unexpectedly ({reason}); what it wrote is in process.log of the run folder."
                ).format(
                    reason=error.splitlines()[-1] if error else _("exit code {code}").format(code=exitCode)
                )
        if self._stopWanted is not None and self.state.state == "running":
            # A process that begins takes back what was asked of an earlier one, so it is asked when it works.
            RunFolder(self.folder).request_stop(**self._stopWanted)
            self._stopWanted = None

    def pause(self, afterEpoch: bool = False) -> None:
        """Ask the process to save and end after its step, or after its epoch.

        Raises :class:`KDNetError` where the folder cannot be written to.
        """
        self._stopWanted = {"after_epoch": True} if afterEpoch else {}
        self.refresh()

    def end(self) -> None:
        """End the process that this object has started, at once."""
        if not self.own:
            return
        # PythonSlicer is a launcher: killing it alone would leave the interpreter it started alive.
        self.state.refresh()
        holder = self.state.holder
        if holder is not None and holder.host == socket.gethostname():
            with suppress(OSError):  # it may have ended meanwhile
                os.kill(holder.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        self._closeInput()
        self._process.kill()
        self._process.wait()
        self._close()
        deadline = time.monotonic() + _LAST_WAIT_SECONDS
        self.state.refresh()
        while holder is not None and self.state.holder == holder and time.monotonic() < deadline:
            time.sleep(0.02)  # the system needs a moment to take a large process away
            self.state.refresh()

    def wait(self, progress=None) -> RunState:
        """Block until no process works in the folder, while the application stays alive; returns the state then.

        ``progress(state)`` is called twice a second. Raises :class:`KDNetError` where the run failed.
        """
        looked = 0.0
        while self.running:
            slicer.app.processEvents()
            time.sleep(0.02)
            if time.monotonic() - looked >= _LOOK_SECONDS:
                looked = time.monotonic()
                self.refresh()
                if progress is not None:
                    progress(self.state)
        if self.problem:
            raise KDNetError(self.problem)
        return self.state

    def letGo(self) -> None:
        """Slicer closes: what was not started to go on is asked to save and end, and ends by itself if that takes long."""
        if not self.own:
            return
        attached = self._process.stdin is not None
        self._closeInput()
        if attached:
            try:
                self._process.wait(_LAST_WAIT_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        self._close()

    def _closeInput(self):
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _close(self):
        self._closeInput()
        self._process.stderr.close()
        self._process = None
        self._stopWanted = None


def openRun(folder, stateKind=RunState) -> TrainingRun:
    """The run in ``folder``. Raises :class:`InputError` where there is none."""
    if not holdsRun(folder):
        raise InputError(_("{folder} holds no run; choose the folder that a training wrote to.").format(folder=folder))
    return TrainingRun(folder, stateKind)
