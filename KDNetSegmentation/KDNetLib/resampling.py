"""Separable resampling between axis-aligned grids, the same operation on the way in and on the way back.

Each output sample is the mean of the piecewise-constant input over an interval of ``max(step, 1)`` input voxels. That is
plain linear interpolation where the output is finer than the input, and area averaging (no aliasing) where it is
coarser; both meet where the steps are equal. With step 2 and offset 0.5 it is the paper's subsampling of 128³ to 64³.
"""

import torch
from torch.nn import functional


def axis_weights(size_in: int, size_out: int, start: float, step: float) -> torch.Tensor:
    """Weights (size_out, size_in), float32: output sample ``o`` lies at input index ``start + o * step``.

    Samples up to half a voxel outside the input take the edge's value; rows of samples farther out are zero, so that
    everything beyond the field of view is background.
    """
    centre = start + step * torch.arange(size_out, dtype=torch.float64)
    inside = (centre >= -0.5 - 1e-9) & (centre <= size_in - 0.5 + 1e-9)
    half = max(step, 1.0) / 2
    cell = torch.arange(size_in, dtype=torch.float64)
    low = torch.maximum(centre[:, None] - half, cell - 0.5)
    high = torch.minimum(centre[:, None] + half, cell + 0.5)
    weights = (high - low).clamp(min=0)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-12)
    return (weights * inside[:, None]).float()


def resample(volume: torch.Tensor, weights: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Apply one weight matrix per spatial axis to ``volume`` (C, X, Y, Z) float32; gives (C, X', Y', Z').

    An axis that is only shifted is cropped and padded, which is the same product without its zeros; the result may
    therefore be a view of ``volume``. The axis that shrinks most goes first, so that the others work on less.
    """
    padding = [0] * 6  # as functional.pad wants it: last axis first
    for axis in sorted(range(3), key=lambda axis: weights[axis].shape[0] / weights[axis].shape[1]):
        rows, columns = weights[axis].shape
        shift = _shift_of(weights[axis])
        if shift is None:
            volume = torch.tensordot(volume, weights[axis].to(volume.device), dims=([axis + 1], [1])).movedim(-1, axis + 1)
        else:
            first, end = max(0, shift), min(columns, shift + rows)
            volume = volume.narrow(axis + 1, first, end - first)
            padding[4 - 2 * axis : 6 - 2 * axis] = first - shift, shift + rows - end
    return functional.pad(volume, padding) if any(padding) else volume


def _shift_of(weights: torch.Tensor) -> int | None:
    """The ``s`` by which output ``o`` is input ``o + s``, and zero where there is no such input; None for other weights."""
    used = weights.nonzero()[:1]
    if not len(used):
        return None
    shift = int(used[0, 1] - used[0, 0])
    return shift if torch.equal(weights, torch.ones_like(weights).triu(shift).tril(shift)) else None
