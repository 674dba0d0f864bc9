"""Random smooth fields, and the step from the 2 mm grid on which shapes are computed to the 1 mm grid of the images."""

import numpy as np
from scipy import fft, ndimage


def refine(field: np.ndarray) -> np.ndarray:
    """A smooth ``field`` (I, J, K) float32 at half its spacing: (2I-1, 2J-1, 2K-1), the samples kept, cubic midpoints between."""
    for axis in range(3):
        first = field.swapaxes(0, axis)
        ends = np.concatenate([2 * first[:1] - first[1:2], first, 2 * first[-1:] - first[-2:-1]])
        finer = np.empty((2 * len(first) - 1, *first.shape[1:]), dtype=np.float32)
        finer[::2] = first
        finer[1::2] = (9 * (ends[1:-2] + ends[2:-1]) - ends[:-3] - ends[3:]) / 16
        field = finer.swapaxes(0, axis)
    return np.ascontiguousarray(field)


def smooth_noise(rng: np.random.Generator, shape, length: float) -> np.ndarray:
    """Gaussian noise of mean 0 and variance about 1, float32, that changes over about ``length`` voxels (2 or more).

    Normal numbers on a lattice of that spacing, between which a cubic B-spline goes.
    """
    lattice = rng.standard_normal([int(np.ceil(side / length)) + 4 for side in shape], dtype=np.float32)
    for axis, side in enumerate(shape):
        place = np.arange(side, dtype=np.float32) / length + 1
        base = place.astype(int)
        t = place - base
        weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
        matrix = np.zeros((side, lattice.shape[axis]), dtype=np.float32)
        for step in range(4):
            matrix[np.arange(side), base - 1 + step] = weights[step]
        lattice = along(lattice, matrix, axis)
    return lattice / np.float32(0.479**1.5)  # the mean square of the four weights' sum over a cell is 0.479 per axis


def wave_noise(rng: np.random.Generator, shape, length: float, width: float) -> np.ndarray:
    """Gaussian noise of variance 1, float32, with waves about ``length`` voxels long; ``width`` is the band's relative width.

    In a narrow band the places where it is zero are winding sheets about ``length`` / 2 apart, as sulci are.
    """
    padded = [fft.next_fast_len(int(side), real=True) for side in shape]
    spectrum = fft.rfftn(rng.standard_normal(padded, dtype=np.float32))
    frequency = np.sqrt(sum(f**2 for f in np.meshgrid(*(fft.fftfreq(n) for n in padded[:2]), fft.rfftfreq(padded[2]), indexing="ij", sparse=True)))
    spectrum *= np.exp(-(((frequency * length - 1) / width) ** 2) / 2).astype(np.float32)
    noise = fft.irfftn(spectrum, padded)[tuple(slice(side) for side in shape)]
    return (noise / noise.std()).astype(np.float32)


def distance_to_zero(field: np.ndarray) -> np.ndarray:
    """Signed distance in voxels to where the smooth ``field`` is 0, to first order: f / |grad f|; |grad f| is kept from vanishing."""
    slope = np.sqrt(sum(np.square(part) for part in np.gradient(field)))
    return field / np.maximum(slope, 0.5 * slope.mean())


def along(array: np.ndarray, matrix: np.ndarray, axis: int) -> np.ndarray:
    """``matrix`` (M, N) applied to ``axis`` (of length N) of a 3-D ``array``."""
    if axis == 0:
        return (matrix @ array.reshape(len(array), -1)).reshape(len(matrix), *array.shape[1:])
    return matrix @ array if axis == 1 else array @ matrix.T


def step(distance: np.ndarray, width: float = 1.0) -> np.ndarray:
    """From 0 where ``distance`` is -``width``/2 or less to 1 where it is ``width``/2 or more: the share of a voxel on its inner side."""
    return np.clip(distance / np.float32(width) + np.float32(0.5), 0, 1)


def sample(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    """``field`` at fractional voxel indices ``points`` (3, ...), cubic, the border repeated; float32."""
    return ndimage.map_coordinates(field, points, order=3, mode="nearest", output=np.float32)
