"""The data section of the panel: choose a folder, see what it holds, look at a case."""

import qt
from slicer.i18n import tr as _

from KDNetLib.errors import KDNetError
from KDNetSegmentationLib.styles import ERROR_STYLE, PROBLEM_COLOUR
from KDNetTrainingPanelLib.case_preview import previewProblem, showCase
from KDNetTrainingPanelLib.data_check import DataCheck
from KDNetTrainingPanelLib.path_row import PathRow


class DataPanel:
    """``onChosen(folder)`` is called when the user chooses another folder, ``onChecked()`` when it has been looked into."""

    def __init__(self, ui, onChosen, onChecked):
        self._ui, self._onChecked = ui, onChecked
        self._path = PathRow(ui.dataPathEdit, onChosen)
        self._check = DataCheck(self._onProgress, self._onFinished)
        self._folder = None
        #: What was found (``FoundData``), or None.
        self.found = None
        self._problem = ""
        ui.dataProgressBar.visible = False
        ui.casesTable.setColumnCount(4)
        ui.casesTable.setHorizontalHeaderLabels([_("Case"), _("State"), _("Edition"), _("Grade")])
        ui.casesTable.connect("cellDoubleClicked(int,int)", self._onDoubleClicked)
        self._showCases()
        self.show("")

    @property
    def checking(self) -> bool:
        """Whether the folder is being looked into."""
        return self._check.running

    def problem(self, folds: int) -> str:
        """Why no training with so many ``folds`` can start on the folder; "" if it can."""
        if not self._folder:
            return _("Choose the folder that holds the BraTS cases.")
        if self.checking:
            return _("Wait until the cases have been read.")
        return self._problem or (self.found.problem(folds) if self.found else "")

    def show(self, folder: str) -> None:
        """Show another folder, and look into it."""
        self._path.show(folder)
        if folder == self._folder:
            return
        self._folder, self.found, self._problem = folder, None, ""
        self._check.stop()
        self._showCases()
        self._showStatus("")
        if folder:
            self._ui.dataProgressBar.value = 0
            try:
                self._check.start(folder)
            except KDNetError as error:
                self._problem = str(error)
        if self.found is None:
            self._showStatus(_("Looking for cases") if self.checking else "")

    def stop(self) -> None:
        """Look no further."""
        self._path.stop()
        self._check.stop()
        self._folder = None

    def _showStatus(self, text):
        label = self._ui.dataStatusLabel
        label.text = self._problem or text
        label.styleSheet = ERROR_STYLE if self._problem else ""
        label.visible = bool(label.text)
        self._ui.dataProgressBar.visible = self.checking

    def _onProgress(self, fraction, text):
        self._ui.dataProgressBar.value = round(100 * fraction)
        self._showStatus(text)

    def _onFinished(self, found, problem):
        self.found, self._problem = found, problem
        if found is not None and not problem:
            self._problem = found.problem(0)
        self._showStatus(found.summary() if found else "")
        self._showCases()
        self._onChecked()

    def _showCases(self):
        table = self._ui.casesTable
        cases = self.found.cases if self.found else []
        table.setRowCount(len(cases))
        for row, case in enumerate(cases):
            state = case["problem"] or _("complete")
            for column, text in enumerate((case["name"], state, case["edition"], case["grade"] or "")):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(case["reason"] or case["name"])
                if case["problem"]:
                    item.setForeground(qt.QBrush(qt.QColor(PROBLEM_COLOUR)))
                table.setItem(row, column, item)
        table.setColumnHidden(3, not any(case["grade"] for case in cases))
        table.resizeColumnsToContents()
        table.visible = bool(cases)

    def _onDoubleClicked(self, row, column):
        name = self.found.cases[row]["name"]
        files = self.found.files.get(name)
        problem = previewProblem(files)
        if not problem:
            try:
                showCase(name, files)
            except KDNetError as error:
                problem = str(error)
        self._showStatus(problem or self.found.summary())

