"""Growth of a glioma: the reaction-diffusion model of Swanson, in which tumour cells spread fast along white matter.

    du/dt = div(D grad u) + r u (1 - u),   D in white matter fifteen times D in grey, 0 in fluid

(Swanson et al., Cell Prolif 33, 2000). The scan's threshold of visibility, 0.16, is the one used with the model for T2.
"""

import numpy as np

from KDNetLib.bounding_box import bounding_box

#: Cell density (share of what tissue can hold) above which T2 and FLAIR show the tumour.
VISIBLE = 0.16
_WHITE, _GREY, _RATE = 0.15, 0.01, 0.07  # per step, in voxels; explicit steps are stable below 1/6
_MOST_STEPS = 400


def grow(shares: dict[str, np.ndarray], vigour: np.ndarray, seeds: list[tuple[int, int, int]], volume: float) -> tuple[np.ndarray, np.ndarray]:
    """Let a tumour grow from ``seeds`` until ``volume`` voxels show it, or it grows no further.

    ``shares`` are those of :mod:`tissues`, ``vigour`` (I, J, K) multiplies the spread, 0 bars the way. Returns density (0 to 1) and the
    step at which each voxel became visible (the last step + 1 where it did not), both float32.
    """
    spread = (_WHITE * shares["wm"] + _GREY * shares["gm"]) * np.minimum(vigour, 1.1)
    rate = _RATE * (shares["wm"] + np.float32(0.35) * shares["gm"])
    spread, rate = spread.astype(np.float32), rate.astype(np.float32)
    faces = [np.minimum(*_neighbours(spread, axis)) for axis in range(3)]
    density, visible_at = np.zeros_like(spread), np.full(spread.shape, np.inf, dtype=np.float32)
    for seed in seeds:
        density[tuple(slice(max(0, place - 1), place + 2) for place in seed)] = 0.6
    for number in range(_MOST_STEPS):
        box = _occupied(density)
        part = density[box]
        change = rate[box] * part * (1 - part)
        for axis in range(3):
            inner = tuple(slice(side.start, side.stop - (other == axis)) for other, side in enumerate(box))
            flow = faces[axis][inner] * np.diff(part, axis=axis)
            first, second = _neighbours(change, axis)
            first += flow
            second -= flow
        part += change
        seen = visible_at[box]
        seen[(part > VISIBLE) & np.isinf(seen)] = number
        if number % 4 == 0 and np.count_nonzero(part > VISIBLE) >= volume:
            break
    visible_at[np.isinf(visible_at)] = number + 1
    return density, visible_at


def _neighbours(array: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Views of all but the last and all but the first layer along ``axis``."""
    everything = (slice(None),) * axis
    return array[(*everything, slice(None, -1))], array[(*everything, slice(1, None))]


def _occupied(density: np.ndarray) -> tuple[slice, ...]:
    """The box that holds all tumour, and two voxels around, into which it may spread."""
    return tuple(slice(max(0, side.start - 2), min(size, side.stop + 2)) for side, size in zip(bounding_box(density > 1e-4), density.shape))
