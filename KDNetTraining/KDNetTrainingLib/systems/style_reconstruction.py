"""How gated fusion (Chen et al., MICCAI 2019) reconstructs a modality in training: fused content, and the modality's own style."""

import torch
from torch import nn
from torch.nn import functional

from KDNetLib.networks.blocks import InstanceNorm

#: Numbers that a style is told in.
_STYLE = 8


class StyleReconstruction(nn.Module):
    """Reconstructs one modality from the deepest fused content, (B, 8·``width``, …), and from the style of its own image.

    The style is 8 numbers, from which a perceptron makes a shift and a scale for each of 8·``width`` channels; four residual
    blocks apply them after normalisation (AdaIN), and three upsamplings follow. ``width`` is 16 in the paper. In the
    authors' code the first of the two multiplies and the second is added, against their names; here it is as named.
    """

    def __init__(self, width: int):
        super().__init__()
        self.style = _style_encoder(2 * width)
        channels = 8 * width
        self.perceptron = nn.Sequential(nn.Linear(_STYLE, channels), nn.ReLU(), nn.Linear(channels, channels), nn.ReLU())
        self.shift, self.scale = nn.Linear(channels, channels), nn.Linear(channels, channels)
        self.norm = InstanceNorm(channels)
        self.residuals = nn.ModuleList(nn.ModuleList((_convolution(channels, channels, 3), _convolution(channels, channels, 3))) for _ in range(4))
        self.upsampling = nn.ModuleList()
        for narrow in (4 * width, 2 * width, width):
            self.upsampling.append(nn.Sequential(_convolution(2 * narrow, narrow, 5), nn.GroupNorm(1, narrow), nn.ReLU()))
        self.head = _convolution(width, 1, 7)

    def forward(self, content: torch.Tensor, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The reconstruction of ``image`` (B, 1, D, H, W), and the divergence of shift and scale from a unit Gaussian."""
        features = self.perceptron(self.style(image).mean(dim=(2, 3, 4)))
        shift, scale = (linear(features)[:, :, None, None, None] for linear in (self.shift, self.scale))
        x = content
        for first, second in self.residuals:
            inner = functional.relu(shift + scale * self.norm(first(x)))
            x = x + shift + scale * self.norm(second(inner))
        for block in self.upsampling:
            x = block(functional.interpolate(x, scale_factor=2, mode="nearest"))
        return self.head(x), style_divergence(shift, scale)


def style_divergence(shift: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """KL(N(shift, scale²) ‖ N(0, 1)), (B, C, 1, 1, 1) each: summed over the channels, mean over the batch."""
    mean, variance = shift.float(), scale.float().square()
    return (mean.square() + variance - 1 - (variance + 1e-8).log()).sum(dim=1).mean() / 2


def _style_encoder(width: int) -> nn.Sequential:
    layers: list[nn.Module] = [_convolution(1, width, 7), nn.ReLU()]
    for before, own in ((width, 2 * width), (2 * width, 4 * width), (4 * width, 4 * width), (4 * width, 4 * width)):
        layers += [nn.Conv3d(before, own, kernel_size=4, stride=2, padding=1, padding_mode="reflect"), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv3d(4 * width, _STYLE, kernel_size=1))


def _convolution(entering: int, leaving: int, kernel: int) -> nn.Conv3d:
    return nn.Conv3d(entering, leaving, kernel, padding=kernel // 2, padding_mode="reflect")
