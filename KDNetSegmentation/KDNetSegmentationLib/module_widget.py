"""What the panels of KDNet's modules have in common: the parameter node, the scene's life, the status line."""

import importlib
import sys

import qt
import slicer
import vtk
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin


class ModuleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """A panel whose choices are in a parameter node.

    A subclass names its ``uiFile`` and the ``packages`` to load again with the module. It sets ``logic`` in its
    ``setup`` and defines :meth:`initializeParameterNode` and :meth:`onParametersModified`.
    """

    uiFile: str
    packages: tuple

    def __init__(self, parent=None):
        self.logic = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)

    def setup(self):
        """Build the panel when the module is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath(self.uiFile))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        named = [(widget.property("SlicerParameterName"), widget) for widget in uiWidget.findChildren(qt.QWidget)]
        self._widgetsByParameter = {name: widget for name, widget in named if name}
        self._toolTips = {}

    def observeScene(self):
        """Follow the scene's closing and loading from now on."""
        scene = slicer.vtkMRMLScene
        for event in (scene.StartCloseEvent, scene.StartImportEvent):
            self.addObserver(slicer.mrmlScene, event, self.onSceneAboutToChange)
        for event in (scene.EndCloseEvent, scene.EndImportEvent):
            # After the selectors, which must know the nodes before they are told which one is chosen.
            self.addObserver(slicer.mrmlScene, event, self.onSceneChanged, priority=-1.0)

    def cleanup(self):
        """End what runs and let go of the scene, before the panel is destroyed or reloaded."""
        self.logic.shutdown()
        self.setParameterNode(None)
        self.removeObservers()

    def onReload(self):
        """Developer's reload: the packages too, not only the module file."""
        for name in [name for name in sys.modules if name.split(".")[0] in self.packages]:
            del sys.modules[name]
        importlib.invalidate_caches()
        super().onReload()

    def onSceneAboutToChange(self, caller, event):
        """Let go of the parameter node: what selectors choose by themselves while nodes come must not be written to it."""
        self._showStatus("")
        self.setParameterNode(None)

    def onSceneChanged(self, caller, event):
        """Another scene has other choices; a panel that is not shown takes them when it is."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        """Take the choices from the scene."""
        parameterNode = self.logic.getParameterNode()
        parameterNode.Modified()  # its cache hears of a loaded scene's values by this only
        self.setParameterNode(parameterNode)

    def setParameterNode(self, parameterNode):
        """Connect the panel with another parameter node, or with none."""
        if parameterNode is self._parameterNode:
            return
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self._parameterNode = parameterNode
        if self._parameterNode:
            # connectGui would return no tag, and could not be undone.
            self._parameterNodeGuiTag = self._parameterNode.connectParametersToGui(self._widgetsByParameter)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
            self.onParametersModified()

    def _showStatus(self, text, style=""):
        """Show ``text`` in the status line, or hide that where there is none."""
        self.ui.statusLabel.text, self.ui.statusLabel.styleSheet = text, style
        self.ui.statusLabel.visible = bool(text)
