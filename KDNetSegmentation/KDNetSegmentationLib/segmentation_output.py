"""From the engine's class indices to a segmentation node, and back."""

import contextlib

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from KDNetLib.errors import InputError, KDNetError
from KDNetLib.labels import LABELS
from KDNetLib.volumes import volumes_ml
from KDNetSegmentationLib.terminology import terminologyEntry
from KDNetSegmentationLib.volume_arrays import inWorld, segmentNumbers, temporaryLabelmap

#: Segment id of each label, the same in every segmentation, so that a second run finds its own.
SEGMENT_IDS = {label.key: f"KDNet_{label.key}" for label in LABELS}

CLOSED_SURFACE = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()


def hasResult(segmentationNode) -> bool:
    """Whether the segmentation holds KDNet's segments."""
    if segmentationNode is None:
        return False
    segmentation = segmentationNode.GetSegmentation()
    return all(segmentation.GetSegment(segmentId) is not None for segmentId in SEGMENT_IDS.values())


def resultFor(volumeNode):
    """The segmentation node in the scene that KDNet made of ``volumeNode``, or None."""
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        if hasResult(node) and node.GetNodeReference(role) is volumeNode:
            return node
    return None


def placeBesideVolume(node, volumeNode) -> None:
    """Put ``node`` into the subject-hierarchy folder of ``volumeNode``."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    parent = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(volumeNode))
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), parent)


def writeSegmentation(classes: np.ndarray, volumeNode, segmentationNode=None):
    """Put class indices (uint8, I×J×K of ``volumeNode``) into KDNet's three segments and return the segmentation node.

    A new node lies beside the volume. In a given one only KDNet's segments change; their names, colours and terms are
    set when they are made, so what the user changes stays. A class without voxels keeps an empty segment.
    """
    if segmentationNode is None:
        segmentationNode = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLSegmentationNode",
            slicer.mrmlScene.GenerateUniqueName(_("{name} KDNet segmentation").format(name=volumeNode.GetName())),
        )
        placeBesideVolume(segmentationNode, volumeNode)
    segmentation = segmentationNode.GetSegmentation()
    slicer.mrmlScene.SaveStateForUndo(segmentationNode)
    wasModified = segmentationNode.StartModify()
    try:
        segmentationNode.CreateDefaultDisplayNodes()
        if not set(segmentation.GetSegmentIDs()) - set(SEGMENT_IDS.values()):
            # Other segments were drawn where the node is now, so it is moved only where there are none.
            segmentationNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
        segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
        segmentationNode.SetSourceRepresentationToBinaryLabelmap()
        wasShown = segmentation.ContainsRepresentation(CLOSED_SURFACE)
        _addMissingSegments(segmentation)
        _importClasses(classes, volumeNode, segmentationNode)
        if wasShown:
            segmentationNode.CreateClosedSurfaceRepresentation()
    finally:
        segmentationNode.EndModify(wasModified)
    return segmentationNode


@contextlib.contextmanager
def referenceGrid(segmentationNode):
    """A temporary label map node on the geometry the result was made on, whether or not the scan is still there."""
    if not hasResult(segmentationNode):
        raise InputError(_("The segmentation holds no KDNet segments; segment a scan first."))
    with temporaryLabelmap(segmentationNode.GetParentTransformNode()) as gridNode:
        slicer.modules.segmentations.logic().ExportSegmentsToLabelmapNode(
            segmentationNode, _segmentIds(), gridNode, None, slicer.vtkSegmentation.EXTENT_REFERENCE_GEOMETRY
        )
        yield gridNode


def readClasses(segmentationNode, gridNode) -> np.ndarray:
    """KDNet's segments as class indices (uint8) at the voxels of the volume ``gridNode``, as they are now."""
    return segmentNumbers(segmentationNode, list(SEGMENT_IDS.values()), gridNode).astype(np.uint8)


