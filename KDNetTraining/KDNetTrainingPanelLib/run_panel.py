"""The section of the run folder: which run is shown, how it stands, and what to do where there is one already."""

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from KDNetLib.errors import KDNetError
from KDNetSegmentationLib.styles import ERROR_STYLE, WARNING_STYLE
from KDNetTrainingPanelLib.path_row import PathRow
from KDNetTrainingPanelLib.run_folder_check import runFolderProblem
from KDNetTrainingPanelLib.run_process import holdsRun
from KDNetTrainingPanelLib.watched_run import WatchedRun

_LAST_RUN = "KDNetTraining/LastRunFolder"


class RunPanel:
    """``onChosen(folder)`` is called when the user chooses another run folder; ``run`` is the ``TrainingRun`` there, or None."""

    def __init__(self, ui, onChosen, logic):
        self._ui, self._onChosen, self._logic = ui, onChosen, logic
        self._path = PathRow(ui.runPathEdit, onChosen)
        self._folder = ""
        self._error = ""
        self.run = None

    def show(self, folder: str) -> None:
        """Show another run folder."""
        self._path.show(folder)
        self._folder = folder
        if not folder or not holdsRun(folder):
            self.run, self._error = None, ""
            return
        try:
            self.run, self._error = self._logic.run(folder, WatchedRun), ""
        except KDNetError as error:
            self.run, self._error = None, str(error)

    def remember(self) -> None:
        """Let the next start of Slicer find the run again."""
        slicer.app.settings().setValue(_LAST_RUN, self._folder)

    def remembered(self) -> str:
        """The folder of the run that was started last, "" where it is gone."""
        folder = slicer.app.settings().value(_LAST_RUN, "")
        return folder if folder and holdsRun(folder) else ""

    def stop(self) -> None:
        """Tell nothing any more."""
        self._path.stop()

    def refresh(self) -> None:
        """Look at the folder again; somebody else may have begun a run in it."""
        if self.run is None or not holdsRun(self._folder):
            self.show(self._folder)
        if self.run is not None:
            self.run.refresh()

    def problem(self, dataFolder: str) -> str:
        """Why no run can be written to the folder; "" if it can, or where it holds one."""
        return self._error or runFolderProblem(self._folder, dataFolder)

    def showStatus(self, problem: str) -> None:
        """Say how the run in the folder stands, or that there is a ``problem``."""
        label = self._ui.runStatusLabel
        if self.run is not None:
            text, style = self._stateText()
        elif problem:
            text, style = problem, ERROR_STYLE if self._folder else ""
        else:
            text, style = _("The training will be written to this folder."), ""
        label.text, label.styleSheet = text, style

    def ask(self, canResume: bool) -> str:
        """What to do with the run that lies in the folder: "resume", another folder's path, or "" for nothing."""
        box = qt.QMessageBox(slicer.util.mainWindow())
        box.windowTitle = _("KDNet")
        box.icon = qt.QMessageBox.Question
        box.text = _("{folder} holds a run already. It is never overwritten.").format(folder=self._folder)
        resume = box.addButton(_("Resume it"), qt.QMessageBox.AcceptRole) if canResume else None
        other = box.addButton(_("Choose another folder"), qt.QMessageBox.ActionRole)
        box.addButton(qt.QMessageBox.Cancel)
        box.exec_()
        pressed = box.clickedButton()
        if resume is not None and pressed == resume:
            return "resume"
        if pressed != other:
            return ""
        return qt.QFileDialog.getExistingDirectory(
            slicer.util.mainWindow(), _("Folder for the run"), str(Path(self._folder).parent)
        )

    def _stateText(self):
        run = self.run
        if run.starting:
            return _("The training process is starting."), ""
        if run.ending:
            return _("The training was asked to end; it is saving."), ""
        if run.problem:
            return _("{problem} Resume goes on from there.").format(problem=run.problem), ERROR_STYLE
        state = run.state
        percent = round(100 * state.fraction)
        return {
            "running": (_("A training runs in this folder ({percent} % done).").format(percent=percent), ""),
            "stopped": (_("This folder holds a paused run ({percent} % done). Resume goes on with it.").format(percent=percent), WARNING_STYLE),
            "finished": (_("This folder holds a finished run; its results are below. Choose another folder for a new one."), ""),
            "not started": (_("This folder holds a run that has not begun. Resume begins it."), WARNING_STYLE),
            "reading": (_("What the run in this folder has done is being read."), ""),
        }[state.state]
