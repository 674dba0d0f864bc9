"""What a network finds in one validation case, for the preview of its training."""

import torch

from KDNetTrainingLib.data.cache import CachedCase
from KDNetTrainingLib.data.sampling import plain_sample
from KDNetTrainingLib.systems.base import System
from KDNetTrainingLib.training.validation import decided_classes


@torch.no_grad()
def preview_of(system: System, case: CachedCase, device: torch.device, half: bool):
    """Images (4, X, Y, Z) float32, reference and prediction (X, Y, Z) uint8 class indices of ``case``, as numpy arrays.

    All on the network's grid, without augmentation; ``half`` computes the network in bfloat16.
    """
    system.eval()
    images, classes = plain_sample(case, None, system.network.divisor)
    batch = images[None].to(device).contiguous(memory_format=torch.channels_last_3d)
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        logits = system.deployed(system.seen(batch))
    return images.numpy(), classes.to(torch.uint8).numpy(), decided_classes(logits[0])
