"""How good a system is on the cases kept for the schedule and for choosing the epoch: its losses, and Dice per region."""

import numpy as np
import torch

from KDNetLib.labels import decided
from KDNetLib.measures import dice_by_region
from KDNetTrainingLib.data.cache import CachedCase
from KDNetTrainingLib.data.sampling import plain_sample
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.base import System
from KDNetTrainingLib.training.distributed import World


@torch.no_grad()
def validate(system: System, cases: list[CachedCase], settings: Settings, world: World, half: bool) -> dict[str, float]:
    """Means over ``cases``, without augmentation: every loss by name, and Dice (0 to 1, network grid) of ET, TC and WT.

    The whole grid is looked at in one pass (the paper's is one crop). The processes of ``world`` share the cases, and
    every one must call it; ``half`` computes the network in bfloat16.
    """
    system.eval()
    totals: dict[str, float] = {}
    for case in cases[world.rank :: world.size]:
        images, classes = (part[None].to(world.device) for part in plain_sample(case, None, system.network.divisor))
        with torch.autocast(world.device.type, torch.bfloat16, enabled=half):
            losses, logits = system.losses(images.contiguous(memory_format=torch.channels_last_3d), classes)
        measured = {name: loss.item() for name, loss in losses.items()}
        measured |= dice_by_region(decided_classes(logits[0]), classes[0].cpu().numpy())
        for name, value in measured.items():
            totals[name] = totals.get(name, 0.0) + value
    if world.size > 1:
        # A process without a case of its own does not know the names; the first always has one.
        names = [list(totals)]
        torch.distributed.broadcast_object_list(names)
        totals = dict(zip(names[0], world.sums([totals.get(name, 0.0) for name in names[0]])))
    return {name: value / len(cases) for name, value in totals.items()}


def decided_classes(logits: torch.Tensor) -> np.ndarray:
    """The class (X, Y, Z) uint8 of each voxel of ``logits`` (4, X, Y, Z), decided as the segmenter decides."""
    return decided(torch.softmax(logits.float(), dim=0).cpu().numpy())
