"""Networks trained with the reference alone: the paper's baseline (one modality) and its teacher (all of them)."""

from KDNetTrainingLib.losses import segmentation_loss
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.backbones import new_network
from KDNetTrainingLib.systems.base import System


class Supervised(System):
    """A network over ``modalities`` that minimises L_GT (Eq. 4)."""

    def __init__(self, modalities: tuple[str, ...], settings: Settings):
        super().__init__()
        self.modalities = modalities
        self.network = new_network(modalities, settings)

    def losses(self, images, classes):
        logits = self.network(self.seen(images))
        return {"loss": segmentation_loss(classes, logits)}, logits


def baseline(settings: Settings, teacher: None) -> Supervised:
    """The paper's baseline: the student's modality alone."""
    return Supervised((settings.student_modality,), settings)


def teacher(settings: Settings, teacher: None) -> Supervised:
    """The paper's teacher."""
    return Supervised(settings.teacher_modalities, settings)
