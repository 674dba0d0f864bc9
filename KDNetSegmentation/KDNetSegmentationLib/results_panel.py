"""The results section of the panel: warnings, volumes, clipboard, CSV, surfaces."""

import qt
import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from KDNetSegmentationLib import results_table
from KDNetSegmentationLib.segmentation_output import currentVolumes, hasResult, isShown3D, setShown3D
from KDNetSegmentationLib.styles import WARNING_STYLE
from KDNetSegmentationLib.tables import fillVolumes

#: What an edit of the segments, its undoing included, or of their place is told by.
_EDITED = (
    slicer.vtkSegmentation.SourceRepresentationModified,
    slicer.vtkSegmentation.SegmentModified,
    slicer.vtkSegmentation.SegmentAdded,
    slicer.vtkSegmentation.SegmentRemoved,
    slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
)

#: How long the segments must stay as they are before their volumes are measured again, so that painting stays fluid.
_SETTLED_MS = 500


class ResultsPanel(VTKObservationMixin):
    """Shows what the last run on a segmentation node gave, with the volumes that its segments have now.

    ``onEdited()`` is called some time after the user edited the segments; the volumes are measured at the next :meth:`show`.
    """

    def __init__(self, ui, onEdited):
        VTKObservationMixin.__init__(self)
        self._ui = ui
        ui.warningsLabel.styleSheet = WARNING_STYLE
        self._segmentationNode = None
        self._volumes = None  # of the segments as they are now; None until they are measured
        self._settling = qt.QTimer()
        self._settling.setSingleShot(True)
        self._settling.setInterval(_SETTLED_MS)
        self._settling.connect("timeout()", onEdited)

    @property
    def stored(self):
        """What the last run found (``results_table.withCurrentVolumes``), or None."""
        stored = results_table.storedResult(self._segmentationNode)
        if stored is None or not hasResult(self._segmentationNode):
            return None
        if self._volumes is None:
            self._volumes = currentVolumes(self._segmentationNode)
        return results_table.withCurrentVolumes(stored, self._volumes)

    def show(self, segmentationNode) -> None:
        """Show another segmentation node, or none, or what became of the same one."""
        if segmentationNode is not self._segmentationNode:
            self.letGo()
            self._segmentationNode, self._volumes = segmentationNode, None
            for event in _EDITED if segmentationNode else ():
                self.addObserver(segmentationNode, event, self._onSegmentsModified)
        stored = self.stored
        self._ui.captionLabel.text = results_table.caption(stored) if stored else _("No volumes yet.")
        warnings = results_table.warnings(stored) if stored else []
        self._ui.warningsLabel.text, self._ui.warningsLabel.visible = "\n".join(warnings), bool(warnings)
        fillVolumes(self._ui.volumesTable, stored)
        self._ui.show3DButton.checked = isShown3D(segmentationNode)

    def letGo(self) -> None:
        """Follow the segmentation node no longer."""
        self._settling.stop()
        self.removeObservers()

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
        results_table.writeCsv(stored, path)
        return _("The volumes are saved in {path}.").format(path=path)

    def _onSegmentsModified(self, caller, event):
        self._volumes = None
        self._settling.start()
