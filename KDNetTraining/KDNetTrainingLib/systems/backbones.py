"""The encoder-decoder that a run's settings ask for."""

import torch

from KDNetLib.networks.base import EncodingNetwork
from KDNetLib.networks.registry import architecture
from KDNetTrainingLib.networks import NETWORKS
from KDNetTrainingLib.settings import Settings


def new_network(modalities: tuple[str, ...], settings: Settings) -> EncodingNetwork:
    """A network over ``modalities`` with random weights that depend on the settings' seed alone."""
    torch.manual_seed(settings.seed)
    return architecture(NETWORKS[settings.network])(len(modalities), width=settings.width, skips=settings.skips)
