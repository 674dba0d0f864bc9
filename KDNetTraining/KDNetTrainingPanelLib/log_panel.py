"""The log of a run, filtered by kind."""

from slicer.i18n import tr as _


class LogPanel:
    """Drives ``ui.logKindComboBox`` and ``ui.logEdit``."""

    def __init__(self, ui):
        self._ui = ui
        for text, kinds in (
            (_("Everything"), ("run", "epoch", "warning")),
            (_("Without epochs"), ("run", "warning")),
            (_("Warnings and errors"), ("warning",)),
            (_("Epochs"), ("epoch",)),
        ):
            ui.logKindComboBox.addItem(text, kinds)
        self._log, self._version = None, 0
        ui.logKindComboBox.connect("currentIndexChanged(int)", self._onKindChanged)

    def show(self, log) -> None:
        """Show what is new in ``log`` (a ``RunLog``), or nothing for None."""
        if log is not self._log:
            self._log, self._version = log, 0
            self._ui.logEdit.clear()
        if log is None or log.version == self._version:
            return
        lines = log.linesSince(self._version, self._ui.logKindComboBox.itemData(self._ui.logKindComboBox.currentIndex))
        self._version = log.version
        if lines:
            self._ui.logEdit.appendPlainText("\n".join(lines))

    def _onKindChanged(self):
        self._version = 0
        self._ui.logEdit.clear()
        self.show(self._log)
