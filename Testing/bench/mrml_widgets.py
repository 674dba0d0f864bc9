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


WIDGETS = (qMRMLWidget, qMRMLNodeComboBox)
