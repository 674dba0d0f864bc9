"""The encoder of one modality and the decoder that U-HeMIS and U-HVED (Dorent et al., MICCAI 2019) have in common.

Four levels of two InstanceNorm, LeakyReLU, Conv3d 3³ each, max pooling down, trilinear interpolation and concatenation
up; read from the authors' code (github.com/ReubenDo/U-HVED), apart from a bias in the last convolution.
"""

import torch
from torch import nn
from torch.nn import functional

from KDNetLib.networks.any_subset import Part, Run, run_plainly
from KDNetLib.networks.blocks import Convolution, InstanceNorm

LEVELS = 4
DIVISOR = 2 ** (LEVELS - 1)


def half_width(width: int, level: int) -> int:
    """Half of the channels of ``level``, and so many fused moments or Gaussians of each kind: ``width`` is that of the first level."""
    return max(1, width * 2**level // 2)


class ModalityEncoder(nn.Module):
    """Maps one modality (B, 1, D, H, W) to two values per fused channel at every level (``gaussian``), or to one."""

    def __init__(self, width: int, gaussian: bool):
        super().__init__()
        self.stem = Part(0, nn.Conv3d(1, width, kernel_size=1, bias=False), nn.LeakyReLU(0.01, inplace=True))
        self.blocks = nn.ModuleList()
        before = width
        for level in range(LEVELS):
            leaving = half_width(width, level) * (2 if gaussian else 1)
            self.blocks.append(_block(level, before, width * 2**level, leaving))
            before = leaving

    def forward(self, x: torch.Tensor, run: Run = run_plainly) -> list[torch.Tensor]:
        x = run(self.stem, x)
        features = []
        for level, block in enumerate(self.blocks):
            x = run(block, functional.max_pool3d(x, 2) if level else x)
            features.append(x)
        return features


class FusionDecoder(nn.Module):
    """Maps fused features, (B, ``entering[level]``, …) at every level, to (B, ``leaving``, D, H, W)."""

    def __init__(self, width: int, entering: list[int], leaving: int):
        super().__init__()
        self.blocks = nn.ModuleList()
        before = entering[-1]
        for level in reversed(range(LEVELS - 1)):
            narrow = half_width(width, level)
            self.blocks.append(_block(level, before + entering[level], width * 2**level, narrow))
            before = narrow
        self.head = Part(0, nn.Conv3d(before, leaving, kernel_size=1))

    def forward(self, fused: list[torch.Tensor], run: Run = run_plainly) -> torch.Tensor:
        x = fused[-1]
        for features, block in zip(reversed(fused[:-1]), self.blocks):
            x = functional.interpolate(x, scale_factor=2, mode="trilinear", align_corners=False)
            x = run(block, torch.cat((x, features), dim=1))
        return run(self.head, x)


def _block(level: int, entering: int, between: int, leaving: int) -> Part:
    return Part(level, *_layer(entering, between), *_layer(between, leaving))


def _layer(entering: int, leaving: int) -> tuple[nn.Module, ...]:
    norm = InstanceNorm(entering, affine=True)
    return norm, nn.LeakyReLU(0.01, inplace=True), Convolution(entering, leaving)
