"""The bounding box, against scipy's, for every order that axes can have in memory."""

import itertools

import numpy as np
import pytest
from scipy import ndimage

from KDNetLib.bounding_box import bounding_box


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("turn", [1, -1])
def test_the_box_is_scipys(order, turn):
    rng = np.random.default_rng(0)
    for _ in range(5):
        mask = np.zeros(rng.integers(4, 12, 3), dtype=np.uint8)
        mask[tuple(rng.integers(0, mask.shape, (3, 3)).T)] = rng.integers(1, 4, 3)  # three voxels
        mask = mask.transpose(order)[::turn]
        assert bounding_box(mask) == ndimage.find_objects((mask != 0).astype(int))[0]


def test_a_mask_of_nothing_has_an_empty_box():
    assert bounding_box(np.zeros((3, 4, 5), dtype=bool)) == (slice(0, 0),) * 3
