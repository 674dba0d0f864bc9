"""What every network here is, so that training, model files and inference treat them alike."""

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import nn


class Network(nn.Module):
    """Maps modalities (B, channels, D, H, W) to logits of the classes (B, classes, D, H, W).

    ``parameters_given`` holds the constructor's arguments as a model file keeps them (numbers and texts), among them
    ``channels``, ``classes`` and ``width`` (channels of the first level, from which the need of memory is estimated).
    A constructor raises ValueError where an argument is out of range; see ``limits.py``.
    """

    parameters_given: dict

    @property
    @abstractmethod
    def divisor(self) -> int:
        """Every spatial side of an input must be a multiple of this."""

    @abstractmethod
    def forward(self, x: torch.Tensor, step: Callable[[float], None] | None = None) -> torch.Tensor:
        """Logits (B, classes, D, H, W) of ``x`` (B, channels, D, H, W).

        ``step`` is called after every part of the work with the share of the whole that it was; the shares sum to 1.
        Raising in it leaves the pass early, which is how a run is cancelled.
        """


class EncodingNetwork(Network):
    """A network with a bottleneck: what KD-Net can teach and be taught by.

    A new encoder-decoder is a subclass with ``encode``, ``decode_features``, ``head`` and ``deepest_layers``, a line in
    ``registry.py``, and one in ``KDNetTrainingLib/networks.py`` that gives it a name among a run's settings. Its
    constructor takes channels, width and skips, and its first parameter is the kernel that looks at the modalities.

    ``head`` is the 1³ convolution that makes the logits.
    """

    head: nn.Conv3d

    @abstractmethod
    def encode(self, x: torch.Tensor, step: Callable[[float], None] | None = None) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Map ``x`` (B, channels, D, H, W) to the bottleneck (any shape; the paper's Es, Et) and what the decoder needs besides."""

    @abstractmethod
    def decode_features(self, bottleneck: torch.Tensor, features: list[torch.Tensor], step: Callable[[float], None] | None = None) -> torch.Tensor:
        """Map what :meth:`encode` gives to the features of the last layer before ``head``: (B, any, D, H, W)."""

    @property
    @abstractmethod
    def deepest_layers(self) -> list[nn.Module]:
        """The layers on both sides of the bottleneck, which are the same whatever the modalities are."""

    def decode(self, bottleneck: torch.Tensor, features: list[torch.Tensor], step: Callable[[float], None] | None = None) -> torch.Tensor:
        """Map what :meth:`encode` gives to logits (B, classes, D, H, W)."""
        return self.head(self.decode_features(bottleneck, features, step))

    def forward(self, x, step=None):
        return self.decode(*self.encode(x, step), step)
