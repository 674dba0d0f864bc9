"""A missing modality made from the one at hand, and both segmented: two encoder-decoders, one after the other."""

import torch

from KDNetLib.networks.base import Network
from KDNetLib.networks.encoder_decoder import EncoderDecoder


class SynthesisThenSegmentation(Network):
    """``synthesiser`` makes one image from the ``channels`` given; ``segmenter`` sees both and gives the logits.

    Both are :class:`EncoderDecoder` with the same arguments, which are described there.
    """

    def __init__(self, channels: int = 1, classes: int = 4, width: int = 16, levels: int = 5, skips: int = 4):
        super().__init__()
        self.synthesiser = EncoderDecoder(channels, 1, width, levels, skips)
        self.parameters_given = {**self.synthesiser.parameters_given, "classes": classes}
        self.segmenter = EncoderDecoder(channels + 1, classes, width, levels, skips)

    @property
    def divisor(self) -> int:
        return self.segmenter.divisor

    def forward(self, x, step=None):
        return self.segment(x, self.synthesiser(x, _half(step)), _half(step))

    def segment(self, x: torch.Tensor, synthesised: torch.Tensor, step=None) -> torch.Tensor:
        """Logits (B, classes, D, H, W) of ``x`` (B, channels, D, H, W) and the ``synthesised`` image (B, 1, D, H, W)."""
        return self.segmenter(torch.cat((x, synthesised), dim=1), step)


def _half(step):
    """``step`` for a part that is half of the work: the two differ by a channel of their first layers alone."""
    return step and (lambda share: step(share / 2))
