"""Numpy arrays and affines from MRML nodes, in the engine's axis order (i, j, k)."""

import contextlib

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from KDNetLib.errors import InputError


def imageArray(volumeNode) -> np.ndarray:
    """The voxels (I, J, K) of a scalar volume as a view. Raises :class:`InputError` for anything else."""
    if not isinstance(volumeNode, slicer.vtkMRMLScalarVolumeNode):
        raise InputError(_("The input is not a volume; choose the post-contrast T1 scan."))
    if isinstance(volumeNode, slicer.vtkMRMLLabelMapVolumeNode):
        raise InputError(
            _("{name} is a label map; choose the post-contrast T1 scan instead.").format(name=volumeNode.GetName())
        )
    image = volumeNode.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None:
        raise InputError(_("The volume {name} holds no image; load it again.").format(name=volumeNode.GetName()))
    if image.GetNumberOfScalarComponents() != 1:
        raise InputError(
            _("The volume {name} holds {count} values per voxel; choose a scan with one, such as a T1 image.").format(
                name=volumeNode.GetName(), count=image.GetNumberOfScalarComponents()
            )
        )
    return slicer.util.arrayFromVolume(volumeNode).transpose(2, 1, 0)


def nonlinearTransform(node) -> bool:
    """Whether the volume or segmentation is under a transform that no 4×4 matrix can express."""
    transformNode = node.GetParentTransformNode()
    return transformNode is not None and not transformNode.IsTransformToWorldLinear()


def worldAffine(volumeNode) -> np.ndarray:
    """The 4×4 affine, voxel index to world RAS millimetres; a nonlinear parent transform is left out."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return inWorld(matrix, volumeNode)


def inWorld(matrix, node) -> np.ndarray:
    """The 4×4 affine of the vtkMatrix4x4 that places voxels in ``node``, on to world RAS as in :func:`worldAffine`."""
    transformNode = node.GetParentTransformNode()
    if transformNode is not None and not nonlinearTransform(node):
        toWorld = vtk.vtkMatrix4x4()
        transformNode.GetMatrixTransformToWorld(toWorld)
        vtk.vtkMatrix4x4.Multiply4x4(toWorld, matrix, matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


@contextlib.contextmanager
def temporaryLabelmap(transformNode=None):
    """A label map node under ``transformNode``, hidden from the user and gone afterwards."""
    node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLLabelMapVolumeNode")
    node.UnRegister(None)
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    slicer.mrmlScene.AddNode(node)
    node.SetAndObserveTransformNodeID(transformNode.GetID() if transformNode else None)
    try:
        yield node
    finally:
        slicer.mrmlScene.RemoveNode(node)


def segmentNumbers(segmentationNode, segmentIds, gridNode) -> np.ndarray:
    """Which segment each voxel of the volume ``gridNode`` is in: 0 for none, n for ``segmentIds[n-1]``; (I, J, K)."""
    ids = vtk.vtkStringArray()
    for segmentId in segmentIds:
        ids.InsertNextValue(segmentId)
    with temporaryLabelmap(gridNode.GetParentTransformNode()) as labelmapNode:
        if not slicer.modules.segmentations.logic().ExportSegmentsToLabelmapNode(
            segmentationNode, ids, labelmapNode, gridNode
        ):
            raise InputError(
                _("The segmentation {name} could not be turned into a label map; check that it holds voxels.").format(
                    name=segmentationNode.GetName()
                )
            )
        return slicer.util.arrayFromVolume(labelmapNode).transpose(2, 1, 0).copy()


def labelValues(labelmapNode, gridNode) -> np.ndarray:
    """The values of a label map node at the voxels of the volume ``gridNode`` (nearest neighbour); (I, J, K)."""
    logic = slicer.modules.segmentations.logic()
    transformNode = gridNode.GetParentTransformNode()
    source = logic.CreateOrientedImageDataFromVolumeNode(labelmapNode, transformNode)
    grid = logic.CreateOrientedImageDataFromVolumeNode(gridNode, transformNode)
    if source is None or grid is None:
        raise InputError(_("{name} holds no voxels; choose another.").format(name=labelmapNode.GetName()))
    source.UnRegister(None)
    grid.UnRegister(None)
    resampled = slicer.vtkOrientedImageData()
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(source, grid, resampled, False)
    values = vtk_to_numpy(resampled.GetPointData().GetScalars())
    return values.reshape(resampled.GetDimensions()[::-1]).transpose(2, 1, 0).copy()


def maskArray(maskNode, volumeNode) -> np.ndarray:
    """The brain mask on the volume's grid, uint8 0 or 1, from a segmentation (all its segments) or a label map."""
    if isinstance(maskNode, slicer.vtkMRMLSegmentationNode):
        values = segmentNumbers(maskNode, maskNode.GetSegmentation().GetSegmentIDs(), volumeNode)
    else:
        values = labelValues(maskNode, volumeNode)
    return (values != 0).astype(np.uint8)
