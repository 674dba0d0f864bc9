"""The results section of the panel: warnings, volumes, clipboard, CSV, surfaces."""

import qt
import slicer
from slicer.i18n import tr as _

from KDNetLib.errors import KDNetError
from KDNetSegmentationLib import results_table
from KDNetSegmentationLib.segmentation_output import isShown3D, setShown3D
from KDNetSegmentationLib.styles import WARNING_STYLE
from KDNetSegmentationLib.tables import fillVolumes


class ResultsPanel:
    """Shows what the last run on a segmentation node gave."""

    def __init__(self, ui):
        self._ui = ui
        ui.warningsLabel.styleSheet = WARNING_STYLE
        self._segmentationNode = None

    @property
    def stored(self):
        """What the last run found (``results_table.storedResult``), or None."""
        return results_table.storedResult(self._segmentationNode)

    def show(self, segmentationNode) -> None:
        """Show another segmentation node, or none."""
        self._segmentationNode = segmentationNode
        stored = self.stored
        self._ui.captionLabel.text = results_table.caption(stored) if stored else _("No volumes yet.")
        warnings = results_table.warnings(stored) if stored else []
        self._ui.warningsLabel.text, self._ui.warningsLabel.visible = "\n".join(warnings), bool(warnings)
        fillVolumes(self._ui.volumesTable, stored)
        self._ui.show3DButton.checked = isShown3D(segmentationNode)

    def setShown3D(self, shown: bool) -> None:
        """Show or hide the surfaces, in the middle of the 3-D views."""
        setShown3D(self._segmentationNode, shown)
        if shown:
            slicer.util.resetThreeDViews()

    def copy(self) -> str:
        """Put the volumes on the clipboard; return what to tell the user."""
        slicer.app.clipboard().setText(results_table.asText(self.stored))
        return _("The volumes are on the clipboard.")

    def save(self) -> str:
        """Ask for a CSV file and write it; return what to tell the user. Raises :class:`KDNetError`."""
        stored = self.stored
        path = qt.QFileDialog.getSaveFileName(
            slicer.util.mainWindow(), _("Save volumes"), f"{stored['input']}_volumes.csv", _("CSV files (*.csv)")
        )
        if not path:
            return ""
        try:
            results_table.writeCsv(stored, path)
        except OSError as error:
            raise KDNetError(
                _("The volumes could not be saved to {path} ({reason}); choose another folder.").format(
                    path=path, reason=error.strerror
                )
            ) from error
        return _("The volumes are saved in {path}.").format(path=path)
