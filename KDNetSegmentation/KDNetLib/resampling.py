"""Separable resampling between axis-aligned grids, the same operation on the way in and on the way back.

Each output sample is the mean of the piecewise-constant input over an interval of ``max(step, 1)`` input voxels. That is
plain linear interpolation where the output is finer than the input, and area averaging (no aliasing) where it is
coarser; both meet where the steps are equal. With step 2 and offset 0.5 it is the paper's subsampling of 128³ to 64³.
"""

import numpy as np


def axis_weights(size_in: int, size_out: int, start: float, step: float) -> np.ndarray:
    """Weights (size_out, size_in), float32: output sample ``o`` lies at input index ``start + o * step``.

    Samples up to half a voxel outside the input take the edge's value; rows of samples farther out are zero, so that
    everything beyond the field of view is background.
    """
    centre = start + step * np.arange(size_out)
    inside = (centre >= -0.5 - 1e-9) & (centre <= size_in - 0.5 + 1e-9)
    half = max(step, 1.0) / 2
    cell = np.arange(size_in)
    low = np.maximum(centre[:, None] - half, cell - 0.5)
    high = np.minimum(centre[:, None] + half, cell + 0.5)
    weights = (high - low).clip(min=0)
    weights = weights / weights.sum(axis=1, keepdims=True).clip(min=1e-12)
    return (weights * inside[:, None]).astype(np.float32)


def resample(volume: np.ndarray, weights: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """Apply one weight matrix per spatial axis to ``volume`` (C, X, Y, Z) float32; gives (C, X', Y', Z').

    An axis that is only shifted is cropped and padded, which is the same product without its zeros; the result may
    therefore be a view of ``volume``. The axis that shrinks most goes first, so that the others work on less.
    """
    padding = [(0, 0)] * 4
    for axis in sorted(range(3), key=lambda axis: weights[axis].shape[0] / weights[axis].shape[1]):
        rows, columns = weights[axis].shape
        shift = _shift_of(weights[axis])
        if shift is None:
            volume = _product(volume, weights[axis], axis)
        else:
            first, end = max(0, shift), min(columns, shift + rows)
            volume = volume[(slice(None),) * (axis + 1) + (slice(first, max(first, end)),)]
            padding[axis + 1] = first - shift, rows - (first - shift) - max(0, end - first)
    return np.pad(volume, padding) if any(map(any, padding)) else volume


def _product(volume, weights, axis):
    """``weights`` (M, N) applied to spatial ``axis``, of length N, of ``volume``."""
    if axis == 0:
        channels, _, *rest = volume.shape
        return (weights @ volume.reshape(*volume.shape[:2], -1)).reshape(channels, len(weights), *rest)
    return weights @ volume if axis == 1 else volume @ weights.T


def _shift_of(weights: np.ndarray) -> int | None:
    """The ``s`` by which output ``o`` is input ``o + s``, and zero where there is no such input; None for other weights."""
    used = np.argwhere(weights)[:1]
    if not len(used):
        return None
    shift = int(used[0, 1] - used[0, 0])
    return shift if np.array_equal(weights, np.eye(*weights.shape, shift, dtype=weights.dtype)) else None
