"""The probability of each class as a volume node."""

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from KDNetLib.labels import LABELS
from KDNetSegmentationLib.segmentation_output import placeBesideVolume


def writeProbabilities(probabilities: np.ndarray, volumeNode, segmentationNode) -> dict:
    """Make or refill one volume per label from (4, I, J, K) in 0 to 1; return label key -> volume node.

    The segmentation node references them, so that a second run refills the same volumes.
    """
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    nodes = {}
    for label in LABELS:
        role = f"KDNet.probability.{label.key}"
        node = segmentationNode.GetNodeReference(role)
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
