"""What is done to a label map after the network: enhancing tumour that may be noise becomes necrotic core.

A glioma without enhancement often gets a few enhancing voxels from a network. Where all of them in a scan are less than
a model's limit, they count as necrotic and non-enhancing core, as in nnU-Net's entry to BraTS 2020 (Isensee et al.,
arXiv:2011.00848): the core keeps its outline. So they do where the network is nowhere sure of them, as hysteresis
thresholds ask for one sure pixel of an edge (Canny 1986).
"""

import numpy as np

from KDNetLib.voxel_size import voxel_ml

_CORE, _ENHANCING = 1, 3
#: What the probability of enhancing tumour must reach somewhere; from generated cases, see KDNetTraining/TRYOUTS.md.
_SURE = 0.75


def remove_specks(classes: np.ndarray, affine: np.ndarray, probabilities: np.ndarray, least_enhancing_ml: float) -> str:
    """Turn class 3 into class 1 in ``classes`` (I, J, K), in place, where there is less of it than ``least_enhancing_ml``, or where it is nowhere sure.

    ``affine`` is 4×4 from voxel index to mm; ``probabilities`` (4, X, Y, Z) are the network's, on its own grid. Returns
    what was found wrong, in words, or "" where nothing was changed. A limit of 0 changes nothing.
    """
    enhancing = classes == _ENHANCING
    found = np.count_nonzero(enhancing) * voxel_ml(affine)
    if not least_enhancing_ml or not found:
        return ""
    if found < least_enhancing_ml:
        reason = f"less than {least_enhancing_ml:g} ml of it"
    elif probabilities[_ENHANCING].max() < _SURE:
        reason = f"its probability is nowhere {_SURE:g}"
    else:
        return ""
    classes[enhancing] = _CORE
    return reason
