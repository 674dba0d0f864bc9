"""What a method must supply to be trained, scored and exported like every other."""

from abc import abstractmethod

import torch
from torch import nn

from KDNetLib.networks.base import Network
from KDNetTrainingLib.modalities import MODALITIES


class System(nn.Module):
    """One method under training: a module whose forward pass gives the loss.

    A new method is one subclass in one file and one line in ``systems/registry.py``. It sets ``network``, what is
    scored and exported, and ``modalities``, what that network sees; and it defines :meth:`losses`. Everything else
    (data, folds, schedule, checkpoints, several GPUs, figures) is the trainer's. What is drawn at random in
    ``losses`` comes from torch's own generator, which the trainer seeds at every step.
    """

    network: Network
    modalities: tuple[str, ...]
    #: Whether the loss of every step depends on every parameter that is trained; several processes must know it.
    uses_every_parameter = True

    def forward(self, images: torch.Tensor, classes: torch.Tensor) -> dict[str, torch.Tensor]:
        """The loss to minimise as ``loss``, then its terms by name (all 0-dimensional), for the trainer.

        A forward pass, not a method of another name, because DistributedDataParallel averages the gradients of what
        runs in ``forward``. Every loss must be a mean over samples, so that the average over processes is the loss of
        the whole batch.
        """
        return self.losses(images, classes)[0]

    @abstractmethod
    def losses(self, images: torch.Tensor, classes: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Losses (``loss`` and its terms) and the logits (B, classes, D, H, W) of ``network``.

        Args:
            images: (B, 4, D, H, W) float32, z-scored, in the order of MODALITIES.
            classes: (B, D, H, W) int64 reference.
        """

    @property
    def deployed(self) -> Network:
        """The network over ``modalities`` that is scored and exported."""
        return self.network

    def seen(self, images: torch.Tensor) -> torch.Tensor:
        """The channels of ``images`` (B, 4, D, H, W) that ``network`` sees."""
        return channels(images, self.modalities)


def channels(images: torch.Tensor, modalities: tuple[str, ...]) -> torch.Tensor:
    """The channels of ``images`` (B, 4, D, H, W; in the order of MODALITIES) that hold ``modalities``, in their order."""
    return images[:, [MODALITIES.index(modality) for modality in modalities]]

