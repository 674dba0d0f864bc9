"""The qMRML widgets that Slicer modules use most, over the real scene."""

import types

import slicer
from PySide6 import QtCore, QtWidgets

from .node_combo_box import qMRMLNodeComboBox
from .qt_facade import standIn


@standIn
class qMRMLWidget(QtWidgets.QWidget):
    """A widget that hands its scene on, over the connections of its .ui file."""

    mrmlSceneChanged = QtCore.Signal(object)
    SIGNAL_SIGNATURES = ("mrmlSceneChanged(vtkMRMLScene*)",)

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.__dict__["_d"] = types.SimpleNamespace(scene=None)

    def setMRMLScene(self, scene):
        if scene is not None and not isinstance(scene, slicer.vtkMRMLScene):
            raise ValueError(f"Called setMRMLScene(vtkMRMLScene) with wrong arguments: {scene!r}")
        if scene is not self._d.scene:
            self._d.scene = scene
            self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self):
        return self._d.scene


@standIn
class qMRMLSegmentsTableView(QtWidgets.QTableWidget):
    """The names of a segmentation's segments in a table."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.__dict__["_d"] = types.SimpleNamespace(node=None, tag=None)
        self.setColumnCount(1)
        self.setHorizontalHeaderLabels(["Name"])

    def setMRMLScene(self, scene):
        """The scene is not needed: the node knows it."""

    def setSegmentationNode(self, node):
        if node is not None and not isinstance(node, slicer.vtkMRMLSegmentationNode):
            raise ValueError(f"Called setSegmentationNode(vtkMRMLNode) with wrong arguments: {node!r}")
        self._d.node = node
        self._update()

    def segmentationNode(self):
        return self._d.node

    def _update(self):
        segmentation = self._d.node.GetSegmentation() if self._d.node else None
        count = segmentation.GetNumberOfSegments() if segmentation else 0
        self.setRowCount(count)
        for row in range(count):
            self.setItem(row, 0, QtWidgets.QTableWidgetItem(segmentation.GetNthSegment(row).GetName()))


WIDGETS = (qMRMLWidget, qMRMLNodeComboBox, qMRMLSegmentsTableView)
