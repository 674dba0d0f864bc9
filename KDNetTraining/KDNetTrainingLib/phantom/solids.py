"""Signed distances (mm, negative inside) of the rounded solids that a brain is composed of.

``points`` is (3, ...) float32: x from the midline, y to the front, z up, in mm.
"""

import numpy as np


def ellipsoid(points: np.ndarray, centre, radii, exponent: float = 2.0) -> np.ndarray:
    """Distance along the ray from ``centre``; an ``exponent`` above 2 makes it boxier."""
    offset = [axis - np.float32(middle) for axis, middle in zip(points, centre)]
    norm = sum(np.abs(part / np.float32(radius)) ** exponent for part, radius in zip(offset, radii)) ** (1 / exponent)
    length = np.sqrt(sum(part * part for part in offset))
    return (length - length / np.maximum(norm, 1e-3)).astype(np.float32)


def tube(points: np.ndarray, nodes) -> np.ndarray:
    """A chain of round cones through ``nodes``, each (x, y, z, radius); rounded where two meet."""
    result = None
    for start, end in zip(nodes, nodes[1:]):
        first, axis = np.array(start[:3], np.float32), np.array(end[:3], np.float32) - np.array(start[:3], np.float32)
        offset = [part - middle for part, middle in zip(points, first)]
        share = np.clip(sum(part * length for part, length in zip(offset, axis)) / np.float32(axis @ axis), 0, 1)
        length = np.sqrt(sum((part - share * direction) ** 2 for part, direction in zip(offset, axis)))
        piece = length - (np.float32(start[3]) + share * np.float32(end[3] - start[3]))
        result = piece if result is None else union(result, piece, 2)
    return result


def union(first: np.ndarray, second: np.ndarray, rounding: float) -> np.ndarray:
    """Either solid, the groove between them filled over ``rounding`` mm (the polynomial smooth minimum)."""
    share = np.clip(0.5 + 0.5 * (second - first) / np.float32(rounding), 0, 1)
    return second + share * (first - second) - np.float32(rounding) * share * (1 - share)


def intersection(first: np.ndarray, second: np.ndarray, rounding: float) -> np.ndarray:
    """Both solids, the edge rounded over ``rounding`` mm."""
    return -union(-first, -second, rounding)
