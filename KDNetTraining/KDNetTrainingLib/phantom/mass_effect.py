"""How a growing tumour pushes the brain aside: the template's places are drawn together around it."""

import numpy as np


def push_aside(points: np.ndarray, depth: np.ndarray, centre: np.ndarray, radius: float, strength: float) -> np.ndarray:
    """``points`` (3, ...) in mm, as seen after a lesion at ``centre`` (3,) has pushed what surrounds it outwards.

    A voxel at the distance r shows the place at r (1 - s exp(-(r / w)^2)), w = 2.2 ``radius``: what lay near the centre
    has moved by up to 0.4 s w, and the map stays one to one for a ``strength`` s below 0.9. The skull holds its place
    (``depth`` (...) mm below it), and the falx halves what reaches the other side.
    """
    offset = points - centre.reshape(3, *(1,) * (points.ndim - 1)).astype(np.float32)
    width = np.float32(2.2 * radius)
    drawn = np.float32(strength) * np.exp(-(offset**2).sum(axis=0) / width**2)
    other_side = np.clip(-np.sign(centre[0]) * points[0] / 6, 0, 1)
    drawn *= np.clip(depth / 18, 0, 1)
    return points - offset * drawn * (1 - np.float32(0.5) * other_side.astype(np.float32))
