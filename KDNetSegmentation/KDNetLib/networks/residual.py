"""A residual encoder-decoder as nnU-Net's present default has it, for teacher and student alike.

After the residual encoder U-Net of Isensee et al. (MICCAI 2024, "nnU-Net Revisited"; ResidualEncoderUNet of the library
dynamic-network-architectures 0.4): a stem, per level 1, 3, 4, 6, 6, ... residual blocks of the ResNet-D kind, downsampling
by stride 2 in a level's first block, transposed convolutions up, and one convolution per level of the decoder. As there,
no level has more than 320 channels. Without deep supervision, which KD-Net's objective does not have, and without the
biases before a normalisation, which takes them out again.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from KDNetLib.networks.blocks import Convolution, InstanceNorm, conv_block
from KDNetLib.networks.levels import LevelledNetwork

#: Residual blocks per level of the encoder, and the most channels of a level (nnU-Net's ResEncUNetPlanner).
_BLOCKS, _MOST_CHANNELS = (1, 3, 4, 6, 6, 6, 6), 320


class ResidualBlock(nn.Module):
    """Two 3³ convolutions around which the input goes: (B, channels_in, ...) to (B, channels_out, ... / stride).

    ResNet-D (He et al., CVPR 2019): where a stride is needed the shortcut averages, and where the channels differ a 1³
    convolution follows. The last normalisation begins with weight 0, so that the block begins as its shortcut.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1):
        super().__init__()
        self.first = conv_block(channels_in, channels_out, stride)
        self.second = nn.Sequential(Convolution(channels_out, channels_out), InstanceNorm(channels_out, affine=True))
        nn.init.zeros_(self.second[1].weight)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.AvgPool3d(stride))
        if channels_in != channels_out:
            self.shortcut.extend([nn.Conv3d(channels_in, channels_out, kernel_size=1, bias=False), InstanceNorm(channels_out, affine=True)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.leaky_relu(self.second(self.first(x)) + self.shortcut(x), 0.01)


class ResidualEncoderDecoder(LevelledNetwork):
    """nnU-Net's residual encoder U-Net, its arguments those of :class:`LevelledNetwork`."""

    def __init__(self, channels: int = 1, classes: int = 4, width: int = 16, levels: int = 5, skips: int = 4):
        super().__init__(channels, classes, width, levels, skips)
        widths = [min(width * 2**level, _MOST_CHANNELS) for level in range(levels)]
        self.stem = conv_block(channels, width)
        self.encoder = nn.ModuleList()
        for level, (above, own) in enumerate(zip([width, *widths], widths)):
            blocks = [ResidualBlock(above, own, 2 if level else 1)]
            self.encoder.append(nn.Sequential(*blocks, *(ResidualBlock(own, own) for _ in range(_BLOCKS[level] - 1))))
        self.up, self.decoder = nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(levels - 1)):
            self.up.append(nn.ConvTranspose3d(widths[level + 1], widths[level], kernel_size=2, stride=2, bias=False))
            self.decoder.append(conv_block(widths[level] * (2 if self._has_skip(level) else 1), widths[level]))
        self.head = nn.Conv3d(width, classes, kernel_size=1)

    @property
    def deepest_layers(self) -> list[nn.Module]:
        return [self.encoder[-1], self.up[0], self.decoder[0]]

    def encode(self, x: torch.Tensor, step: Callable[[float], None] | None = None) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Map ``x`` (B, channels, D, H, W) to the bottleneck and the features of every level above it, top first.

        The bottleneck is the output of the deepest residual block, before the first upsampling:
        (B, min(320, width·2^(levels-1)), D/divisor, H/divisor, W/divisor).
        """
        features = []
        x = self._run(self.stem, x, 0, step)
        for level, blocks in enumerate(self.encoder):
            for block in blocks:
                x = self._run(block, x, level, step)
            features.append(x)
        return x, features[:-1]

    def decode_features(self, bottleneck, features, step=None):
        x = bottleneck
        for level, up, block in zip(reversed(range(len(features))), self.up, self.decoder):
            x = self._run(up, x, level, step)
            if self._has_skip(level):
                x = torch.cat((features[level], x), dim=1)
            x = self._run(block, x, level, step)
        return x

    def _run(self, layer: nn.Module, x: torch.Tensor, level: int, step: Callable[[float], None] | None) -> torch.Tensor:
        x = layer(x)
        if step:
            step(_cost(layer, level) / self._total_cost())
        return x

    def _total_cost(self) -> float:
        encoder = [(level, block) for level, blocks in enumerate(self.encoder) for block in blocks]
        decoder = [(level, layer) for level, layers in zip(reversed(range(len(self.up))), zip(self.up, self.decoder)) for layer in layers]
        return sum(_cost(layer, level) for level, layer in [(0, self.stem), *encoder, *decoder])


def _cost(layer: nn.Module, level: int) -> float:
    """Multiplications that give a level's output, relative to the others: voxels fall eightfold per level.

    Every weight of a kernel is used once for an output voxel; of a transposed convolution's 2³ kernel only one is.
    """
    kernels = [part for part in layer.modules() if isinstance(part, (nn.Conv3d, nn.ConvTranspose3d))]
    return sum(part.weight.numel() / (8 if isinstance(part, nn.ConvTranspose3d) else 1) for part in kernels) / 8**level
