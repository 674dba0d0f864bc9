"""The use section of the panel: the new student as a model, as a file, its report, and beside another run."""

import shutil
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from KDNetLib.atomic_file import replacing
from KDNetLib.errors import KDNetError
from KDNetLib.manifest import read_manifest
from KDNetSegmentationLib.controls import disableControls
from KDNetSegmentationLib.logic import KDNetSegmentationLogic
from KDNetSegmentationLib.model_import import importModel
from KDNetSegmentationLib.styles import ERROR_STYLE
from KDNetTrainingPanelLib.progress_panel import UI_FOLDER
from KDNetTrainingPanelLib.watched_run import WatchedRun


class UsePanel:
    """Fills ``parentWidget``. Call :meth:`show` after every refresh of the run. Other runs are compared in ``progressPanel``."""

    def __init__(self, parentWidget, progressPanel):
        uiWidget = slicer.util.loadUI(str(UI_FOLDER / "KDNetTrainingUse.ui"))
        layout = qt.QVBoxLayout(parentWidget)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        self._progressPanel = progressPanel
        self._run = self._other = None
        self._files = []
        self._picked = ""
        self.ui.modelFileComboBox.connect("activated(int)", self._pick)
        self._toolTips = {}
        for button, action in (
            (self.ui.useButton, self._use), (self.ui.exportButton, self._export), (self.ui.reportButton, self._openReport),
            (self.ui.compareButton, self._compare),
        ):
            button.connect("clicked(bool)", lambda checked=False, action=action: self._try(action))
        self._showStatus("")
        self.show(None)

    def show(self, run) -> None:
        """Offer what can be done with a ``WatchedRun`` as it is now, or nothing for None."""
        if run is not self._run:
            self._run = run
            self._files, self._picked = None, ""  # files of the same names in another run are other files
            self._setOther(None)
            self._showStatus("")
        if self._other is not None and (self._other.behind or self._other.state == "running"):
            self._other.refresh()
            self._progressPanel.compareWith(self._other)
        self._listFiles([name for name in run.exportedFiles if self._path(name).exists()] if run else [])
        disableControls(self.ui, disabledReasons(run, bool(self._files)), self._toolTips)

    def _path(self, name):
        return self._run.folder / "models" / name

    def _chosen(self):
        return self._path(self.ui.modelFileComboBox.currentText)

    def _listFiles(self, files):
        if files == self._files:
            return
        self._files = files
        comboBox = self.ui.modelFileComboBox
        comboBox.clear()
        for name in files:
            comboBox.addItem(name)
        students = [name for name in files if _isStudent(self._path(name))]
        if files:
            comboBox.currentIndex = files.index(self._picked if self._picked in files else (students or files)[-1])

    def _pick(self, index):
        self._picked = self.ui.modelFileComboBox.currentText

    def _use(self):
        modalities = read_manifest(self._chosen()).modalities
        if len(modalities) > 1:
            raise KDNetError(
                _("This is a teacher, which needs {modalities}; choose a student. A teacher can be given to another training.").format(
                    modalities=", ".join(modalities)
                )
            )
        name = importModel(self._chosen())
        if not hasattr(slicer.modules, "kdnetsegmentation"):
            return _("The model {name} is added; the module KDNet Segmentation is switched off in Slicer's settings.").format(name=name)
        KDNetSegmentationLogic().getParameterNode().model = name
        slicer.util.selectModule("KDNetSegmentation")
        return _("The model {name} is chosen in the module KDNet Segmentation.").format(name=name)

    def _export(self):
        source = self._chosen()
        path = qt.QFileDialog.getSaveFileName(
            slicer.util.mainWindow(), _("Export the model"), str(Path.home() / source.name), _("KDNet models (*.safetensors)")
        )
        if not path:
            return ""
        target = Path(path)
        try:
            with replacing(target) as partial:
                shutil.copyfile(source, partial)
        except OSError as error:
            raise KDNetError(
                _("The model could not be written to {path} ({reason}); choose another folder.").format(path=path, reason=error.strerror)
            ) from error
        return _("The model file is written to {path}.").format(path=path)

    def _openReport(self):
        path = _report(self._run)
        if not qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(path))):
            raise KDNetError(_("No program opens {path}; open it with a web browser.").format(path=path))
        return ""

    def _compare(self):
        if self._other is not None:
            self._setOther(None)
            return ""
        self.ui.compareButton.checked = False
        folder = qt.QFileDialog.getExistingDirectory(
            slicer.util.mainWindow(), _("Folder of another run"), str(self._run.folder.parent)
        )
        if not folder:
            return ""
        if Path(folder).resolve() == self._run.folder.resolve():
            raise KDNetError(_("This is the run that is shown; choose the folder of another one."))
        self._setOther(WatchedRun.read(folder))
        return _("{folder} is beside this run: dashed in the Dice chart, and below each training in the table.").format(folder=folder)

    def _setOther(self, other):
        self._other = other
        self.ui.compareButton.checked = other is not None
        self._progressPanel.compareWith(other)

    def _try(self, action):
        try:
            self._showStatus(action())
        except KDNetError as error:
            self._showStatus(str(error), ERROR_STYLE)

    def _showStatus(self, text, style=""):
        self.ui.useStatusLabel.text, self.ui.useStatusLabel.styleSheet = text, style
        self.ui.useStatusLabel.visible = bool(text)


def disabledReasons(run, hasFiles: bool) -> dict[str, str]:
    """Control name -> why it is disabled, "" where it is not."""
    noRun = "" if run else _("There is no run; start one, or choose the folder of an earlier run.")
    noFile = "" if hasFiles else _("The run has written no model file yet; it does when its student is trained.")
    noReport = "" if run and _report(run).exists() else _("The report is not there yet; it is written as soon as the cases are prepared, and anew after every training.")
    return {
        "modelFileComboBox": noRun or noFile,
        "useButton": noRun or noFile,
        "exportButton": noRun or noFile,
        "reportButton": noRun or noReport,
        "compareButton": noRun,
    }


def _isStudent(path):
    try:
        return len(read_manifest(path).modalities) == 1
    except KDNetError:
        return False  # a damaged file; whoever uses it is told


def _report(run):
    return run.folder / "report.html"
