"""Measures against hand calculations and against an independent implementation on full distance maps."""

import time

import numpy as np
import pytest
from scipy import ndimage

from KDNetLib.errors import InputError
from KDNetLib.measures import compare, dice, hd95, volume_ml
from KDNetLib.voxel_size import voxel_spacing

BRATS_AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])


def cube(shape, start, side):
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(begin, begin + side) for begin in start)] = True
    return mask


def blobs(shape, seed, share=0.1):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2)
    return noise > np.quantile(noise, 1 - share)


def reference_hd95(first, second, spacing):
    """Erosion by scipy and Euclidean distance maps over the whole grid, as MedPy and MONAI go about it."""
    cross = ndimage.generate_binary_structure(3, 1)
    surfaces = [mask & ~ndimage.binary_erosion(mask, cross) for mask in (first, second)]
    maps = [ndimage.distance_transform_edt(~surface, sampling=spacing) for surface in surfaces]
    return max(np.percentile(maps[1][surfaces[0]], 95), np.percentile(maps[0][surfaces[1]], 95))


@pytest.mark.parametrize("seed", range(6))
def test_hd95_equals_distance_maps_on_anisotropic_grids(seed):
    spacing = [(1, 1, 1), (0.5, 0.9, 5.5), (2, 1, 3)][seed % 3]
    first, second = blobs((30, 24, 20), seed), blobs((30, 24, 20), seed + 100, share=0.03 + 0.1 * (seed % 2))
    assert hd95(first, second, spacing) == pytest.approx(reference_hd95(first, second, spacing), abs=1e-9)
    assert hd95(second, first, spacing) == pytest.approx(hd95(first, second, spacing), abs=1e-9)


def test_hd95_of_masks_that_touch_the_grid_border_or_are_thin():
    full, plane, line = np.ones((6, 5, 4), dtype=bool), np.zeros((6, 5, 4), dtype=bool), np.zeros((6, 5, 4), dtype=bool)
    plane[:, :, 2], line[2, 3, :] = True, True
    for first, second in ((full, plane), (plane, line), (full, line)):
        assert hd95(first, second, (1, 2, 3)) == pytest.approx(reference_hd95(first, second, (1, 2, 3)), abs=1e-9)


def test_shifted_cubes_by_hand():
    """10-voxel cubes 4 apart along x with 2 mm voxels: the leading face lies 8 mm away, and it is over 5 % of the surface."""
    first, second = cube((30, 20, 20), (5, 5, 5), 10), cube((30, 20, 20), (9, 5, 5), 10)
    assert dice(first, second) == pytest.approx(2 * 600 / 2000)
    assert hd95(first, second, (2, 1, 1)) == pytest.approx(8)
    assert hd95(first, second, (1, 2, 2)) == pytest.approx(4)


def test_hd95_is_the_larger_directed_percentile_not_the_pooled_one():
    """A small second mask adds few distances to the pool, but its own direction counts in full."""
    first = cube((60, 40, 40), (5, 5, 5), 30)
    second = first.copy()
    second[50, 5:25, 5:30] = True  # 500 voxels 16 mm beyond: 9 % of the second surface, but 4 % of both together
    assert hd95(first, second, (1, 1, 1)) == pytest.approx(16)
    line = first.copy()
    line[50, 20, 5:35] = True  # 30 voxels there are below 5 % of either
    assert hd95(first, line, (1, 1, 1)) == 0


def test_empty_regions_follow_brats():
    empty, full = np.zeros((4, 4, 4), dtype=bool), np.ones((4, 4, 4), dtype=bool)
    assert (dice(empty, empty), hd95(empty, empty, (1, 1, 1))) == (1, 0)
    for first, second in ((empty, full), (full, empty)):
        assert dice(first, second) == 0
        assert hd95(first, second, (3, 3, 3)) == pytest.approx(373.1287, abs=1e-4)


def test_volume_of_oblique_and_sheared_grids():
    mask = cube((20, 20, 20), (2, 3, 4), 10)
    turn = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    oblique = np.eye(4)
    oblique[:3, :3] = turn @ np.diag([0.5, 2, 3])
    assert volume_ml(mask, oblique) == pytest.approx(3.0)
    assert voxel_spacing(oblique) == pytest.approx([0.5, 2, 3])
    sheared = oblique.copy()
    sheared[:3, 2] += 4 * sheared[:3, 0]  # a gantry tilt changes the column's length, not the volume
    assert volume_ml(mask, sheared) == pytest.approx(3.0)


def test_compare_forms_the_regions_and_does_not_depend_on_the_rotation():
    reference = np.zeros((40, 40, 40), dtype=np.uint8)
    reference[10:30, 10:30, 10:30], reference[14:26, 14:26, 14:26], reference[17:23, 17:23, 17:23] = 2, 3, 1
    prediction = np.roll(reference, 2, axis=0)
    affine = np.diag([1.0, 2.0, 0.5, 1.0])
    turned = affine.copy()
    turned[:3, :3] = np.array([[0.8, -0.6, 0], [0, 0, 1], [0.6, 0.8, 0]]) @ affine[:3, :3]
    measures = compare(prediction, reference, affine)
    for region, mask in {"ET": reference == 3, "TC": (reference == 1) | (reference == 3), "WT": reference > 0}.items():
        shifted = np.roll(mask, 2, axis=0)
        assert measures[region]["dice"] == pytest.approx(2 * (mask & shifted).sum() / (2 * mask.sum()))
        assert measures[region]["hd95"] == pytest.approx(reference_hd95(shifted, mask, (1, 2, 0.5)))
        assert measures[region]["volume_reference_ml"] == pytest.approx(mask.sum() / 1000)
        assert compare(prediction, reference, turned)[region] == pytest.approx(measures[region])


def test_compare_of_empty_maps_and_of_unequal_ones():
    empty = np.zeros((5, 6, 7), dtype=np.uint8)
    nothing = compare(empty, empty, BRATS_AFFINE)["ET"]
    assert nothing == {"dice": 1, "hd95": 0, "volume_prediction_ml": 0, "volume_reference_ml": 0}
    with pytest.raises(InputError, match="5×6×7 and 5×6×8"):
        compare(empty, np.zeros((5, 6, 8), dtype=np.uint8), BRATS_AFFINE)


def test_a_whole_case_is_measured_quickly():
    """About 0.1 s of one core for a tumour of 100 ml; the bound leaves room for a slow machine."""
    field = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(60, 60, 40)), 6)
    for axis in range(3):
        field = np.repeat(field, 4, axis)
    field = field[:, :, :155]
    levels = np.quantile(field, [0.988, 0.993, 0.997])
    reference = np.digitize(field, levels).astype(np.uint8)
    prediction = np.roll(reference, (3, 2, 1), axis=(0, 1, 2))
    start = time.process_time()
    measures = compare(prediction, reference, BRATS_AFFINE)
    assert time.process_time() - start < 1.0
    assert 90 < measures["WT"]["volume_reference_ml"] < 120
