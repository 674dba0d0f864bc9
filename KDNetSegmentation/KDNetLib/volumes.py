"""The volumes of the labels and regions in a label map."""

import numpy as np

from KDNetLib.labels import LABELS, REGIONS, VOLUME_KEYS
from KDNetLib.voxel_size import voxel_ml


def volumes_ml(classes: np.ndarray, affine: np.ndarray) -> dict[str, float]:
    """Volumes in ml of NCR, ED, ET, TC and WT in class indices 0 to 3 on the grid of ``affine``."""
    voxels = classes.ravel(order="K")
    counts = np.bincount(voxels[voxels != 0], minlength=4)  # without the background, which would be most of the work
    parts = {label.key: (label.index,) for label in LABELS} | REGIONS
    return {key: float(counts[list(parts[key])].sum()) * voxel_ml(affine) for key in VOLUME_KEYS}
