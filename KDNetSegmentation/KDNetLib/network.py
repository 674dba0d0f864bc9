"""The encoder-decoder of KD-Net's Fig. 1, used alike for teacher (four modalities) and student (one).

Per level two blocks of Conv3d, InstanceNorm, LeakyReLU; max pooling down, trilinear interpolation up; skip connections
by concatenation. As in the nnU-Net of 2018, which the paper adapts, the second block before each upsampling already
narrows to the next level's width, so that interpolation runs on few channels.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

#: Limits of what a model file may ask for, so that a hostile one cannot exhaust memory.
MAX_CHANNELS, MAX_WIDTH, MAX_LEVELS = 16, 64, 7


class _InstanceNorm(nn.InstanceNorm3d):
    """InstanceNorm3d, on the CPU computed as the batch normalisation that it is for a batch of one sample.

    torch's own CPU kernel leaves the channels-last layout, and it and the next convolution copy everything twice: with
    16 channels at 64³ 60 ms forward and backward against 17.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type != "cpu":
            return super().forward(x)
        samples = [functional.batch_norm(sample, None, None, self.weight, self.bias, training=True, eps=self.eps) for sample in x.split(1)]
        return samples[0] if len(samples) == 1 else torch.cat(samples)


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(channels_in, channels_out, kernel_size=3, padding=1, bias=False),
        _InstanceNorm(channels_out, affine=True),
        nn.LeakyReLU(0.01, inplace=True),
    )


class EncoderDecoder(nn.Module):
    """Encoder-decoder with ``skips`` skip connections, counted from the deepest level upwards.

    Args:
        channels: input channels (modalities), 1 to 16.
        classes: output channels, background included.
        width: channels of the first level; doubled at each further level.
        levels: number of resolutions, the bottleneck included (the paper: 5, so 64³ becomes 4³).
        skips: how many of the ``levels - 1`` skip connections exist (the paper: 4 or 0).

    Raises ValueError where an argument is out of range.
    """

    def __init__(self, channels: int = 1, classes: int = 4, width: int = 16, levels: int = 5, skips: int = 4):
        super().__init__()
        limits = {"channels": (1, MAX_CHANNELS), "classes": (2, 16), "width": (1, MAX_WIDTH), "levels": (2, MAX_LEVELS)}
        limits["skips"] = (0, levels - 1 if type(levels) is int else 0)
        given = {"channels": channels, "classes": classes, "width": width, "levels": levels, "skips": skips}
        for name, (low, high) in limits.items():
            if type(given[name]) is not int or not low <= given[name] <= high:
                raise ValueError(f"{name} must be a whole number from {low} to {high}, not {given[name]!r}")
        self.parameters_given = given
        widths = [width * 2**level for level in range(levels)]
        self.encoder = nn.ModuleList()
        for level in range(levels):
            narrow = widths[level - 1] if level == levels - 1 else widths[level]
            below = channels if level == 0 else widths[level - 1]
            self.encoder.append(nn.Sequential(_block(below, widths[level]), _block(widths[level], narrow)))
        self.decoder = nn.ModuleList()
        for level in reversed(range(levels - 1)):
            entering = widths[level] * (2 if self._has_skip(level) else 1)
            leaving = widths[max(level - 1, 0)]
            self.decoder.append(nn.Sequential(_block(entering, widths[level]), _block(widths[level], leaving)))
        self.head = nn.Conv3d(width, classes, kernel_size=1)

    @property
    def divisor(self) -> int:
        """Every spatial side of an input must be a multiple of this (16 with 5 levels)."""
        return 2 ** (self.parameters_given["levels"] - 1)

    def _has_skip(self, level: int) -> bool:
        return level >= self.parameters_given["levels"] - 1 - self.parameters_given["skips"]

    def encode(self, x: torch.Tensor, step: Callable[[float], None] | None = None) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Map ``x`` (B, channels, D, H, W) to the bottleneck and the features of every level above it, top first.

        The bottleneck is the output of the deepest blocks, before the first upsampling (the paper's Es, Et):
        (B, width·2^(levels-2), D/divisor, H/divisor, W/divisor). For ``step`` see :meth:`forward`.
        """
        features = []
        for level, blocks in enumerate(self.encoder):
            if level:
                x = functional.max_pool3d(x, 2)
            x = self._run(blocks, x, level, step)
            if level < len(self.encoder) - 1:
                features.append(x)
        return x, features

    def decode(self, bottleneck: torch.Tensor, features: list[torch.Tensor], step: Callable[[float], None] | None = None) -> torch.Tensor:
        """Map what :meth:`encode` gives to logits (B, classes, D, H, W)."""
        x = bottleneck
        for level, blocks in zip(reversed(range(len(features))), self.decoder):
            x = functional.interpolate(x, scale_factor=2, mode="trilinear", align_corners=False)
            if self._has_skip(level):
                x = torch.cat((features[level], x), dim=1)
            x = self._run(blocks, x, level, step)
        return self.head(x)

    def forward(self, x: torch.Tensor, step: Callable[[float], None] | None = None) -> torch.Tensor:
        """Logits (B, classes, D, H, W) of ``x`` (B, channels, D, H, W).

        ``step`` is called after every block with the share of the whole pass's arithmetic that the block was; the
        shares sum to 1. Raising in it leaves the pass early, which is how a run is cancelled.
        """
        return self.decode(*self.encode(x, step), step)

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
