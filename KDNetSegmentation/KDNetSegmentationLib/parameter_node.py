"""What the panel remembers in the scene."""

from typing import Annotated

from slicer import vtkMRMLNode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper

from KDNetLib.labels import CONVENTIONS

#: Let the naming and the values of the reference tell its numbering.
AUTOMATIC_CONVENTION = "automatic"


@parameterNodeWrapper
class KDNetSegmentationParameterNode:
    """The choices made in the panel.

    inputVolume - The post-contrast T1 scan.
    segmentation - Where the result goes; None makes a new node.
    model - Name of a stored model; empty is the first bundled one.
    device - "auto", "cpu", "cuda:0", ...
    flips - Average over all 8 mirrored copies of the scan.
    probabilities - Also make one volume of probabilities per class.
    brainMask - What of the scan is brain (segmentation or label map), for scans that show the whole head.
    reference - What the result is compared with (segmentation or label map).
    convention - How the reference numbers its labels.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    model: str = ""
    device: str = "auto"
    flips: bool = False
    probabilities: bool = False
    brainMask: vtkMRMLNode
    reference: vtkMRMLNode
    convention: Annotated[str, Choice([AUTOMATIC_CONVENTION, *CONVENTIONS])] = AUTOMATIC_CONVENTION
