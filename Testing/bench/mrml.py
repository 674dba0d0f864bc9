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
        # The scene holds the observer; removing a wrapped method would need the very same bound method.
        self._nodeAdded = self._createSubjectHierarchyItem
        self.scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, self._nodeAdded)
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

    def clear(self):
        """Close the scene, as File > Close Scene does."""
        self.scene.Clear(False)
        self._addDefaultNodes()

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
