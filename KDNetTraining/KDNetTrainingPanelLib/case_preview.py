"""A training case in the slice views."""

from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from KDNetLib.errors import InputError
from KDNetLib.labels import convention_of, to_classes
from KDNetSegmentationLib.segmentation_output import writeSegmentation

#: Node attribute that marks what is shown of a training case.
_PREVIEW = "KDNetTraining.preview"


def previewProblem(files) -> str:
    """Why a case cannot be shown in the slice views; "" if it can. ``files``: its entry in ``FoundData.files``."""
    if files is None:
        return _("This case is not complete, so there is nothing to show.")
    return ""


def showCase(name: str, files: dict) -> None:
    """Show the case's T1ce scan and its labels in the slice views, in the place of the one shown before.

    Raises :class:`InputError` where a file cannot be read.
    """
    for node in slicer.util.getNodesByClass("vtkMRMLDisplayableNode"):
        if node.GetAttribute(_PREVIEW) is not None:
            slicer.mrmlScene.RemoveNode(node)
    if files["volume"] is None:
        volumeNode = _load(files["t1ce"], {"name": name, "show": False})
    else:
        volumeNode = _loadFrame(files["t1ce"], files["volume"], name)
    volumeNode.SetAttribute(_PREVIEW, name)
    labelmapNode = _load(files["reference"], {"labelmap": True, "show": False})
    try:
        array = slicer.util.arrayFromVolume(labelmapNode).transpose(2, 1, 0)
        values = np.unique(array[array != 0]).tolist()
        convention = files["convention"] or convention_of(Path(files["reference"]).name, values)
        segmentationNode = writeSegmentation(to_classes(array, convention), volumeNode)
    finally:
        slicer.mrmlScene.RemoveNode(labelmapNode)
    segmentationNode.SetName(_("{name} reference").format(name=name))
    segmentationNode.SetAttribute(_PREVIEW, name)
    slicer.util.setSliceViewerLayers(background=volumeNode, fit=True)


def _load(path, properties):
    try:
        return slicer.util.loadVolume(path, properties)
    except RuntimeError as error:
        raise _unreadable(path) from error


def _loadFrame(path, index, name):
    """The volume number ``index`` of the 4-D file ``path``, which holds the modalities of a Decathlon case one after another."""
    scene = slicer.mrmlScene
    sequenceNode, storageNode = (scene.AddNewNodeByClass(kind) for kind in ("vtkMRMLSequenceNode", "vtkMRMLVolumeSequenceStorageNode"))
    try:
        storageNode.SetFileName(path)
        if not storageNode.ReadData(sequenceNode) or index >= sequenceNode.GetNumberOfDataNodes():
            raise _unreadable(path)
        volumeNode = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        volumeNode.CopyContent(sequenceNode.GetNthDataNode(index))
    finally:
        for node in (storageNode, sequenceNode):
            scene.RemoveNode(node)
    volumeNode.CreateDefaultDisplayNodes()
    return volumeNode


def _unreadable(path):
    return InputError(_("{path} could not be read; check that it is a complete NIfTI file.").format(path=path))
