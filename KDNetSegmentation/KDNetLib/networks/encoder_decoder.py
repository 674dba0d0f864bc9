"""The encoder-decoder of KD-Net's Fig. 1, used alike for teacher (four modalities) and student (one).

Per level two blocks of Conv3d, InstanceNorm, LeakyReLU; max pooling down, trilinear interpolation up; skip connections
by concatenation. As in the nnU-Net of 2018, which the paper adapts, the second block before each upsampling already
narrows to the next level's width, so that interpolation runs on few channels.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from KDNetLib.networks.blocks import conv_block
from KDNetLib.networks.levels import LevelledNetwork


class EncoderDecoder(LevelledNetwork):
    """The paper's encoder-decoder, its arguments those of :class:`LevelledNetwork`."""

    def __init__(self, channels: int = 1, classes: int = 4, width: int = 16, levels: int = 5, skips: int = 4):
        super().__init__(channels, classes, width, levels, skips)
        widths = [width * 2**level for level in range(levels)]
        self.encoder = nn.ModuleList()
        for level in range(levels):
            narrow = widths[level - 1] if level == levels - 1 else widths[level]
            below = channels if level == 0 else widths[level - 1]
            self.encoder.append(nn.Sequential(conv_block(below, widths[level]), conv_block(widths[level], narrow)))
        self.decoder = nn.ModuleList()
        for level in reversed(range(levels - 1)):
            entering = widths[level] * (2 if self._has_skip(level) else 1)
            leaving = widths[max(level - 1, 0)]
            self.decoder.append(nn.Sequential(conv_block(entering, widths[level]), conv_block(widths[level], leaving)))
        self.head = nn.Conv3d(width, classes, kernel_size=1)

    @property
    def deepest_layers(self) -> list[nn.Module]:
        return [self.encoder[-1], self.decoder[0]]

    def encode(self, x: torch.Tensor, step: Callable[[float], None] | None = None) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Map ``x`` (B, channels, D, H, W) to the bottleneck and the features of every level above it, top first.

        The bottleneck is the output of the deepest blocks, before the first upsampling (the paper's Es, Et):
        (B, width·2^(levels-2), D/divisor, H/divisor, W/divisor).
        """
        features = []
        for level, blocks in enumerate(self.encoder):
            if level:
                x = functional.max_pool3d(x, 2)
            x = self._run(blocks, x, level, step)
            if level < len(self.encoder) - 1:
                features.append(x)
        return x, features

    def decode_features(self, bottleneck, features, step=None):
        x = bottleneck
        for level, blocks in zip(reversed(range(len(features))), self.decoder):
            x = functional.interpolate(x, scale_factor=2, mode="trilinear", align_corners=False)
            if self._has_skip(level):
                x = torch.cat((features[level], x), dim=1)
            x = self._run(blocks, x, level, step)
        return x

    def _run(self, blocks: nn.Sequential, x: torch.Tensor, level: int, step: Callable[[float], None] | None) -> torch.Tensor:
        for block in blocks:
            x = block(x)
            if step:
                step(_cost(block, level) / self._total_cost())
        return x

    def _total_cost(self) -> float:
        parts = [*enumerate(self.encoder), *zip(reversed(range(len(self.decoder))), self.decoder)]
        return sum(_cost(block, level) for level, blocks in parts for block in blocks)


def _cost(block: nn.Sequential, level: int) -> float:
    """Multiplications of a block relative to the others: voxels fall eightfold per level."""
    return block[0].in_channels * block[0].out_channels / 8**level
