"""Pieces with tumours from other cases: what is carved, against distances worked out voxel by voxel."""

import numpy as np
import pytest
import torch

from KDNetTrainingLib.data.cache import CachedCase
from KDNetTrainingLib.data.transplantation import transplanted
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.training.batches import Batches
from KDNetTrainingLib.training.distributed import World

SIDE = 16
PLACES = np.stack(np.meshgrid(*[np.arange(SIDE)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)


def ball(centre, radius):
    return (np.linalg.norm(PLACES - centre, axis=1) <= radius).reshape(SIDE, SIDE, SIDE)


def signed_distances(tumour):
    """To the nearest voxel of the other kind, negative inside, by looking at all pairs."""
    inside, outside = PLACES[tumour.ravel()], PLACES[~tumour.ravel()]
    between = np.linalg.norm(inside[:, None] - outside[None], axis=-1)
    distances = np.empty(SIDE**3)
    distances[tumour.ravel()], distances[~tumour.ravel()] = -between.min(axis=1), between.min(axis=0)
    return distances.reshape(tumour.shape)


def test_a_part_of_the_tumour_or_the_tumour_with_a_rim_is_carved_and_nothing_else_changes():
    tumour = ball((6, 8, 9), 4.2)
    distances = signed_distances(tumour)
    depth = -distances.min()
    brain = torch.from_numpy(ball((8, 8, 8), 7.5))
    images, donor_images = torch.full((2, SIDE, SIDE, SIDE), 3.0) * brain, torch.full((2, SIDE, SIDE, SIDE), 5.0)
    classes, donor_classes = torch.ones(SIDE, SIDE, SIDE, dtype=torch.long), torch.from_numpy(tumour * 2)
    limits = []
    for seed in range(200):
        found, labels = transplanted(images, classes, donor_images, donor_classes, torch.Generator().manual_seed(seed))
        carved = (found == 5).all(dim=0)
        assert torch.equal(found, torch.where(carved, donor_images, images)) and torch.equal(labels, torch.where(carved, donor_classes, classes))
        assert not (carved & ~brain).any()
        limit = distances[carved.numpy()].max()
        assert torch.equal(carved, torch.from_numpy(distances <= limit) & brain)
        limits.append(limit)
    limits = np.array(limits)
    assert -depth / 2 - 1 <= limits.min() < 0 and depth - 1 < limits.max() <= depth
    assert 70 < (limits < 0).sum() < 130


def test_a_donor_without_a_tumour_gives_nothing():
    images, classes = torch.ones(1, 4, 4, 4), torch.ones(4, 4, 4, dtype=torch.long)
    found = transplanted(images, classes, images * 2, classes * 0, torch.Generator())
    assert found[0] is images and found[1] is classes


def case(name, label, value):
    classes = np.zeros((64, 64, 64), np.uint8)
    classes[20:44, 20:44, 20:44] = label
    return CachedCase(name=name, images=np.full((4, 64, 64, 64), value, np.float16), classes=classes, fine=2, volume_hash="")


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_so_many_samples_hold_another_cases_tumour_and_a_repeated_epoch_the_same(share):
    cases = [case("a", 0, 1), case("b", 3, 2), case("c", 3, 4)]
    settings = Settings(crop=(32, 32, 32), augmentation="paper", transplantation=share, seed=3)
    batches = Batches(cases, settings, World(torch.device("cpu")))
    mixed = total = 0
    for epoch in range(20):
        for images, classes, (name,) in batches.epoch(epoch, 0):
            foreign = images[0, 0] != {"a": 1, "b": 2, "c": 4}[name]
            if name == "a":
                assert not (classes[0][~foreign] > 0).any()  # its own voxels have no tumour; a rim may be foreign without one
                total += 1
                mixed += bool(foreign.any())
    # Of the two possible donors of a both have a tumour.
    assert (mixed == total * share) if share in (0, 1) else 4 <= mixed <= 16
    first, again = (torch.stack([images for images, _, _ in batches.epoch(1, 0)]) for _ in range(2))
    assert torch.equal(first, again)


def test_a_single_case_stays_as_it_is():
    batches = Batches([case("b", 3, 2)], Settings(crop=(32, 32, 32), transplantation=1.0), World(torch.device("cpu")))
    ((images, _, _),) = batches.epoch(0, 0)
    assert (images == 2).all()
