"""MRML as the application starts it: the scene, the application logic and the logic of each core module."""

import tempfile
import types

import slicer
import vtk

# Colors first: the logics after it look its tables up when they get the scene.
_MODULE_LOGICS = {
    "Colors": "vtkSlicerColorLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Models": "vtkSlicerModelsLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Units": "vtkSlicerUnitsLogic",
    "Data": "vtkSlicerDataModuleLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "SceneViews": "vtkSlicerSceneViewsModuleLogic",
}


class Mrml:
    """The MRML side of the application. Attributes: scene, applicationLogic, temporaryPath, logics (by module name)."""

    def __init__(self):
        self.temporaryPath = tempfile.mkdtemp(prefix="Slicer-")
        self.scene = slicer.vtkMRMLScene()
        logic = slicer.vtkSlicerApplicationLogic()
        logic.SetTemporaryPath(self.temporaryPath)
        logic.SetMRMLScene(self.scene)
        logic.SetSliceLogics(vtk.vtkCollection())
        logic.SetViewLogics(vtk.vtkCollection())
        self.applicationLogic = logic
        slicer.mrmlScene = self.scene
        self._startDataIO()
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)
        for factory in (slicer.vtkMRMLThreeDViewDisplayableManagerFactory,
                        slicer.vtkMRMLSliceViewDisplayableManagerFactory):
            factory.GetInstance().SetMRMLApplicationLogic(logic)
        self.logics = {name: self._startLogic(name, className) for name, className in _MODULE_LOGICS.items()}
        self.scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, self._createSubjectHierarchyItem)
        self.scene.AddObserver(slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, self._removeSubjectHierarchyItem)
        # After the logics, which let go of their nodes on this event.
        self.scene.AddObserver(slicer.vtkMRMLScene.EndCloseEvent, self._onEndClose, -1000.0)
        # What the application restores then besides its default nodes; set by whoever has something to restore.
        self.afterClose = lambda: None
        self._addGenericColors()
        self._addDefaultNodes()

    def _startDataIO(self):
        # Reading a bundle fails without it. Both logics must stay alive, hence the attributes.
        remote = slicer.vtkMRMLRemoteIOLogic()
        remote.SetMRMLApplicationLogic(self.applicationLogic)
        remote.SetMRMLScene(self.scene)
        remote.GetCacheManager().SetRemoteCacheDirectory(tempfile.mkdtemp(prefix="RemoteIO-", dir=self.temporaryPath))
        manager = slicer.vtkDataIOManagerLogic()
        manager.SetMRMLApplicationLogic(self.applicationLogic)
        manager.SetMRMLScene(self.scene)
        manager.SetAndObserveDataIOManager(remote.GetDataIOManager())
        remote.AddDataIOToScene()
        self._remoteIO, self._dataIO = remote, manager

    def _startLogic(self, name, className):
        logic = getattr(slicer, className)()
        logic.SetMRMLApplicationLogic(self.applicationLogic)
        logic.SetMRMLScene(self.scene)
        self.applicationLogic.SetModuleLogic(name, logic)
        return logic

    def _addGenericColors(self):
        # The colours of new label volumes; the application reads them from a file that the wheel lacks.
        colors = slicer.vtkMRMLColorTableNode()
        colors.SetName("GenericColors")
        colors.SetSingletonTag("FileGenericColors.txt")
        colors.SetTypeToUser()
        colors.SetNumberOfColors(256)
        colors.SetColor(0, "background", 0, 0, 0, 0)
        for index in range(1, 256):
            colors.SetColor(index, f"Label_{index}", (37 * index % 97) / 96, (53 * index % 89) / 88,
                            (71 * index % 83) / 82, 1)
        colors.HideFromEditorsOn()
        self.scene.AddNode(colors)

    def _onEndClose(self, scene, event):
        self._addDefaultNodes()
        self.afterClose()

    def _addDefaultNodes(self):
        if not self.scene.GetFirstNodeByClass("vtkMRMLCrosshairNode"):
            crosshair = slicer.vtkMRMLCrosshairNode()
            crosshair.SetCrosshairName("default")
            self.scene.AddNode(crosshair)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _createSubjectHierarchyItem(self, scene, event, node):
        # What the application's subject-hierarchy plugins do: an item for each visible node a plugin knows.
        if scene.IsImporting() or node.GetHideFromEditors() or not isinstance(node, _OWNED_BY_SUBJECT_HIERARCHY):
            return
        hierarchy = scene.GetSubjectHierarchyNode()
        if hierarchy and not hierarchy.GetItemByDataNode(node):
            hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _removeSubjectHierarchyItem(self, scene, event, node):
        if scene.IsClosing() or not isinstance(node, _OWNED_BY_SUBJECT_HIERARCHY):
            return
        hierarchy = scene.GetSubjectHierarchyNode()
        item = hierarchy.GetItemByDataNode(node) if hierarchy else 0
        if item:
            hierarchy.RemoveItem(item, False, False)

    def clear(self):
        """Close the scene, as File > Close Scene does."""
        self.scene.Clear(False)

    def removeParameterNodes(self):
        """Remove what even closing the scene leaves: the modules' parameter nodes, which are singletons."""
        nodes = self.scene.GetNodesByClass("vtkMRMLScriptedModuleNode")
        nodes.UnRegister(None)
        for index in range(nodes.GetNumberOfItems()):
            self.scene.RemoveNode(nodes.GetItemAsObject(index))

    def modules(self):
        """``slicer.modules`` as it is before any scripted module is loaded."""
        return types.SimpleNamespace(
            **{name.lower(): types.SimpleNamespace(name=name, logic=lambda logic=logic: logic)
               for name, logic in self.logics.items()})


_OWNED_BY_SUBJECT_HIERARCHY = (
    slicer.vtkMRMLVolumeNode, slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLModelNode, slicer.vtkMRMLMarkupsNode,
    slicer.vtkMRMLTransformNode, slicer.vtkMRMLTableNode, slicer.vtkMRMLPlotChartNode, slicer.vtkMRMLPlotSeriesNode,
    slicer.vtkMRMLTextNode,
)
