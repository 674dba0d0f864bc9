"""Resampling weights against block means, scipy's linear interpolation and integrals by hand."""

import numpy as np
import pytest
from scipy import ndimage

from KDNetLib.resampling import axis_weights, resample


def resampled(volume, sizes, starts, steps):
    weights = tuple(axis_weights(n, size, start, step) for n, size, start, step in zip(volume.shape, sizes, starts, steps))
    return resample(volume[None], weights)[0]


def random_volume(*shape):
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


def test_step_one_is_the_identity_and_a_crop():
    volume = random_volume(9, 8, 7)
    assert np.array_equal(resampled(volume, (9, 8, 7), (0, 0, 0), (1, 1, 1)), volume)
    assert np.array_equal(resampled(volume, (4, 3, 2), (2, 1, 4), (1, 1, 1)), volume[2:6, 1:4, 4:6])


def test_step_two_is_the_mean_of_two_cubed():
    volume = random_volume(12, 8, 10)
    blocks = volume.astype(np.float64).reshape(6, 2, 4, 2, 5, 2).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(resampled(volume, (6, 4, 5), (0.5,) * 3, (2, 2, 2)), blocks, atol=1e-6)


def test_finer_grids_are_linear_interpolation_as_scipy_does_it():
    volume = random_volume(9, 8, 7)
    steps, starts = (0.5, 0.4, 0.25), (0.25, 0.1, 1.0)
    sizes = tuple(int((n - 1 - start) / step) + 1 for n, start, step in zip(volume.shape, starts, steps))
    points = np.meshgrid(*[start + step * np.arange(size) for size, start, step in zip(sizes, starts, steps)], indexing="ij")
    expected = ndimage.map_coordinates(volume.astype(np.float64), points, order=1)
    np.testing.assert_allclose(resampled(volume, sizes, starts, steps), expected, atol=1e-5)


def test_any_coarser_grid_is_the_integral_over_its_cells():
    """Against the cumulative integral of the piecewise-constant input, in float64."""
    values = np.random.default_rng(6).normal(size=50)
    step, start = 2.7, 1.3
    integral = np.concatenate([[0], np.cumsum(values)])
    low = start + step * np.arange(17) - step / 2 + 0.5
    at = lambda edge: np.interp(edge, np.arange(51), integral)  # noqa: E731
    expected = (at(low + step) - at(low)) / step
    inside = (low >= 0) & (low + step <= 50)
    found = axis_weights(50, 17, start, step).astype(float) @ values
    assert inside.sum() >= 15
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-6)


@pytest.mark.parametrize("step", [0.3, 1.0, 1.7, 3.0])
def test_weights_sum_to_one_inside_and_to_zero_outside(step):
    size, count = 20, 40
    start = -6.0
    weights = axis_weights(size, count, start, step)
    centre = start + step * np.arange(count)
    inside = (centre >= -0.5) & (centre <= size - 0.5)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), inside.astype(float), atol=1e-5)


def test_half_a_voxel_beyond_the_edge_takes_the_edge():
    weights = axis_weights(4, 3, -0.4, 0.5)
    assert weights[0].tolist() == [1, 0, 0, 0]


def test_order_of_axes_does_not_matter_to_several_channels():
    volume = np.random.default_rng(7).normal(size=(2, 6, 10, 4)).astype(np.float32)
    weights = (axis_weights(6, 12, -0.25, 0.5), axis_weights(10, 5, 0.5, 2), axis_weights(4, 4, 0, 1))
    expected = np.einsum("cxyz,ax,by,dz->cabd", volume.astype(float), *(w.astype(float) for w in weights))
    np.testing.assert_allclose(resample(volume, weights), expected, atol=1e-5)


SHIFTED = [
    ((9, 8, 7), (9, 8, 7), (0, 0, 0), (1, 1, 1)),  # nothing to do
    ((9, 8, 7), (5, 4, 7), (2, 4, 0), (1, 1, 1)),  # a crop
    ((9, 8, 7), (16, 16, 16), (-3, -4, -4), (1, 1, 1)),  # padding on both sides
    ((9, 8, 7), (12, 6, 9), (-5, 3, 2), (1, 1, 1)),  # both at once, beyond the end
    ((9, 8, 7), (6, 5, 4), (20, 0, 0), (1, 1, 1)),  # past the input: all zero
    ((9, 8, 7), (9, 8, 7), (0.5, -0.5, 0.25), (1, 1, 1)),  # shifts by parts of a voxel
    ((9, 8, 7), (9, 4, 14), (0, 0.5, -0.25), (1, 2, 0.5)),  # shifted, coarser and finer
    ((1, 8, 7), (4, 8, 1), (0, -2, 3), (1, 1, 1)),  # one voxel
]


@pytest.mark.parametrize(("sizes_in", "sizes", "starts", "steps"), SHIFTED)
def test_shifted_axes_equal_the_product_with_their_matrix(sizes_in, sizes, starts, steps):
    volume = np.random.default_rng(8).normal(size=(3, *sizes_in)).astype(np.float32)
    weights = tuple(axis_weights(*axis) for axis in zip(sizes_in, sizes, starts, steps))
    expected = np.einsum("cxyz,ax,by,dz->cabd", volume.astype(float), *(w.astype(float) for w in weights))
    found = resample(volume, weights)
    whole = all(float(number).is_integer() for number in (*starts, *steps)) and set(steps) == {1}
    np.testing.assert_allclose(found, expected, atol=0 if whole else 1e-6)


def test_weights_that_are_almost_a_shift_are_none():
    """A hole, a doubled entry, a weight that is not 1: each must be multiplied out."""
    volume = random_volume(6, 6, 6)[None]
    for row, column, value in ((2, 2, 0.0), (2, 4, 1.0), (5, 5, 0.999), (0, 0, 0.0)):
        matrix = np.eye(6, dtype=np.float32)
        matrix[row, column] = value
        for axis, letters in enumerate(("ax,cxyz->cayz", "ay,cxyz->cxaz", "az,cxyz->cxya")):
            weights = [np.eye(6, dtype=np.float32)] * 3
            weights[axis] = matrix
            np.testing.assert_allclose(resample(volume, tuple(weights)), np.einsum(letters, matrix, volume), rtol=1e-5, atol=1e-6)


def test_a_crop_takes_no_memory():
    volume = random_volume(9, 8, 7)[None]
    weights = tuple(axis_weights(n, n - 2, 1, 1) for n in (9, 8, 7))
    assert np.shares_memory(resample(volume, weights), volume)