def currentVolumes(segmentationNode) -> dict[str, float] | None:
    """The volumes (``volumes_ml``) of KDNet's segments as they are now; None where they have no voxels, only surfaces.

    They must be there: see :func:`hasResult`.
    """
    labelmap = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    if not segmentationNode.GetSegmentation().ContainsRepresentation(labelmap):
        return None
    # Without nodes in the scene, which would make more than the panel look at it again.
    merged, values, matrix = slicer.vtkOrientedImageData(), vtk.vtkIntArray(), vtk.vtkMatrix4x4()
    for label in LABELS:
        values.InsertNextValue(label.index)
    segmentationNode.GenerateMergedLabelmapForAllSegments(
        merged, slicer.vtkSegmentation.EXTENT_UNION_OF_SEGMENTS, None, _segmentIds(), values
    )
    merged.GetImageToWorldMatrix(matrix)
    scalars = merged.GetPointData().GetScalars()  # None where all are empty
    voxels = np.zeros(0, np.uint8) if scalars is None else vtk_to_numpy(scalars)
    return volumes_ml(voxels, inWorld(matrix, segmentationNode))


def setShown3D(segmentationNode, shown: bool) -> None:
    """Show or hide the segments as smooth surfaces in the 3-D views."""
    segmentationNode.CreateDefaultDisplayNodes()
    if shown:
        segmentationNode.GetSegmentation().SetConversionParameter(
            slicer.vtkBinaryLabelmapToClosedSurfaceConversionRule.GetSmoothingFactorParameterName(), "0.5"
        )
        segmentationNode.CreateClosedSurfaceRepresentation()
        segmentationNode.GetDisplayNode().SetVisibility3D(True)
    else:
        segmentationNode.RemoveClosedSurfaceRepresentation()


def isShown3D(segmentationNode) -> bool:
    """Whether the segmentation is there as surfaces."""
    return segmentationNode is not None and segmentationNode.GetSegmentation().ContainsRepresentation(CLOSED_SURFACE)


def _segmentIds():
    """The ids in the order of the classes: where label values are exchanged, value n is the n-th id."""
    ids = vtk.vtkStringArray()
    for label in LABELS:
        ids.InsertNextValue(SEGMENT_IDS[label.key])
    return ids


def _addMissingSegments(segmentation):
    for label in LABELS:
        segmentId = SEGMENT_IDS[label.key]
        if segmentation.GetSegment(segmentId) is None:
            segmentation.AddEmptySegment(segmentId, label.name, label.colour)
            segment = segmentation.GetSegment(segmentId)
            segment.SetTerminology(terminologyEntry(label.key))
            # Otherwise the terminology selector would replace them by its own.
            segment.SetNameAutoGenerated(False)
            segment.SetColorAutoGenerated(False)


def _importClasses(classes, volumeNode, segmentationNode):
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    logic = slicer.modules.segmentations.logic()
    with temporaryLabelmap(volumeNode.GetParentTransformNode()) as labelmapNode:
        labelmapNode.SetIJKToRASMatrix(matrix)
        slicer.util.updateVolumeFromArray(labelmapNode, np.ascontiguousarray(classes.transpose(2, 1, 0)))
        # The import of a label map node applies a transform between the two nodes twice, so it is applied here.
        image = logic.CreateOrientedImageDataFromVolumeNode(labelmapNode, segmentationNode.GetParentTransformNode())
        image.UnRegister(None)
        # Slicer makes surfaces and slices of all voxels that a segment is stored with, empty ones too.
        tumour = [0] * 6
        if slicer.vtkOrientedImageDataResample.CalculateEffectiveExtent(image, tumour):
            image.Crop(tumour)
        if not logic.ImportLabelmapToSegmentationNode(image, segmentationNode, _segmentIds()):
            raise KDNetError(
                _("Slicer could not put the labels into {name}; choose another output segmentation.").format(
                    name=segmentationNode.GetName()
                )
            )
