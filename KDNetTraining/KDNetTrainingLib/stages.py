"""The stages of a training: coarse samples, then crops, at last whole scans as at test.

Most of what a network must learn can be learnt at half the resolution for an eighth of the time: it is fully
convolutional, so that its weights go on at the full one (progressive resizing). But InstanceNorm takes its mean and
deviation over whatever is in sight, and a whole scan with its background has others than a crop inside the brain, so
the last epochs should show what the test shows. Imports no torch.
"""

import math
from dataclasses import dataclass

from KDNetLib.networks.limits import padded_side
from KDNetTrainingLib.settings import Settings

#: A sample of half the resolution has an eighth of the voxels.
_COARSE_COST = 1 / 8
#: Sides in mm of what is preprocessed of a case: the central cube, and a typical box of a brain (38 % of BraTS's grid).
SIDES_MM = {"paper": (128, 128, 128), "whole-brain": (143, 174, 136)}
#: Networks of five levels, as all here are in training, halve a volume four times.
_DIVISOR = 16


@dataclass(frozen=True)
class Stages:
    """Which of ``epochs`` (counted from 0) are of which stage: those before ``fine_from`` coarse, those from ``whole_from`` on whole.

    ``whole_cost``: what a whole scan takes in the time of a crop.
    """

    epochs: int
    fine_from: int
    whole_from: int
    whole_cost: float

    def cost(self, epoch: int) -> float:
        """The time that ``epoch`` takes, in epochs of crops."""
        return _COARSE_COST if epoch < self.fine_from else self.whole_cost if epoch >= self.whole_from else 1.0

    def cost_from(self, epoch: int) -> float:
        """The time from ``epoch`` to the last one, in epochs of crops."""
        return sum(map(self.cost, range(epoch, self.epochs)))


def stages_of(settings: Settings, epochs: int) -> Stages:
    """The stages of a training of ``epochs`` with these ``settings``; the last epoch is never coarse."""
    fine_from = min(round(epochs * settings.coarse), epochs - 1)
    whole = whole_size([side / settings.spacing for side in SIDES_MM[settings.preprocessing]])
    return Stages(epochs, fine_from, epochs - round(epochs * settings.whole), math.prod(whole) / math.prod(settings.crop))


def whole_size(sides) -> tuple[int, ...]:
    """The sides of a volume of ``sides`` network voxels as inference pads it."""
    return tuple(padded_side(side, _DIVISOR) for side in sides)
