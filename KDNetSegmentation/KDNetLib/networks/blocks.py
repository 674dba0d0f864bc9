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
    """Conv3d 3³; a small single sample is trained on the CPU as two halves, which changes nothing but the time.

    torch keeps such a sample from oneDNN, whose kernels are 2 to 9 times as fast: a training step of the paper's network
    takes 0.73 s at 32³ without this and 0.27 s with it, at 64³ 2.3 s and 1.65 s (one thread). Not in inference mode: once
    oneDNN got no memory for a new kernel it refuses every further one in that thread, and smaller tiles would not help.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1):
        super().__init__(channels_in, channels_out, kernel_size=3, stride=stride, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        samples, channels, depth, height, _ = x.shape
        small = samples == 1 and channels * depth * height <= _LARGE and x.device.type == "cpu"
        # Halves of equal size, so that nothing is computed twice.
        axis = next((axis for axis in (2, 3, 4) if x.shape[axis] >= 4 and x.shape[axis] % 2 == 0), None)
        if not small or torch.is_inference_mode_enabled():
            return super().forward(x)
        if axis is None or self.stride[0] > 1:
            # torch's own kernel; in bfloat16 (torch 2.13) its weight's gradient is now and then NaN, left over in memory.
            with torch.autocast("cpu", enabled=False):
                return super().forward(x.to(self.weight.dtype))
        half, margins, padding = x.shape[axis] // 2, [0] * 6, [1, 1, 1]
        margins[8 - 2 * axis : 10 - 2 * axis] = 1, 1  # the last axis first
        padding[axis - 2] = 0
        padded = functional.pad(x, margins)
        halves = torch.cat([padded.narrow(axis, begin, half + 2) for begin in (0, half)])
        return torch.cat(functional.conv3d(halves, self.weight, padding=padding).split(1), dim=axis)


def conv_block(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    """Conv3d 3³ without bias, InstanceNorm, LeakyReLU 0.01."""
    return nn.Sequential(
        Convolution(channels_in, channels_out, stride),
        InstanceNorm(channels_out, affine=True),
        nn.LeakyReLU(0.01, inplace=True),
    )
