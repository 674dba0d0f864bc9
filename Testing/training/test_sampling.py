"""Samples of cached cases: exactly what inference sees where nothing is turned, one geometry for all arrays where it is."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from engine.generated import affine_of, brain
from KDNetLib.preprocessing import Preprocessing
from KDNetTrainingLib.data.augmentation import PRESETS, Augmentation, draw_geometry
from KDNetTrainingLib.data.cache import CachedCase
from KDNetTrainingLib.data.sampling import plain_sample, training_sample

CPU = torch.device("cpu")
STILL = Augmentation(flips=False)
TURNED = Augmentation(rotation_degrees=15, scale=0.15, elastic=3)
ALL_FLIPS = [tuple(axis for axis in (-3, -2, -1) if bits >> (axis + 3) & 1) for bits in range(8)]


def cached(images, classes, fine):
    """A case as the cache holds it, of ``images`` (4, X, Y, Z) and ``classes`` (X, Y, Z) on the cached grid."""
    if fine == 2:
        images = torch.nn.functional.avg_pool3d(torch.from_numpy(images)[None].float(), 2, 1)[0].numpy()
    return CachedCase(name="case", images=images.astype(np.float16), classes=classes.astype(np.uint8), fine=fine, volume_hash="")


def random_case(shape, fine, seed=0):
    rng = np.random.default_rng(seed)
    return cached(rng.normal(size=(4, *shape)), rng.integers(0, 4, shape), fine)


@pytest.mark.parametrize("shape", [(32, 44, 24), (31, 44, 25)])
@pytest.mark.parametrize("divisor", [1, 16])
def test_the_whole_case_is_what_inference_sees(shape, divisor):
    """Images and classes of Preprocessing at 8 mm from a 4 mm scan, for which the cache's grid is the scan's own."""
    affine = affine_of((4.0, 4.0, 4.0))
    array, labels = brain(shape, (4.0, 4.0, 4.0))
    array[0], array[-1], array[:, 0], array[:, -1], array[:, :, 0], array[:, :, -1] = [1.0] * 6  # the box is the whole grid
    expected = Preprocessing("whole-brain", 8.0).prepare([array], affine, divisor)
    fine = Preprocessing("whole-brain", 4.0).prepare([array], affine)
    case = cached(np.stack([fine.array[0]] * 4), fine.labels_like_input(labels), 2)
    images, classes = plain_sample(case, None, divisor)
    assert (images.dtype, classes.dtype) == (torch.float32, torch.int64)
    assert images.shape[1:] == expected.array.shape[1:] == classes.shape
    # Where a side is odd, one voxel is half outside; inference takes its inner half, the cache has no such average.
    whole = torch.ones(classes.shape, dtype=torch.bool)
    for axis, (full, count) in enumerate(zip(shape, classes.shape)):
        if full % 2:
            first = math.floor((full - 2 * count) / 2)
            half = [k for k in range(count) if first + 2 * k in (-1, full - 1)]
            whole.index_fill_(axis, torch.tensor(half), False)
    assert whole.float().mean() > 0.8
    for image in images:
        assert np.abs(image.numpy() - expected.array[0])[whole].max() < 4e-3
    np.testing.assert_array_equal(classes.numpy()[whole], expected.labels_like_input(labels)[whole])
    assert set(classes.unique().tolist()) == {0, 1, 2, 3}


def test_without_an_averaged_grid_the_whole_case_is_itself_in_zeros():
    case = random_case((40, 33, 20), fine=1)
    images, classes = plain_sample(case, None, 16)
    assert images.shape == (4, 48, 48, 32)
    np.testing.assert_array_equal(images[:, 4:44, 8:41, 6:26].numpy(), case.images.astype(np.float32))
    np.testing.assert_array_equal(classes[4:44, 8:41, 6:26].numpy(), case.classes)
    assert np.count_nonzero(images) == np.count_nonzero(case.images) and np.count_nonzero(classes) == np.count_nonzero(case.classes)


def test_the_whole_case_has_twice_the_divisor_at_least():
    assert plain_sample(random_case((20, 20, 70), fine=2), None, 16)[0].shape == (4, 32, 32, 48)


@pytest.mark.parametrize("fine", [1, 2])
def test_a_part_is_the_middle_of_the_whole(fine):
    case = random_case((16 * fine, 20 * fine, 12 * fine), fine)
    whole, part = plain_sample(case, (16, 20, 12), 16), plain_sample(case, (8, 12, 10), 16)
    assert torch.equal(part[0], whole[0][:, 4:12, 4:16, 1:11]) and torch.equal(part[1], whole[1][4:12, 4:16, 1:11])


def test_classes_are_those_that_fill_most_of_a_voxel():
    """Every 2×2×2 block counted by itself; where two classes fill it equally, the lower one counts."""
    case = random_case((12, 10, 14), fine=2, seed=3)
    found = plain_sample(case, (6, 5, 7), 1)[1]
    for place in np.ndindex(6, 5, 7):
        block = case.classes[tuple(slice(2 * index, 2 * index + 2) for index in place)]
        assert found[place] == np.bincount(block.ravel(), minlength=4).argmax()


@pytest.mark.parametrize("fine", [1, 2])
def test_paper_augmentation_is_flips_to_the_bit(fine):
    case = random_case((16 * fine, 20 * fine, 12 * fine), fine)
    plain, seen = plain_sample(case, (16, 20, 12), 1), set()
    for seed in range(60):
        sample = training_sample(case, (16, 20, 12), PRESETS["paper"], seed, CPU)
        matching = [flips for flips in ALL_FLIPS if all(torch.equal(part, still.flip(flips)) for part, still in zip(sample, plain))]
        assert len(matching) == 1
        seen.update(matching)
    assert seen == set(ALL_FLIPS)


def test_a_smaller_case_lies_in_the_middle_of_zeros():
    case = random_case((8, 12, 16), fine=2)
    images, classes = training_sample(case, (16, 16, 16), STILL, 0, CPU)
    inside = (slice(6, 10), slice(5, 11), slice(4, 12))
    assert images[(slice(None), *inside)].any() and classes[inside].any()
    images[(slice(None), *inside)], classes[inside] = 0, 0
    assert not images.any() and not classes.any()


@pytest.mark.parametrize("fine", [1, 2])
def test_parts_are_taken_from_everywhere_and_are_exact(fine):
    """Three channels tell where each voxel lies; a part begins anywhere from the first step to the last that fits."""
    shape, size = (31, 32, 40), (8, 8, 16)
    places = np.stack([*np.indices(shape), np.zeros(shape)]).astype(float)
    case, firsts = cached(places, np.zeros(shape), fine), []
    for seed in range(200):
        images = training_sample(case, size, STILL, seed, CPU)[0].numpy() - (fine - 1) / 2
        first = images[:3, 0, 0, 0]
        np.testing.assert_array_equal(images[:3], first[:, None, None, None] + fine * np.indices(size))
        firsts.append(first)
    last = np.array(shape) - fine * np.array(size)
    assert (np.min(firsts, axis=0) <= 1).all() and (np.max(firsts, axis=0) >= last - 1).all()
    assert (np.min(firsts, axis=0) >= 0).all() and (np.max(firsts, axis=0) <= last).all()
    np.testing.assert_allclose(np.mean(firsts, axis=0), last / 2, rtol=0.15)


@pytest.mark.parametrize("fine", [1, 2])
def test_turned_samples_are_scipys_interpolation(fine):
    """The same turn, scaling, bend and flip by scipy.ndimage.map_coordinates in float64, over a case of the sample's size."""
    shape, size = (48, 56, 40), tuple(side // fine for side in (48, 56, 40))
    rng = np.random.default_rng(1)
    smooth = ndimage.gaussian_filter(rng.normal(size=(4, *shape)), (0, 2, 2, 2)) * 10
    case = cached(smooth, ndimage.gaussian_filter(rng.normal(size=shape), 3) > 0.02, fine)
    turned, bent = 0, 0
    for seed in range(10):
        geometry = draw_geometry(TURNED, shape, torch.Generator().manual_seed(seed))
        images, classes = training_sample(case, size, TURNED, seed, CPU)
        points = (np.indices(size) - (np.array(size).reshape(3, 1, 1, 1) - 1) / 2) * fine
        if geometry.knots is not None:
            knots = geometry.knots.numpy().astype(float)
            between = np.stack(np.meshgrid(*[np.linspace(0, count - 1, side) for count, side in zip(knots.shape[1:], size)], indexing="ij"))
            points += np.stack([ndimage.map_coordinates(knot, between, order=1) for knot in knots])
        if geometry.linear is not None:
            points = np.einsum("ij,jxyz->ixyz", geometry.linear.numpy().astype(float), points)
        points[list(geometry.flipped)] *= -1
        points += (np.array(shape).reshape(3, 1, 1, 1) - 1) / 2

        def expected(volume, offset):
            # Padded, because scipy's own edge is abrupt where ours fades to 0 over one voxel.
            return ndimage.map_coordinates(np.pad(volume.astype(float), 8), points - offset + 8, order=1)

        for image, source in zip(images, case.images):
            np.testing.assert_allclose(image.numpy(), expected(source, (fine - 1) / 2), atol=2e-3)
        share = expected(case.classes == 1, 0)
        clear = np.abs(share - 0.5) > 1e-3
        np.testing.assert_array_equal(classes.numpy()[clear], share[clear] > 0.5)
        turned, bent = turned + (geometry.linear is not None), bent + (geometry.knots is not None)
    assert turned >= 3 and bent >= 2


@pytest.mark.parametrize("fine", [1, 2])
@pytest.mark.parametrize("augmentation", [PRESETS["paper"], TURNED], ids=["flips", "turned"])
def test_all_modalities_and_the_classes_get_one_geometry(augmentation, fine):
    """Channels that all show the tumour's share stay so, whatever turn, bend or flip is drawn."""
    labels = brain((40, 48, 40), (4.0, 4.0, 4.0))[1]
    case = cached(np.stack([labels > 0] * 4).astype(float), labels, fine)
    drawn = set()
    for seed in range(12):
        images, classes = training_sample(case, tuple(side // fine for side in (24, 28, 24)), augmentation, seed, CPU)
        assert all(torch.equal(images[0], image) for image in images[1:])
        disagree = ((images[0] > 0.75) & (classes == 0)) | ((images[0] < 0.25) & (classes > 0))
        assert disagree.float().mean() < 0.002 and (classes > 0).any()
        drawn.add(float(images.sum()))
    assert len(drawn) > 6


def test_only_the_box_that_a_sample_needs_is_read():
    class Watched(np.ndarray):
        """Notes how many elements are taken out of it."""

        taken = []

        def __getitem__(self, index):
            part = np.ndarray.__getitem__(self, index)
            Watched.taken.append(part.size)
            return part

    case = random_case((96, 96, 96), fine=1)
    watched = CachedCase("case", case.images.view(Watched), case.classes, 1, "")
    for seed in range(8):
        Watched.taken.clear()
        found = training_sample(watched, (16, 16, 16), TURNED, seed, CPU)
        assert 0 < sum(Watched.taken) < case.images.size / 10
        assert torch.equal(found[0], training_sample(case, (16, 16, 16), TURNED, seed, CPU)[0])


def test_a_turned_sample_beside_the_tumour_or_without_one_is_background():
    classes = np.zeros((64, 64, 64))
    classes[60:, 60:, 60:] = 3
    with_tumour = set()
    for case in (cached(np.ones((4, 64, 64, 64)), classes, 1), cached(np.ones((4, 64, 64, 64)), classes * 0, 1)):
        for seed in range(8):
            found = training_sample(case, (32, 32, 32), TURNED, seed, CPU)[1]
            assert found.shape == (32, 32, 32) and found.dtype == torch.int64
            with_tumour.add((bool(case.classes.any()), bool(found.any())))
    assert (True, False) in with_tumour and (False, True) not in with_tumour


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_seed_alone_decides(preset):
    case = random_case((24, 28, 24), fine=2)
    for seed in range(6):
        torch.manual_seed(seed)
        first = training_sample(case, (8, 8, 8), PRESETS[preset], seed, CPU)
        second = training_sample(case, (8, 8, 8), PRESETS[preset], seed, CPU)
        other = training_sample(case, (8, 8, 8), PRESETS[preset], seed + 1, CPU)
        assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1]) and not torch.equal(first[0], other[0])
        assert first[0].isfinite().all() and first[1].min() >= 0 and first[1].max() <= 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_gpu_gives_the_same_geometry(preset):
    case = random_case((64, 64, 64), fine=2)
    for seed in range(4):
        here, there = (training_sample(case, (32, 32, 32), PRESETS[preset], seed, torch.device(name)) for name in ("cpu", "cuda"))
        assert there[0].is_cuda and (here[1] != there[1].cpu()).float().mean() < 1e-3


def test_axes_are_exchanged_in_all_six_orders_alike_in_images_and_classes():
    """A sample larger than the case in every order: the case in the middle of zeros, its axes in one of the six orders."""
    case = random_case((10, 8, 6), fine=1)
    seen = set()
    for seed in range(40):
        images, classes = training_sample(case, (14, 12, 10), Augmentation(flips=False, exchange=True), seed, CPU)
        assert images.shape == (4, 14, 12, 10) and classes.shape == (14, 12, 10) and images.is_contiguous()
        box = images.any(dim=0).nonzero()
        low, high = box.min(dim=0).values, box.max(dim=0).values + 1
        inside = tuple(slice(*ends) for ends in zip(low.tolist(), high.tolist()))
        full = torch.from_numpy(case.images).float()
        orders = [
            order for order in itertools.permutations(range(3))
            if torch.equal(images[(slice(None), *inside)], full.permute(0, *[axis + 1 for axis in order]))
            and np.array_equal(classes[inside].numpy(), case.classes.transpose(order))
        ]  # fmt: skip
        assert len(orders) == 1
        seen |= set(orders)
    assert len(seen) == 6
