"""The layers that the networks are made of."""

import torch
from torch import nn
from torch.nn import functional


class InstanceNorm(nn.InstanceNorm3d):
    """InstanceNorm3d, on the CPU computed as the batch normalisation that it is for a batch of one sample.

    torch's own CPU kernel leaves the channels-last layout, and it and the next convolution copy everything twice: with
    16 channels at 64³ 60 ms forward and backward against 17.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type != "cpu":
            return super().forward(x)
        samples = [functional.batch_norm(sample, None, None, self.weight, self.bias, training=True, eps=self.eps) for sample in x.split(1)]
        return samples[0] if len(samples) == 1 else torch.cat(samples)


#: torch gives a convolution of a single sample to oneDNN only where channels × depth × height exceed this
#: (``use_mkldnn`` in aten/src/ATen/native/Convolution.cpp).
_LARGE = 20480


class Convolution(nn.Conv3d):
    """Conv3d 3³; a small single sample goes through as two halves on the CPU, which changes nothing but the time.

    torch keeps such a sample from oneDNN, whose kernels are 2 to 9 times as fast: a training step of the paper's network
    takes 0.73 s at 32³ without this and 0.27 s with it, at 64³ 2.3 s and 1.65 s (one thread).
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1):
        super().__init__(channels_in, channels_out, kernel_size=3, stride=stride, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        samples, channels, depth, height, _ = x.shape
        if samples > 1 or depth < 4 or channels * depth * height > _LARGE or self.stride[0] > 1 or x.device.type != "cpu":
            return super().forward(x)
        half = (depth + 1) // 2
        padded = functional.pad(x, (0, 0, 0, 0, 1, 1 + 2 * half - depth))
        halves = torch.cat([padded[:, :, : half + 2], padded[:, :, half:]])
        return torch.cat(functional.conv3d(halves, self.weight, padding=(0, 1, 1)).split(1), dim=2)[:, :, :depth]


def conv_block(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    """Conv3d 3³ without bias, InstanceNorm, LeakyReLU 0.01."""
    return nn.Sequential(
        Convolution(channels_in, channels_out, stride),
        InstanceNorm(channels_out, affine=True),
        nn.LeakyReLU(0.01, inplace=True),
    )
