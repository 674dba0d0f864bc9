"""Systems whose one network works with any subset of the modalities, because training drops some of them at random."""

from abc import abstractmethod
from itertools import combinations

import torch
from torch.nn import functional

from KDNetLib.errors import InputError
from KDNetLib.networks.any_subset import AnySubsetNetwork
from KDNetLib.networks.base import Network
from KDNetTrainingLib.losses import one_hot, soft_dice
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.base import System


class AnySubsetSystem(System):
    """A network over ``all_modalities`` (the settings' ``teacher_modalities``), deployed with ``student_modality`` alone.

    A subclass makes the network with its own random weights (the settings' seed), draws what a training step may see in
    :meth:`draw`, and has its loss. Raises InputError where ``student_modality`` is not among the modalities.
    """

    uses_every_parameter = False
    network: AnySubsetNetwork

    def __init__(self, settings: Settings):
        super().__init__()
        self.modalities, self.all_modalities = (settings.student_modality,), settings.teacher_modalities
        if settings.student_modality not in self.all_modalities:
            raise InputError(f"{settings.student_modality}, with which this system is tested, must be one of teacher_modalities ({', '.join(self.all_modalities)}).")
        torch.manual_seed(settings.seed)

    @property
    def deployed(self) -> Network:
        return self.network_for(self.modalities)

    def network_for(self, modalities: tuple[str, ...]) -> Network:
        """The trained network for these of ``all_modalities`` alone: it gives what the whole one gives without the others."""
        return self.network.restricted(self._places(modalities))

    def subsets(self) -> list[tuple[str, ...]]:
        """Every non-empty subset of ``all_modalities``, the smallest first."""
        return [subset for size in range(1, len(self.all_modalities) + 1) for subset in combinations(self.all_modalities, size)]

    def present(self) -> list[int]:
        """Which channels of the network this step may see: drawn in training, else those of ``modalities``."""
        return self.draw() if self.training else self._places(self.modalities)

    @abstractmethod
    def draw(self) -> list[int]:
        """A random subset of the places in ``all_modalities``, not empty."""

    def _places(self, modalities: tuple[str, ...]) -> list[int]:
        return [self.all_modalities.index(modality) for modality in modalities]


def any_number_of(count: int) -> list[int]:
    """A random subset of range(``count``): its size uniform from 1 to ``count``, then its members (Dorent et al.)."""
    return some_of(count, int(torch.randint(1, count + 1, ())))


def some_of(count: int, size: int) -> list[int]:
    """``size`` different numbers of range(``count``), every such set with the same probability."""
    return sorted(torch.randperm(count)[:size].tolist())


def dice_and_cross_entropy(reference: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """1 − soft Dice + cross-entropy over the classes, mean over voxels (Dorent et al.); ``reference`` (B, D, H, W) holds indices."""
    logits = logits.float()
    dice = soft_dice(one_hot(reference, logits.shape[1]), torch.softmax(logits, dim=1))
    return 1 - dice + functional.cross_entropy(logits, reference)
