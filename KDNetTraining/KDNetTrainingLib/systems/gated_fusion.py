"""Gated fusion (Chen et al., MICCAI 2019): content and style of each modality apart, the content fused by gates."""

import torch
from torch import nn

from KDNetLib.networks.gated_fusion import GatedFusion
from KDNetTrainingLib.losses import one_hot, soft_dice
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.any_subset import AnySubsetSystem
from KDNetTrainingLib.systems.base import channels
from KDNetTrainingLib.systems.style_reconstruction import StyleReconstruction

#: The authors' weights of reconstruction and divergence, each summed over the modalities.
_RECONSTRUCTION, _DIVERGENCE = 0.1, 0.1


class GatedFusionSystem(AnySubsetSystem):
    """Minimises Dice loss + weighted cross-entropy + 0.1 absolute error of the reconstructed modalities + 0.1 divergence of the styles.

    Each modality is kept with probability 0.5, and one at random where that leaves none. All are reconstructed, each from the
    content of those that were kept and from its own style. The authors' penalty of 0.0001 / 2 per squared weight is what
    ``weight_decay`` stands for.
    """

    def __init__(self, settings: Settings):
        super().__init__(settings)
        count = len(self.all_modalities)
        self.network = GatedFusion(count, width=settings.width)
        self.reconstruction = nn.ModuleList(StyleReconstruction(settings.width) for _ in range(count))

    def losses(self, images, classes):
        scans = channels(images, self.all_modalities)
        fused = self.network.fuse(scans, self.present())
        logits = self.network.decode(fused)
        reconstructed, divergences = zip(*(part(fused[-1], scan) for part, scan in zip(self.reconstruction, scans.split(1, dim=1))))
        probabilities = torch.softmax(logits.float(), dim=1)
        target = one_hot(classes, logits.shape[1])
        terms = {
            "gt": 1 - soft_dice(target, probabilities) + weighted_cross_entropy(target, probabilities),
            "reconstruction": sum((found.float() - scan).abs().mean() for found, scan in zip(reconstructed, scans.split(1, dim=1))),
            "kl": sum(divergences),
        }
        return {"loss": terms["gt"] + _RECONSTRUCTION * terms["reconstruction"] + _DIVERGENCE * terms["kl"], **terms}, logits

    def draw(self):
        count = len(self.all_modalities)
        kept = torch.rand(count) < 0.5
        return kept.nonzero()[:, 0].tolist() or [int(torch.randint(count, ()))]


def weighted_cross_entropy(target: torch.Tensor, probabilities: torch.Tensor) -> torch.Tensor:
    """Cross-entropy, mean over voxels, each class weighted by the share of the sample's voxels that are not of it.

    Probabilities below 0.005 count as 0.005, as in the authors' code. Both arguments are (B, C, D, H, W).
    """
    weight = 1 - target.mean(dim=(2, 3, 4), keepdim=True)
    return -(weight * target * probabilities.clamp(min=0.005).log()).sum(dim=1).mean()


def gated_fusion(settings: Settings, teacher: None) -> GatedFusionSystem:
    """Gated fusion."""
    return GatedFusionSystem(settings)
