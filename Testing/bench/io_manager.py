"""``slicer.app.coreIOManager()``: enough of it for slicer.util's load, save and export functions."""

import os

_EXTENSIONS = (".nii.gz", ".seg.nrrd", ".seg.nhdr", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".mrb", ".mrml", ".csv",
               ".tsv", ".txt", ".json", ".h5", ".tfm", ".vtk", ".vtp", ".stl", ".ply", ".obj")
_WRITERS = (("vtkMRMLSegmentationNode", "SegmentationFile"), ("vtkMRMLVolumeNode", "VolumeFile"),
            ("vtkMRMLTransformNode", "TransformFile"), ("vtkMRMLTableNode", "TableFile"),
            ("vtkMRMLModelNode", "ModelFile"), ("vtkMRMLTextNode", "TextFile"))
_STORABLE = {"TransformFile": "vtkMRMLLinearTransformNode", "TableFile": "vtkMRMLTableNode",
             "ModelFile": "vtkMRMLModelNode", "TextFile": "vtkMRMLTextNode"}


def _extension(filename):
    low = filename.lower()
    return next((e for e in _EXTENSIONS if low.endswith(e)), os.path.splitext(low)[1])


def _stem(filename):
    name = os.path.basename(filename)
    return name[:len(name) - len(_extension(name))]


class CoreIOManager:
    """Reads and writes volumes, segmentations, transforms, tables, models, texts and scenes with MRML's own code."""

    def __init__(self, mrml):
        self._mrml = mrml

    def fileType(self, filename):
        extension = _extension(filename)
        return ("SceneFile" if extension in (".mrb", ".mrml") else "SegmentationFile" if ".seg." in extension else
                "TableFile" if extension in (".csv", ".tsv") else "TransformFile" if extension in (".h5", ".tfm") else
                "ModelFile" if extension in (".vtk", ".vtp", ".stl", ".ply", ".obj") else
                "TextFile" if extension in (".txt", ".json") else "VolumeFile")

    def fileWriterFileType(self, node):
        return next((fileType for kind, fileType in _WRITERS if node.IsA(kind)), "NoFile")

    def extractKnownExtension(self, filename, node):
        return _extension(filename)

    def fileWriterExtensions(self, node):
        storage = self._temporaryStorage(node)
        if storage is None:
            return []
        formats = storage.GetSupportedWriteFileTypes()
        extensions = [formats.GetValue(index) for index in range(formats.GetNumberOfValues())]
        self._mrml.scene.RemoveNode(storage)
        return extensions

    def _temporaryStorage(self, node):
        # In the scene: some storage nodes ask it which formats there are.
        storage = node.CreateDefaultStorageNode()
        if storage is None:
            return None
        storage.UnRegister(None)
        return self._mrml.scene.AddNode(storage)

    def loadNodes(self, fileType, properties, collection, messages):
        path = properties["fileName"]
        node = None
        if not os.path.exists(path):
            return False
        if fileType == "SceneFile":
            return self._loadScene(path, properties)
        if fileType == "VolumeFile":
            options = 1 if properties.get("labelmap") else 0
            name = properties.get("name") or _stem(path)
            node = self._mrml.logics["Volumes"].AddArchetypeVolume(path, name, options)
        else:
            kind = "vtkMRMLSegmentationNode" if fileType == "SegmentationFile" else _STORABLE[fileType]
            node = self._loadStorable(kind, path, properties)
        if node is None:
            return False
        if fileType == "VolumeFile" and properties.get("show", True):
            selection = self._mrml.applicationLogic.GetSelectionNode()
            if node.IsA("vtkMRMLLabelMapVolumeNode"):
                selection.SetActiveLabelVolumeID(node.GetID())
            else:
                selection.SetActiveVolumeID(node.GetID())
            self._mrml.applicationLogic.PropagateVolumeSelection(1)
        collection.AddItem(node)
        return True

    def _loadStorable(self, kind, path, properties):
        node = self._mrml.scene.AddNewNodeByClass(kind, properties.get("name") or _stem(path))
        node.AddDefaultStorageNode(path)
        if not node.GetStorageNode().ReadData(node):
            self._mrml.scene.RemoveNode(node)
            return None
        node.CreateDefaultDisplayNodes()
        return node

    def _loadScene(self, path, properties):
        scene = self._mrml.scene
        if properties.get("clear", False):
            scene.Clear(False)
        if path.endswith(".mrb"):
            return bool(scene.ReadFromMRB(path, False))
        scene.SetURL(path)
        return bool(scene.Import())

    def saveNodes(self, fileType, properties, messages):
        path = properties["fileName"]
        scene = self._mrml.scene
        if fileType == "SceneFile":
            if path.endswith(".mrb"):
                return bool(scene.WriteToMRB(path, None))
            if path.endswith(".mrml"):
                scene.SetURL(path)
                return bool(scene.Commit())
            return bool(self._mrml.applicationLogic.SaveSceneToSlicerDataBundleDirectory(path, None))
        node = scene.GetNodeByID(properties["nodeID"])
        node.AddDefaultStorageNode()
        storage = node.GetStorageNode()
        storage.SetFileName(path)
        return bool(storage.WriteData(node))

    def exportNodes(self, nodeIDs, fileNames, properties, hardenTransform, messages):
        success = True
        for nodeID, path in zip(nodeIDs, fileNames):
            node = self._mrml.scene.GetNodeByID(nodeID)
            if hardenTransform and node.GetParentTransformNode():
                raise NotImplementedError("The bench does not export in world coordinates a node under a transform.")
            storage = self._temporaryStorage(node)
            storage.SetFileName(path)
            storage.SetUseCompression(bool(properties.get("useCompression", True)))
            success = bool(storage.WriteData(node)) and success
            self._mrml.scene.RemoveNode(storage)
        return success
