"""The probability of each class as a volume node."""

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from KDNetLib.labels import LABELS
from KDNetSegmentationLib.segmentation_output import placeBesideVolume


def writeProbabilities(probabilities: np.ndarray, volumeNode, segmentationNode) -> dict:
    """Make or refill one volume per label from (4, I, J, K) in 0 to 1; return label key -> volume node.

    The segmentation node references them, so that a second run refills the same volumes, or removes them if it makes none.
    """
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    nodes = {}
    for label in LABELS:
        role = _role(label)
        node = _ownNode(segmentationNode, role)
        if node is None:
            name = _("{name} KDNet probability {label}").format(name=volumeNode.GetName(), label=label.key)
            node = slicer.mrmlScene.AddNewNodeByClass(
                "vtkMRMLScalarVolumeNode", slicer.mrmlScene.GenerateUniqueName(name)
            )
            placeBesideVolume(node, volumeNode)
            segmentationNode.SetNodeReferenceID(role, node.GetID())
        node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
        node.SetIJKToRASMatrix(matrix)
        values = probabilities[label.index].astype(np.float32).transpose(2, 1, 0)
        slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(values))
        node.CreateDefaultDisplayNodes()
        nodes[label.key] = node
    return nodes


def removeProbabilities(segmentationNode) -> None:
    """Remove the volumes that :func:`writeProbabilities` made for the result before.

    They were made of that result alone and would be overwritten by the next ones. Left there, they would pass for the
    probabilities of labels that they are not of.
    """
    for label in LABELS:
        role = _role(label)
        node = _ownNode(segmentationNode, role)
        segmentationNode.SetNodeReferenceID(role, None)
        if node is not None:
            slicer.mrmlScene.RemoveNode(node)


def _role(label):
    return f"KDNet.probability.{label.key}"


def _ownNode(segmentationNode, role):
    """The volume that the segmentation references, if it alone does: a clone, kept as the result before, does so too."""
    node = segmentationNode.GetNodeReference(role)
    others = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    shared = any(other is not segmentationNode and other.GetNodeReference(role) is node for other in others)
    return None if shared else node
