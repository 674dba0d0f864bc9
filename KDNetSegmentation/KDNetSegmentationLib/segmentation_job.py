"""One scan on its way through the worker process into a segmentation node."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from KDNetLib.errors import KDNetError
from KDNetSegmentationLib.probability_output import removeProbabilities, writeProbabilities
from KDNetSegmentationLib.results_table import storeResult
from KDNetSegmentationLib.segmentation_output import writeSegmentation
from KDNetSegmentationLib.volume_arrays import imageArray, maskArray, nonlinearTransform, worldAffine
from KDNetSegmentationLib.worker_job import WorkerJob


@dataclass(frozen=True)
class SegmentationInput:
    """What to segment and how. ``models``: one model file, or several whose probabilities are averaged."""

    volumeNode: object
    segmentationNode: object
    models: tuple[Path, ...]
    device: str = "auto"
    brainMaskNode: object = None
    flips: bool = False
    probabilities: bool = False


@dataclass(frozen=True)
class SegmentationResult:
    """What a run gave. ``volumes_ml``: NCR, ED, ET, TC, WT -> ml. ``seconds``: stage -> seconds, with "total".

    ``confidence``: ET, TC, WT -> the Dice to be expected (0 to 1), or None where the model is not calibrated.
    """

    segmentationNode: object
    volumes_ml: dict[str, float]
    warnings: list[str]
    seconds: dict[str, float]
    device: str
    model: str
    confidence: dict[str, float] | None = None
    probabilityNodes: dict = field(default_factory=dict)


class SegmentationJob(WorkerJob):
    """Segments ``input.volumeNode``; ``result`` becomes a :class:`SegmentationResult`."""

    def __init__(self, worker, input, **callbacks):
        super().__init__(worker, **callbacks)
        self.input = input
        self._classesFile = None
        self._probabilitiesFile = None

    def request(self, folder):
        array = imageArray(self.input.volumeNode)
        image, mask = folder / "image.npy", None
        np.save(image, array, allow_pickle=False)
        if self.input.brainMaskNode is not None:
            mask = folder / "mask.npy"
            np.save(mask, maskArray(self.input.brainMaskNode, self.input.volumeNode), allow_pickle=False)
        self._classesFile = folder / "classes.npy"
        self._probabilitiesFile = folder / "probabilities.npy" if self.input.probabilities else None
        return {
            "command": "segment",
            "array": str(image),
            "affine": worldAffine(self.input.volumeNode).tolist(),
            "mask": None if mask is None else str(mask),
            "models": [str(path) for path in self.input.models],
            "device": self.input.device,
            "flips": self.input.flips,
            "classes": str(self._classesFile),
            "probabilities": None if self._probabilitiesFile is None else str(self._probabilitiesFile),
        }

    def collect(self, event):
        volumeNode, segmentationNode = self.input.volumeNode, self.input.segmentationNode
        classes = np.load(self._classesFile, allow_pickle=False)
        if classes.shape != imageArray(volumeNode).shape:
            raise KDNetError(
                _("The volume {name} changed while it was being segmented; segment it again.").format(
                    name=volumeNode.GetName()
                )
            )
        if segmentationNode is not None and not slicer.mrmlScene.IsNodePresent(segmentationNode):
            segmentationNode = None  # deleted meanwhile: the result goes into a new one
        segmentationNode = writeSegmentation(classes, volumeNode, segmentationNode)
        probabilityNodes = {}
        if self._probabilitiesFile is None:
            removeProbabilities(segmentationNode)
        else:
            probabilities = np.load(self._probabilitiesFile, allow_pickle=False)
            probabilityNodes = writeProbabilities(probabilities, volumeNode, segmentationNode)
        warnings = list(event["warnings"])
        if nonlinearTransform(volumeNode):
            warnings.append(
                _(
                    "{name} is under a nonlinear transform, which was left out of the computation; "
                    "harden it to have it counted."
                ).format(name=volumeNode.GetName())
            )
        result = SegmentationResult(
            segmentationNode,
            dict(event["volumes_ml"]),
            warnings,
            dict(event["seconds"]),
            event["device"],
            event["model"],
            event["confidence"],
            probabilityNodes,
        )
        storeResult(result, volumeNode.GetName())
        return result
