"""Training one network epoch by epoch, so that it survives a kill and goes on with the same numbers."""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from KDNetTrainingLib.data.augmentation import Augmentation, random_crop
from KDNetTrainingLib.data.cache import CachedCase
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import Settings

#: Given images (1, 4, *crop) and reference classes (1, *crop), the loss to minimise and its terms by name.
LossOf = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, dict[str, float]]]


def train(stage: str, network: nn.Module, loss_of: LossOf, cases: list[CachedCase], epochs: int, settings: Settings, run: RunFolder) -> None:
    """Train ``network`` in place for ``epochs`` passes over ``cases``, from the checkpoint of ``stage`` if there is one.

    One case is one step (batch 1: InstanceNorm needs no larger one). Adam; the rate falls as (1 − step / steps)^0.9.
    Raises FloatingPointError where the loss is no number; the checkpoint of the epoch before is then intact.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    steps = max(1, epochs * len(cases))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / steps) ** 0.9)
    generator = torch.Generator().manual_seed(settings.seed)
    begin = _restore(run.load(stage), network, optimizer, schedule, generator)
    network.train()
    for epoch in range(begin, epochs):
        started, sums = time.monotonic(), {}
        for index in torch.randperm(len(cases), generator=generator).tolist():
            images, classes = _sample(cases[index], settings, generator)
            loss, terms = loss_of(images, classes)
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the loss of {stage} is not a number in epoch {epoch + 1}, case {cases[index].name}")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 12.0)
            optimizer.step()
            schedule.step()
            for name, value in {"loss": loss.item(), **terms}.items():
                sums[name] = sums.get(name, 0.0) + value
        seconds = time.monotonic() - started
        means = {name: round(value / len(cases), 4) for name, value in sums.items()}
        run.event(stage=stage, epoch=epoch + 1, epochs=epochs, seconds=round(seconds, 1), left=round(seconds * (epochs - epoch - 1)), **means)
        run.save(stage, {
            "epoch": epoch + 1,
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "generator": generator.get_state(),
        })


def _restore(checkpoint, network, optimizer, schedule, generator) -> int:
    if checkpoint is None:
        return 0
    network.load_state_dict(checkpoint["network"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    schedule.load_state_dict(checkpoint["schedule"])
    generator.set_state(checkpoint["generator"])
    return checkpoint["epoch"]


def _sample(case: CachedCase, settings: Settings, generator) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.from_numpy(np.array(case.images))
    classes = torch.from_numpy(np.array(case.classes))
    images, classes = random_crop(images, classes, settings.crop, Augmentation(), generator)
    return images[None].contiguous(memory_format=torch.channels_last_3d), classes[None]
