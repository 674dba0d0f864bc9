"""The original HeMIS (Havaei et al., MICCAI 2016), in three dimensions: moments fused once, at the input's resolution."""

import torch
from torch import nn

from KDNetLib.networks.any_subset import AnySubsetNetwork, Part, moments, run_plainly
from KDNetLib.networks.blocks import InstanceNorm


class HeMIS(AnySubsetNetwork):
    """Back end of each modality, abstraction (mean and variance), front end; no downsampling.

    Two convolutions of ``width`` channels (the paper: 48) and a max pooling 2³ of stride 1 per modality; then one of
    ``width`` / 3 (16) and one to the classes, all with kernels of 5 voxels a side, after NiftyNet's implementation. The
    variance divides by the number of modalities less 1. The paper has no normalisation; InstanceNorm before each ReLU is
    what the other networks here have.
    """

    def __init__(self, channels: int = 1, classes: int = 4, width: int = 48):
        super().__init__(channels, classes, width)
        narrow = max(1, width // 3)
        self.encoders = nn.ModuleList(_BackEnd(width) for _ in range(channels))
        self.front = Part(0, *_layer(2 * width, narrow))
        self.head = Part(0, nn.Conv3d(narrow, classes, kernel_size=5, padding=2))

    @property
    def divisor(self) -> int:
        return 1

    def fuse(self, x, present, run=run_plainly):
        return [moments([self.encoders[channel](x[:, channel : channel + 1], run) for channel in present], correction=1)]

    def decode(self, fused, run=run_plainly):
        return run(self.head, run(self.front, fused[0]))


class _BackEnd(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        # After a ReLU zeros beyond the border are as good as none.
        pooling = nn.ConstantPad3d((0, 1, 0, 1, 0, 1), 0.0), nn.MaxPool3d(2, stride=1)
        self.parts = nn.ModuleList((Part(0, *_layer(1, width)), Part(0, *_layer(width, width), *pooling)))

    def forward(self, x: torch.Tensor, run) -> torch.Tensor:
        for part in self.parts:
            x = run(part, x)
        return x


def _layer(entering: int, leaving: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv3d(entering, leaving, kernel_size=5, padding=2, bias=False)
    return convolution, InstanceNorm(leaving, affine=True), nn.ReLU(inplace=True)
