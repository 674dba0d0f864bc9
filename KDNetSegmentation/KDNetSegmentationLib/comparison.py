"""Dice and HD95 of a result against a reference in the scene."""

import re

import numpy as np
import slicer
from slicer.i18n import tr as _

from KDNetLib.errors import InputError
from KDNetLib.labels import convention_of, to_classes
from KDNetSegmentationLib.parameter_node import AUTOMATIC_CONVENTION
from KDNetSegmentationLib.segmentation_output import SEGMENT_IDS, readClasses, referenceGrid
from KDNetSegmentationLib.volume_arrays import labelValues, segmentNumbers, worldAffine
from KDNetSegmentationLib.worker_job import WorkerJob

#: The first found decides. Edema comes first: BraTS 2023 calls it "surrounding non-enhancing FLAIR hyperintensity".
_NAMES = (
    (re.compile(r"\bed\b|edema|flair|\bsnfh\b", re.IGNORECASE), 2),
    (re.compile(r"\bncr\b|necro|non-?\s?enhancing", re.IGNORECASE), 1),
    (re.compile(r"\bet\b|enhancing", re.IGNORECASE), 3),
)


class ComparisonJob(WorkerJob):
    """Compares KDNet's segments with ``referenceNode``; ``result`` becomes region -> measures (``KDNetLib.measures``).

    ``convention`` is a key of ``KDNetLib.labels.CONVENTIONS`` or "automatic".
    """

    def __init__(self, worker, segmentationNode, referenceNode, convention, **callbacks):
        super().__init__(worker, **callbacks)
        self.segmentationNode = segmentationNode
        self.referenceNode = referenceNode
        self._convention = convention

    def request(self, folder):
        prediction, reference = folder / "prediction.npy", folder / "reference.npy"
        with referenceGrid(self.segmentationNode) as gridNode:
            np.save(prediction, readClasses(self.segmentationNode, gridNode), allow_pickle=False)
            np.save(reference, referenceClasses(self.referenceNode, self._convention, gridNode), allow_pickle=False)
            affine = worldAffine(gridNode).tolist()
        return {
            "command": "compare",
            "prediction": str(prediction),
            "reference": str(reference),
            "convention": "1/2/3",  # both files hold class indices by now
            "affine": affine,
        }

    def collect(self, event):
        return event["regions"]


def referenceClasses(referenceNode, convention, gridNode) -> np.ndarray:
    """The reference as class indices (uint8) at the voxels of ``gridNode``. Raises :class:`InputError`.

    With the automatic convention a segmentation whose segments are named after the labels says by itself what they are.
    All else goes by its label values and ``convention``.
    """
    if isinstance(referenceNode, slicer.vtkMRMLSegmentationNode):
        segmentation = referenceNode.GetSegmentation()
        ids = segmentation.GetSegmentIDs()
        if not ids:
            raise InputError(
                _("The reference {name} holds no segments; choose another.").format(name=referenceNode.GetName())
            )
        numbers = segmentNumbers(referenceNode, ids, gridNode)
        segments = [segmentation.GetSegment(segmentId) for segmentId in ids]
        named = [_classByName(segmentId, segment.GetName()) for segmentId, segment in zip(ids, segments)]
        if convention == AUTOMATIC_CONVENTION and None not in named and len(set(named)) == len(named):
            return np.array([0, *named], dtype=np.uint8)[numbers]
        labelled = [segment.GetLabelValue() for segment in segments]
        if len(set(labelled)) < len(labelled):  # as in segments that were drawn, each on a layer of its own
            raise InputError(
                _(
                    "Segments of the reference {name} share a label number; name them after the labels "
                    "(NCR, ED, ET) and choose automatic label numbers."
                ).format(name=referenceNode.GetName())
            )
        values = np.array([0, *labelled])[numbers]
    elif isinstance(referenceNode, slicer.vtkMRMLLabelMapVolumeNode):
        values = labelValues(referenceNode, gridNode)
    else:
        raise InputError(_("The reference is neither a segmentation nor a label map; choose one of them."))
    if convention == AUTOMATIC_CONVENTION:
        convention = convention_of(_fileName(referenceNode), np.unique(values).tolist())
    return to_classes(values, convention)


def _classByName(segmentId, name):
    for index, ownId in enumerate(SEGMENT_IDS.values(), start=1):
        if segmentId == ownId:
            return index
    return next((index for pattern, index in _NAMES if pattern.search(name)), None)


def _fileName(node):
    """The name of the file the node was read from, which tells the edition; the node's own name without one."""
    storageNode = node.GetStorageNode()
    path = storageNode.GetFileName() if storageNode else None
    return re.split(r"[\\/]", path)[-1] if path else node.GetName()
