"""U-HeMIS (Dorent et al., MICCAI 2019): the moments of HeMIS at every level of an encoder-decoder."""

from torch import nn

from KDNetLib.networks.any_subset import AnySubsetNetwork, moments, run_plainly
from KDNetLib.networks.fusion_unet import DIVISOR, LEVELS, FusionDecoder, ModalityEncoder, half_width


class UHeMIS(AnySubsetNetwork):
    """At every level mean and variance over the modalities at hand; the paper's ``width`` is 8 (8, 16, 32, 64 channels).

    The variance divides by the number of modalities, as the authors' code does.
    """

    def __init__(self, channels: int = 1, classes: int = 4, width: int = 8):
        super().__init__(channels, classes, width)
        self.encoders = nn.ModuleList(ModalityEncoder(width, gaussian=False) for _ in range(channels))
        self.decoder = FusionDecoder(width, [2 * half_width(width, level) for level in range(LEVELS)], classes)

    @property
    def divisor(self) -> int:
        return DIVISOR

    def fuse(self, x, present, run=run_plainly):
        encoded = [self.encoders[channel](x[:, channel : channel + 1], run) for channel in present]
        return [moments(list(features), correction=0) for features in zip(*encoded)]

    def decode(self, fused, run=run_plainly):
        return self.decoder(fused, run)
