"""The box that holds everything of a mask."""

import numpy as np


def bounding_box(mask: np.ndarray) -> tuple[slice, slice, slice]:
    """The smallest box, as a slice per axis, that holds every true (or non-zero) voxel of ``mask`` (X, Y, Z); empty where there is none."""
    slowest = int(np.argmax(np.abs(mask.strides)))  # by whole planes: other ways through memory take several times as long
    plane = mask.any(axis=slowest)
    box = [extent(plane.any(axis=1)), extent(plane.any(axis=0))]
    box.insert(slowest, slice(None))
    box[slowest] = extent(mask[tuple(box)].any(axis=tuple({0, 1, 2} - {slowest})))
    return tuple(box)


def extent(line: np.ndarray) -> slice:
    """From the first to the last true element of ``line`` (N,); empty where there is none."""
    used = np.flatnonzero(line)
    return slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)
