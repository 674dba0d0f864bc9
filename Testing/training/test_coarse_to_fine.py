"""Coarse epochs first: what a coarse sample is, when they end, and what they count in time left, cost and estimate."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from KDNetLib.errors import InputError
from KDNetTrainingLib.coarse_to_fine import coarse_epochs, cost_from, cost_of_epoch
from KDNetTrainingLib.data.cache import CachedCase
from KDNetTrainingLib.data.sampling import coarsened
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.settings import settings_from
from KDNetTrainingLib.systems.registry import SYSTEMS
from KDNetTrainingLib.training.batches import Batches
from KDNetTrainingLib.training.checkpoints import Checkpoints
from KDNetTrainingLib.training.distributed import World
from KDNetTrainingLib.training.trainer import Trainer

CPU = World(torch.device("cpu"))
SETTINGS = settings_from({"crop": (64, 64, 64), "width": 1, "spacing": 4.0, "coarse": 0.75, "schedule": "polynomial", "inner_validation": 0.0})


class Never:
    reason = reason_after_epoch = None


def case():
    rng = np.random.default_rng(0)
    classes = np.zeros((128, 128, 128), np.uint8)
    classes[30:70, 40:80, 50:90] = 2
    return CachedCase("case", rng.normal(size=(4, 127, 127, 127)).astype(np.float16), classes, 2, "")


def test_a_coarse_sample_is_the_mean_and_the_most_frequent_class_of_eight_voxels():
    images = torch.arange(64.0).reshape(1, 4, 4, 4)
    classes = torch.zeros(4, 4, 4, dtype=torch.int64)
    classes[0, 0, 0] = 3  # 1 of 8
    classes[2:, 2:, 2:] = 1
    classes[2, 2, 2:] = 2  # 2 of 8 beside 6
    coarse, found = coarsened(images, classes)
    assert coarse.shape == (1, 2, 2, 2) and coarse[0, 0, 0, 0] == np.mean([0, 1, 4, 5, 16, 17, 20, 21])
    assert found.dtype == torch.int64 and found.flatten().tolist() == [0] * 7 + [1]


def test_costs_by_hand():
    assert coarse_epochs(10, 0.75) == 8 and coarse_epochs(10, 0.0) == 0
    assert [cost_of_epoch(epoch, 4, 0.5) for epoch in range(4)] == [0.125, 0.125, 1, 1]
    assert [cost_from(epoch, 4, 0.5) for epoch in range(5)] == [2.25, 2.125, 2, 1, 0]
    plan = Plan(("baseline",), replace(SETTINGS, epochs=8), "")
    assert plan.cost(plan.trainings()[0]) == 6 / 8 + 2


def test_the_first_epochs_are_coarse_and_the_time_left_knows(tmp_path):
    shapes = [[images.shape[-1] for images, _, _ in Batches([case()], SETTINGS, CPU, fine_from=2).epoch(epoch, 0)] for epoch in range(3)]
    assert shapes == [[32], [32], [64]]
    events = []
    Trainer(
        SYSTEMS["baseline"].make(SETTINGS, None), [case()], [], 4, SETTINGS, Checkpoints(tmp_path, print), CPU, lambda **what: events.append(what), Never(),
    ).run()
    epochs = [event for event in events if event["kind"] == "epoch"]
    # After the first epoch two coarse ones and a fine one are left, as long as ten coarse ones; after the third the fine one.
    assert [event["left"] for event in epochs] == [pytest.approx(event["seconds"] * factor, abs=0.6) for event, factor in zip(epochs, (10, 9, 8, 0))]


@pytest.mark.parametrize("crop", [(32, 64, 64), (64, 80, 64)])
def test_a_crop_that_cannot_be_halved_is_refused(crop):
    with pytest.raises(InputError, match="multiples of 32, at least 64"):
        replace(SETTINGS, crop=crop)
    assert replace(SETTINGS, crop=crop, coarse=0.0)
