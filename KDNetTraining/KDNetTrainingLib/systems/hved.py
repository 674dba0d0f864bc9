"""U-HVED (Dorent et al., MICCAI 2019): segmentation and reconstruction from samples of the fused Gaussians."""

from itertools import combinations

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from KDNetLib.networks.hved import UHVED, Gaussian, new_decoder, product_of_gaussians
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.any_subset import AnySubsetSystem, any_number_of, dice_and_cross_entropy
from KDNetTrainingLib.systems.base import channels

#: The authors' weights of divergence and reconstruction.
_DIVERGENCE, _RECONSTRUCTION = 0.1, 0.1


class UHVEDSystem(AnySubsetSystem):
    """Minimises Dice loss + cross-entropy + 0.1 divergence of the Gaussians + 0.1 squared error of the reconstructed modalities.

    Every modality is encoded, since the divergence is over all subsets, and every one is reconstructed; segmentation and
    reconstruction see those that were drawn alone. In evaluation the fused mean takes the place of a sample.
    """

    def __init__(self, settings: Settings):
        super().__init__(settings)
        count = len(self.all_modalities)
        self.network = UHVED(count, width=settings.width)
        self.reconstruction = nn.ModuleList(new_decoder(settings.width, 1) for _ in range(count))

    def losses(self, images, classes):
        scans, present = channels(images, self.all_modalities), self.present()
        levels = self.network.gaussians(scans, range(len(self.all_modalities)))
        fused = [product_of_gaussians([level[place] for place in present]) for level in levels]
        features = [self._sample(gaussian) for gaussian in fused]
        logits = self.network.decode(features)
        reconstructed = torch.cat([decoder(features) for decoder in self.reconstruction], dim=1)
        divergences = [mean_divergence(level, gaussian) for level, gaussian in zip(levels, fused)]
        terms = {
            "gt": dice_and_cross_entropy(classes, logits),
            "kl": torch.stack(divergences).mean(),
            "reconstruction": (reconstructed.float() - scans).square().mean(),
        }
        return {"loss": terms["gt"] + _DIVERGENCE * terms["kl"] + _RECONSTRUCTION * terms["reconstruction"], **terms}, logits

    def draw(self):
        return any_number_of(len(self.all_modalities))

    def _sample(self, gaussian: Gaussian) -> torch.Tensor:
        mean, log_variance = gaussian
        return mean + (log_variance / 2).exp() * torch.randn_like(mean) if self.training else mean


def mean_divergence(modalities: list[Gaussian], fused: Gaussian) -> torch.Tensor:
    """Of one level, over all non-empty subsets of ``modalities``: how far each one's product is from ``fused`` and from the prior.

    KL(fused ‖ subset) summed and divided by their number less 1, as in the authors' code, plus the mean of KL(subset ‖
    N(0, 1)); a mean over voxels and channels.
    """
    subsets = [subset for size in range(1, len(modalities) + 1) for subset in combinations(modalities, size)]
    between, prior = zip(*(_divergences(subset, fused) for subset in subsets))
    return sum(between) / max(1, len(subsets) - 1) + sum(prior) / len(subsets)


def gaussian_divergence(first: Gaussian, second: Gaussian) -> torch.Tensor:
    """KL(first ‖ second), mean over all elements."""
    (mean, log_variance), (other_mean, other_log_variance) = first, second
    ratio = log_variance - other_log_variance
    return (ratio.exp() + (mean - other_mean).square() * (-other_log_variance).exp() - 1 - ratio).mean() / 2


def _divergences(subset: tuple[Gaussian, ...], fused: Gaussian) -> tuple[torch.Tensor, torch.Tensor]:
    def compute(*flat: torch.Tensor):
        *experts, whole = zip(flat[::2], flat[1::2])
        product = product_of_gaussians(experts)
        prior = torch.zeros_like(product[0]), torch.zeros_like(product[0])
        return gaussian_divergence(whole, product), gaussian_divergence(product, prior)

    # Of 15 subsets at full resolution nothing is kept for the backward pass; computing it again costs little.
    return checkpoint(compute, *(part for gaussian in (*subset, fused) for part in gaussian), use_reentrant=False, preserve_rng_state=False)


def u_hved(settings: Settings, teacher: None) -> UHVEDSystem:
    """U-HVED."""
    return UHVEDSystem(settings)
