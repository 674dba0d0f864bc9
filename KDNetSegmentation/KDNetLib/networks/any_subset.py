"""What the networks for any subset of the modalities share: an encoder for each, fusion of what they give, one decoder."""

from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import nn

from KDNetLib.networks.base import Network
from KDNetLib.networks.limits import MAX_CHANNELS, MAX_WIDTH, check_whole_numbers


class Part(nn.Sequential):
    """Layers that run in one go at ``level``, where every side is 2^level times shorter than the input's."""

    def __init__(self, level: int, *layers: nn.Module):
        super().__init__(*layers)
        self._level = level

    @property
    def cost(self) -> float:
        """Multiplications per voxel of the input."""
        kernels = (layer.weight.numel() for layer in self.modules() if isinstance(layer, nn.Conv3d))
        return sum(kernels) / 8**self._level


#: Runs a part on its input and gives its output.
Run = Callable[[Part, torch.Tensor], torch.Tensor]


def run_plainly(part: Part, x: torch.Tensor) -> torch.Tensor:
    """Run ``part`` on ``x`` and tell nobody."""
    return part(x)


class AnySubsetNetwork(Network):
    """One encoder per input channel (modality), in ``encoders``; absent modalities take no part in the fusion.

    Every convolution is in a :class:`Part`, from which the shares of the work are told.

    Args:
        channels: modalities, 1 to 16.
        classes: output channels, background included.
        width: channels of the first level.

    Raises ValueError where an argument is out of range.
    """

    encoders: nn.ModuleList

    def __init__(self, channels: int, classes: int, width: int):
        super().__init__()
        given = {"channels": channels, "classes": classes, "width": width}
        check_whole_numbers(given, {"channels": (1, MAX_CHANNELS), "classes": (2, 16), "width": (1, MAX_WIDTH)})
        self.parameters_given = given

    @abstractmethod
    def fuse(self, x: torch.Tensor, present: Sequence[int], run: Run = run_plainly) -> list[torch.Tensor]:
        """The fused features of every level, the input's resolution first.

        Of ``x`` (B, channels, D, H, W) only the channels ``present`` (at least one) are looked at.
        """

    @abstractmethod
    def decode(self, fused: list[torch.Tensor], run: Run = run_plainly) -> torch.Tensor:
        """Map what :meth:`fuse` gives to logits (B, classes, D, H, W)."""

    def forward(self, x, step=None):
        run = self._telling(step) if step else run_plainly
        return self.decode(self.fuse(x, range(x.shape[1]), run), run)

    def restricted(self, kept: Sequence[int]) -> "AnySubsetNetwork":
        """The same weights with the input channels ``kept`` alone, in this order: gives what this network gives without the others.

        A network of its own, in this one's mode and without gradients, that may share the weights' memory.
        """
        with torch.device("meta"):  # its weights are this network's, so that none are drawn
            network = type(self)(**{**self.parameters_given, "channels": len(kept)})
        network.load_state_dict(self._weights_for(list(kept)), assign=True)
        return network.train(self.training).requires_grad_(False)

    def _weights_for(self, kept: list[int]) -> dict[str, torch.Tensor]:
        """The weights of :meth:`restricted`, by name: here the encoders that are kept and everything else."""
        weights = {name: weight for name, weight in self.state_dict().items() if not name.startswith("encoders.")}
        for place, channel in enumerate(kept):
            weights |= {f"encoders.{place}.{name}": weight for name, weight in self.encoders[channel].state_dict().items()}
        return weights

    def _telling(self, step: Callable[[float], None]) -> Run:
        total = sum(part.cost for part in self.modules() if isinstance(part, Part))

        def run(part: Part, x: torch.Tensor) -> torch.Tensor:
            x = part(x)
            step(part.cost / total)
            return x

        return run


def moments(features: list[torch.Tensor], correction: int) -> torch.Tensor:
    """Mean and variance over modalities, concatenated: ``features`` are (B, C, D, H, W) each, the result (B, 2C, D, H, W) float32.

    The variance divides by n − ``correction``; of one modality it is 0.
    """
    variance, mean = torch.var_mean(torch.stack(features).float(), dim=0, correction=min(correction, len(features) - 1))
    return torch.cat((mean, variance), dim=1)
