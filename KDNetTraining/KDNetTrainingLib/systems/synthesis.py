"""FLAIR made from T1ce, then both segmented (Hu et al., MICCAI 2020, Observations): no teacher, T1ce alone at test.

The paper: "We also tried to expand the Student network by first synthesizing another modality, such as the Flair, from
the T1ce and then using it, together with the T1ce, for segmenting the tumor labels." It gives no losses. Read here as
one network trained as a whole, from random weights, with L_GT (Eq. 4) of the segmentation and, of equal weight, the mean
absolute error of the made image; the first reaches the synthesiser too, which may therefore make what helps to segment.
"""

import torch

from KDNetLib.networks.synthesis import SynthesisThenSegmentation
from KDNetTrainingLib.losses import segmentation_loss
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.base import System, channels


def synthesis_loss(image: torch.Tensor, synthesised: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference (L1) over the voxels that are not background, then over the samples.

    Both (B, 1, D, H, W), in standard deviations of the true ``image``, whose background is exactly 0. Background is most
    of the grid and empty in every modality; counted, it would hide the error in the brain. A sample without any other
    voxel adds 0.
    """
    brain = (image != 0).float()
    difference = (image - synthesised).float().abs() * brain
    return (difference.sum(dim=(1, 2, 3, 4)) / brain.sum(dim=(1, 2, 3, 4)).clamp(min=1)).mean()


class Synthesis(System):
    """Makes FLAIR (T1ce where FLAIR is the student's modality) and segments it with the student's modality."""

    def __init__(self, settings: Settings, teacher: None):
        super().__init__()
        self.modalities = (settings.student_modality,)
        self._synthesised = ("t1ce" if settings.student_modality == "flair" else "flair",)
        torch.manual_seed(settings.seed)
        self.network = SynthesisThenSegmentation(width=settings.width, skips=settings.skips)

    def losses(self, images, classes):
        seen = self.seen(images)
        synthesised = self.network.synthesiser(seen)
        logits = self.network.segment(seen, synthesised)
        terms = {"gt": segmentation_loss(classes, logits), "l1": synthesis_loss(channels(images, self._synthesised), synthesised)}
        return {"loss": terms["gt"] + terms["l1"], **terms}, logits
