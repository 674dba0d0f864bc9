"""HeMIS (Havaei et al., MICCAI 2016) and U-HeMIS (Dorent et al., MICCAI 2019)."""

import torch

from KDNetLib.networks.any_subset import AnySubsetNetwork
from KDNetLib.networks.hemis import HeMIS
from KDNetLib.networks.u_hemis import UHeMIS
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.any_subset import AnySubsetSystem, any_number_of, dice_and_cross_entropy, some_of
from KDNetTrainingLib.systems.base import channels

#: Steps in which HeMIS sees every modality before any is dropped; the paper says "a few".
_WARM_UP = 100


class UHeMISSystem(AnySubsetSystem):
    """Fused moments at every level; every number of modalities is equally frequent in training.

    Minimises Dice loss and cross-entropy, which HeMIS is given as well: its own paper has cross-entropy over patches drawn so
    that the classes are balanced, and the samples here are not.
    """

    architecture: type[AnySubsetNetwork] = UHeMIS

    def __init__(self, settings: Settings):
        super().__init__(settings)
        self.network = self.architecture(len(self.all_modalities), width=settings.width)

    def losses(self, images, classes):
        logits = self.network.decode(self.network.fuse(channels(images, self.all_modalities), self.present()))
        return {"loss": dice_and_cross_entropy(classes, logits)}, logits

    def draw(self):
        return any_number_of(len(self.all_modalities))


class HeMISSystem(UHeMISSystem):
    """Moments fused once, with the paper's pseudo-curriculum: first every modality, then no or one dropped more often than more.

    The paper gives no figures; here none or one is missing twice as often as each greater number.
    """

    architecture = HeMIS

    def __init__(self, settings: Settings):
        super().__init__(settings)
        # Kept with the weights, so that a resumed training goes on where it was.
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def draw(self):
        count = len(self.all_modalities)
        self.steps += 1
        if self.steps <= _WARM_UP:
            return list(range(count))
        frequency = torch.tensor([2.0 if dropped < 2 else 1.0 for dropped in range(count)])
        return some_of(count, count - int(torch.multinomial(frequency, 1)))


def hemis(settings: Settings, teacher: None) -> HeMISSystem:
    """The original HeMIS."""
    return HeMISSystem(settings)


def u_hemis(settings: Settings, teacher: None) -> UHeMISSystem:
    """U-HeMIS."""
    return UHeMISSystem(settings)
