"""What is done to a label map after the network: specks of enhancing tumour become necrotic core.

A glioma without enhancement often gets a few enhancing voxels from a network. Where all of them in a scan are less than
a model's limit, they count as necrotic and non-enhancing core, as in nnU-Net's entry to BraTS 2020 (Isensee et al.,
arXiv:2011.00848): the core keeps its outline.
"""

import numpy as np

from KDNetLib.voxel_size import voxel_ml

_CORE, _ENHANCING = 1, 3


def remove_specks(classes: np.ndarray, affine: np.ndarray, least_enhancing_ml: float) -> bool:
    """Turn class 3 into class 1 in ``classes`` (I, J, K), in place, where there is less of it than ``least_enhancing_ml``.

    ``affine`` is 4×4 from voxel index to mm. Returns whether anything was changed.
    """
    if not least_enhancing_ml:
        return False
    enhancing = classes == _ENHANCING
    if not 0 < np.count_nonzero(enhancing) * voxel_ml(affine) < least_enhancing_ml:
        return False
    classes[enhancing] = _CORE
    return True
