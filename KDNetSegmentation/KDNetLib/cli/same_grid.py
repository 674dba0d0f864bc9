"""Refusing to combine two images voxel by voxel that do not lie on one grid."""

import numpy as np

from KDNetLib.errors import InputError
from KDNetLib.image_io import Image
from KDNetLib.voxel_size import voxel_spacing

#: Share of the smallest voxel side by which corners may differ; affines are stored as rounded single precision.
_TOLERANCE = 0.1


def require_same_grid(first: Image, second: Image) -> None:
    """Raise InputError where the images differ in size, or in place by more than a tenth of a voxel."""
    if first.array.shape != second.array.shape:
        sizes = " and ".join("×".join(map(str, image.array.shape)) for image in (first, second))
        raise InputError(f"{first.name} and {second.name} differ in size ({sizes} voxels); bring both to the same grid.")
    corners = np.array(np.meshgrid(*[(0, side - 1) for side in first.array.shape], [1])).reshape(4, -1)
    shift = np.linalg.norm(((first.affine - second.affine) @ corners)[:3], axis=0).max()
    if not shift <= _TOLERANCE * voxel_spacing(first.affine).min():
        raise InputError(f"{first.name} and {second.name} lie up to {shift:.3g} mm apart in space; bring both to the same grid.")
