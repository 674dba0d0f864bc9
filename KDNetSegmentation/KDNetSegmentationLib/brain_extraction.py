"""The way out for scans that show the whole head: a brain mask from the HDBrainExtraction extension."""

import slicer
from slicer.i18n import tr as _

from KDNetLib.errors import DependencyError, KDNetError


def brainExtractionInstalled() -> bool:
    """Whether Slicer has the HDBrainExtraction extension."""
    return hasattr(slicer.modules, "hdbrainextractiontool")


def extractBrain(volumeNode):
    """Make and return a segmentation node of the brain in ``volumeNode``. Takes from seconds to minutes.

    The extension asks for its own packages and downloads. Raises :class:`KDNetError`.
    """
    if not brainExtractionInstalled():
        raise DependencyError(
            _("The HDBrainExtraction extension is not installed; get it from the Extensions Manager.")
        )
    from HDBrainExtractionTool import HDBrainExtractionToolLogic

    name = _("{name} brain mask").format(name=volumeNode.GetName())
    maskNode = slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLSegmentationNode", slicer.mrmlScene.GenerateUniqueName(name)
    )
    maskNode.CreateDefaultDisplayNodes()
    try:
        logic = HDBrainExtractionToolLogic()
        logic.setupPythonRequirements()
        logic.process(volumeNode, None, maskNode)
    except Exception as error:  # the extension raises what its packages raise
        slicer.mrmlScene.RemoveNode(maskNode)
        raise KDNetError(
            _("The brain could not be extracted ({reason}); try the HD Brain Extraction Tool module.").format(
                reason=error
            )
        ) from error
    maskNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    return maskNode
