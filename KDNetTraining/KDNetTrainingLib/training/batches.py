"""The order of the cases, and the samples made of them: a function of seed, epoch and case, so that a resumed run repeats them."""

import hashlib
import time
from collections.abc import Iterator, Sequence

import torch

from KDNetTrainingLib.data.augmentation import PRESETS, chance
from KDNetTrainingLib.data.cache import CachedCase
from KDNetTrainingLib.data.sampling import training_sample
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.stages import Stages, whole_size
from KDNetTrainingLib.training.distributed import World


class Batches:
    """Batches of augmented samples of ``cases`` for this process of the ``world``.

    ``batch_size`` cases per process make a step; at an epoch's end the first cases of its order fill the last step, so
    that every process has equally much to do. In the coarse epochs of ``stages`` (None: crops alone) the samples are of
    ``coarse``, the same cases at half the resolution. ``reading_seconds`` counts the time for reading and augmenting.
    """

    def __init__(self, cases: list[CachedCase], settings: Settings, world: World, stages: Stages | None = None, coarse: Sequence[CachedCase] = ()):
        self._cases, self._settings, self._world = cases, settings, world
        self._stages, self._coarse = stages, coarse
        self.steps = -(-len(cases) // (settings.batch_size * world.size))
        self.reading_seconds = 0.0

    def epoch(self, epoch: int, begin: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, list[str]]]:
        """From step ``begin`` of ``epoch`` on: images (B, 4, D, H, W), classes (B, D, H, W), names of the cases."""
        order = torch.randperm(len(self._cases), generator=torch.Generator().manual_seed(seed_of(self._settings.seed, epoch))).tolist()
        together = self._settings.batch_size * self._world.size
        for step in range(begin, self.steps):
            started = time.monotonic()
            places = [(step * together + self._world.rank * self._settings.batch_size + index) % len(order) for index in range(self._settings.batch_size)]
            samples = [self._sample(epoch, place, order[place]) for place in places]
            images, classes = (torch.stack(parts) for parts in zip(*samples))
            self.reading_seconds += time.monotonic() - started
            yield images.contiguous(memory_format=torch.channels_last_3d), classes, [self._cases[order[place]].name for place in places]

    def _sample(self, epoch: int, place: int, index: int):
        settings, seed = self._settings, seed_of(self._settings.seed, epoch, place)
        cases, crop = self._cases, settings.crop
        if self._stages and epoch < self._stages.fine_from:
            cases, crop = self._coarse, tuple(side // 2 for side in crop)
        elif self._stages and epoch >= self._stages.whole_from:
            crop = whole_size(side / cases[index].fine for side in cases[index].classes.shape)
        donor = None
        if settings.transplantation:
            generator = torch.Generator().manual_seed(seed_of(seed, "transplantation"))
            others = [case for case in cases if case is not cases[index]]
            if others and chance(generator, settings.transplantation):
                donor = others[int(torch.randint(len(others), (1,), generator=generator))]
        return training_sample(cases[index], crop, PRESETS[settings.augmentation], seed, self._world.device, donor)


def seed_of(*parts: int | str) -> int:
    """A seed (63 bits) that differs wherever any of ``parts`` does; neighbouring seeds are unrelated."""
    digest = hashlib.sha256(",".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
