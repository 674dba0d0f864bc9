"""U-HeMIS (Dorent et al., MICCAI 2019)."""

from KDNetLib.networks.any_subset import AnySubsetNetwork
from KDNetLib.networks.u_hemis import UHeMIS
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.any_subset import AnySubsetSystem, any_number_of, dice_and_cross_entropy
from KDNetTrainingLib.systems.base import channels


class UHeMISSystem(AnySubsetSystem):
    """Minimises Dice loss and cross-entropy; every number of modalities is equally frequent in training."""

    architecture: type[AnySubsetNetwork] = UHeMIS

    def __init__(self, settings: Settings):
        super().__init__(settings)
        self.network = self.architecture(len(self.all_modalities), width=settings.width)

    def losses(self, images, classes):
        logits = self.network.decode(self.network.fuse(channels(images, self.all_modalities), self.present()))
        return {"loss": dice_and_cross_entropy(classes, logits)}, logits

    def draw(self):
        return any_number_of(len(self.all_modalities))


def u_hemis(settings: Settings, teacher: None) -> UHeMISSystem:
    """U-HeMIS."""
    return UHeMISSystem(settings)
