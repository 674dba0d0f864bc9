"""KD-Net: a student of one modality, taught by the reference and by a frozen teacher that sees all of them."""

import torch

from KDNetLib.networks.base import EncodingNetwork
from KDNetTrainingLib import losses
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.taught import TaughtSystem


class KDNet(TaughtSystem):
    """The complete objective (Eq. 5), or without one of the teacher's two terms for the paper's ablation (Table 2).

    Without ``soft_labels`` λ is 0, so that the reference keeps its full weight; without ``bottleneck`` α is 0. A term
    that is off is not computed.
    """

    def __init__(self, settings: Settings, teacher: EncodingNetwork, soft_labels: bool, bottleneck: bool):
        super().__init__(settings, teacher)
        self._settings = settings
        self._imitation = settings.imitation if soft_labels else 0.0
        self._alpha = settings.alpha if bottleneck else 0.0

    def losses(self, images, classes):
        settings = self._settings
        with torch.no_grad():
            teacher_bottleneck, features = self.teacher.encode(self.seen_by_teacher(images))
            teacher_logits = self.teacher.decode(teacher_bottleneck, features) if self._imitation else None
        bottleneck, features = self.network.encode(self.seen(images))
        logits = self.network.decode(bottleneck, features)
        terms = {"gt": losses.segmentation_loss(classes, logits)}
        if self._imitation:
            mask = losses.distillation_mask(settings.distillation_mask, classes, teacher_logits, logits)
            terms["kd"] = losses.distillation_loss(teacher_logits, logits, settings.temperature, mask)
        if self._alpha:
            terms["kl"] = losses.bottleneck_divergence(teacher_bottleneck, bottleneck)
        off = torch.zeros_like(terms["gt"])
        total = losses.objective(terms.get("kd", off), terms["gt"], terms.get("kl", off), self._imitation, self._alpha)
        return {"loss": total, **terms}, logits


def gt_kl(settings: Settings, teacher: EncodingNetwork) -> KDNet:
    """The reference and the bottleneck's divergence (Eq. 3)."""
    return KDNet(settings, teacher, soft_labels=False, bottleneck=True)


def gt_kd(settings: Settings, teacher: EncodingNetwork) -> KDNet:
    """The reference and the teacher's soft labels (Eq. 2)."""
    return KDNet(settings, teacher, soft_labels=True, bottleneck=False)


def gt_kl_kd(settings: Settings, teacher: EncodingNetwork) -> KDNet:
    """The complete KD-Net."""
    return KDNet(settings, teacher, soft_labels=True, bottleneck=True)
