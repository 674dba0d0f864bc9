"""Gated fusion (Chen et al., MICCAI 2019): per level each modality's features, weighted by a gate that sees all of them.

Read from the authors' code (github.com/cchen-cc/Robust-Mseg). This is the path from the images to the segmentation; the
style encoders and the decoders that reconstruct the modalities belong to the training alone.
"""

import torch
from torch import nn
from torch.nn import functional

from KDNetLib.networks.any_subset import AnySubsetNetwork, Part, Run, run_plainly
from KDNetLib.networks.blocks import InstanceNorm

_LEVELS = 4


class GatedFusion(AnySubsetNetwork):
    """The features of absent modalities are 0; the paper's ``width`` is 16 (16, 32, 64, 128 channels).

    Convolutions before an InstanceNorm have no bias, which the norm would take away again.
    """

    def __init__(self, channels: int = 1, classes: int = 4, width: int = 16):
        super().__init__(channels, classes, width)
        widths = [width * 2**level for level in range(_LEVELS)]
        self.encoders = nn.ModuleList(_ContentEncoder(widths) for _ in range(channels))
        self.gates, self.fusions = nn.ModuleList(), nn.ModuleList()
        for level, own in enumerate(widths):
            self.gates.append(Part(level, _convolution(channels * own, channels), InstanceNorm(channels, affine=True), nn.Sigmoid()))
            self.fusions.append(Part(level, *_layer(channels * own, own, kernel=1)))
        self.widening, self.joining = nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(_LEVELS - 1)):
            own = widths[level]
            self.widening.append(Part(level, *_layer(2 * own, own)))
            self.joining.append(Part(level, *_layer(2 * own, own), *_layer(own, own, kernel=1)))
        self.head = Part(0, nn.Conv3d(width, classes, kernel_size=1))

    @property
    def divisor(self) -> int:
        return 2 ** (_LEVELS - 1)

    def fuse(self, x, present, run=run_plainly):
        encoded = {channel: self.encoders[channel](x[:, channel : channel + 1], run) for channel in present}
        absent = [torch.zeros_like(features) for features in next(iter(encoded.values()))]
        contents = zip(*(encoded.get(channel, absent) for channel in range(x.shape[1])))
        return [self._fuse_level(list(features), *parts, run) for features, *parts in zip(contents, self.gates, self.fusions)]

    def _fuse_level(self, features: list[torch.Tensor], gate: Part, fusion: Part, run: Run) -> torch.Tensor:
        gates = run(gate, torch.cat(features, dim=1)).split(1, dim=1)
        return run(fusion, torch.cat([own * weight for own, weight in zip(features, gates)], dim=1))

    def decode(self, fused, run=run_plainly):
        x = fused[-1]
        for features, widen, join in zip(reversed(fused[:-1]), self.widening, self.joining):
            x = run(widen, functional.interpolate(x, scale_factor=2, mode="nearest"))
            x = run(join, torch.cat((x, features), dim=1))
        return run(self.head, x)

    def _weights_for(self, kept):
        weights = super()._weights_for(kept)
        for name, weight in weights.items():
            if name.startswith("gates."):
                weight = weight[kept]
            if name.startswith(("gates.", "fusions.")) and weight.dim() == 5:  # what enters are the modalities' features, one behind the other
                weight = weight.unflatten(1, (self.parameters_given["channels"], -1))[:, kept].flatten(1, 2)
            weights[name] = weight
        return weights


class _ContentEncoder(nn.Module):
    """Maps one modality (B, 1, D, H, W) to features at every level, each a convolution and a residual pair of them."""

    def __init__(self, widths: list[int]):
        super().__init__()
        self.entering, self.residual = nn.ModuleList(), nn.ModuleList()
        for level, own in enumerate(widths):
            before = widths[level - 1] if level else 1
            self.entering.append(Part(level, *_layer(before, own, stride=2 if level else 1)))
            self.residual.append(Part(level, *_layer(own, own), *_layer(own, own)))

    def forward(self, x: torch.Tensor, run: Run) -> list[torch.Tensor]:
        features = []
        for enter, residual in zip(self.entering, self.residual):
            x = run(enter, x)
            x = x + run(residual, x)
            features.append(x)
        return features


def _convolution(entering: int, leaving: int, kernel: int = 3, stride: int = 1) -> nn.Conv3d:
    return nn.Conv3d(entering, leaving, kernel, stride, padding=kernel // 2, padding_mode="reflect" if kernel > 1 else "zeros", bias=False)


def _layer(entering: int, leaving: int, kernel: int = 3, stride: int = 1) -> tuple[nn.Module, ...]:
    return _convolution(entering, leaving, kernel, stride), InstanceNorm(leaving, affine=True), nn.LeakyReLU(0.2, inplace=True)
