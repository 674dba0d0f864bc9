"""U-HVED (Dorent et al., MICCAI 2019): at every level a Gaussian per modality, fused as a product of experts."""

from collections.abc import Sequence

import torch
from torch import nn

from KDNetLib.networks.any_subset import AnySubsetNetwork, Run, run_plainly
from KDNetLib.networks.fusion_unet import DIVISOR, LEVELS, FusionDecoder, ModalityEncoder, half_width

#: Mean and log-variance, (B, C, D, H, W) float32 each.
Gaussian = tuple[torch.Tensor, torch.Tensor]
#: Added to variances before a division or logarithm, and what log-variances are limited to (the authors' values).
_EPSILON, _LARGEST = 1e-7, 50.0


class UHVED(AnySubsetNetwork):
    """The encoder-decoder of U-HeMIS with Gaussians in the place of moments; the paper's ``width`` is 8.

    It decodes the fused Gaussian's mean, so that the same input always gives the same output. Sampling and the decoders
    that reconstruct the modalities belong to the training alone.
    """

    def __init__(self, channels: int = 1, classes: int = 4, width: int = 8):
        super().__init__(channels, classes, width)
        self.encoders = nn.ModuleList(ModalityEncoder(width, gaussian=True) for _ in range(channels))
        self.decoder = new_decoder(width, classes)

    @property
    def divisor(self) -> int:
        return DIVISOR

    def gaussians(self, x: torch.Tensor, present: Sequence[int], run: Run = run_plainly) -> list[list[Gaussian]]:
        """For every level, top first, the Gaussian of each channel ``present`` of ``x`` (B, channels, D, H, W)."""
        encoded = [self.encoders[channel](x[:, channel : channel + 1], run) for channel in present]
        return [[_gaussian(features) for features in level] for level in zip(*encoded)]

    def fuse(self, x, present, run=run_plainly):
        return [product_of_gaussians(level)[0] for level in self.gaussians(x, present, run)]

    def decode(self, fused, run=run_plainly):
        return self.decoder(fused, run)


def new_decoder(width: int, leaving: int) -> FusionDecoder:
    """A decoder of samples, or means, of every level's fused Gaussian to ``leaving`` channels."""
    return FusionDecoder(width, [half_width(width, level) for level in range(LEVELS)], leaving)


def product_of_gaussians(experts: list[Gaussian]) -> Gaussian:
    """The normalised product of ``experts`` (at least one) and the prior N(0, 1): precisions add up, means weighted by them."""
    precision, weighted = 1.0, 0.0
    for mean, log_variance in experts:
        own = 1 / (log_variance.exp() + _EPSILON)
        precision, weighted = precision + own, weighted + mean * own
    return weighted / precision, -torch.log(precision)


def _gaussian(features: torch.Tensor) -> Gaussian:
    mean, log_variance = features.float().chunk(2, dim=1)
    return mean, log_variance.clamp(-_LARGEST, _LARGEST)
