"""The size of a voxel, from a 4×4 affine (voxel index to mm) of any rotation and shear."""

import numpy as np


def voxel_spacing(affine: np.ndarray) -> np.ndarray:
    """The voxel's size in mm along I, J, K: the lengths of the affine's columns, whatever its rotation."""
    return np.linalg.norm(np.asarray(affine, dtype=float)[:3, :3], axis=0)


def voxel_ml(affine: np.ndarray) -> float:
    """The voxel's volume in ml: |det| of the affine, so that a gantry tilt does not count."""
    return abs(float(np.linalg.det(np.asarray(affine, dtype=float)[:3, :3]))) / 1000
