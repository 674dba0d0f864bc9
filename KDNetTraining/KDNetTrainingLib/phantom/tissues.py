"""Which share of every voxel is which healthy tissue, from the distances to the brain's surfaces."""

import numpy as np

from KDNetTrainingLib.phantom.anatomy import Anatomy, Traits
from KDNetTrainingLib.phantom.fields import step


def shares(anatomy: Anatomy, traits: Traits, spacing: float, squeezed: np.ndarray | float = 0.0) -> dict[str, np.ndarray]:
    """Shares (I, J, K) float32 of "csf", "gm" and "wm" on the grid of ``anatomy``, whose voxels measure ``spacing`` mm.

    They add up to 1 inside the mask. ``squeezed`` (0 to 1) is how far swelling has closed the sulci.
    """
    open_ = np.float32(1) - squeezed
    sulcus = np.hypot(anatomy.sulcus, np.maximum(anatomy.cerebrum - anatomy.reach, 0))
    sulcus -= np.float32(traits.sulci) * open_ * np.clip(1.6 - anatomy.cerebrum / 14, 0.4, 1.6)
    midline = np.hypot(anatomy.midline, anatomy.callosum) - np.float32(0.5 + 0.6 * traits.sulci) * open_
    sylvian = anatomy.sylvian - np.float32(0.3 + 1.0 * traits.sulci) * open_
    surface = np.minimum(np.minimum(sulcus, midline), np.minimum(sylvian, anatomy.cerebrum - np.float32(traits.gap) * open_))

    cerebrum, stem = step(anatomy.cerebrum, spacing), step(anatomy.brainstem, spacing)
    cerebellum = step(anatomy.cerebellum - np.float32(0.3), spacing) * (1 - cerebrum)
    leaves = np.cos(np.float32(2 * np.pi) * anatomy.folia)
    lines = np.clip((leaves - 0.55) / 0.45, 0, 1) * np.clip(1.2 - anatomy.cerebellum / 11, 0, 1)
    core = step(anatomy.cerebellum - 7 + 3 * leaves, 2 * spacing)

    csf = cerebrum * step(-surface, spacing) + cerebellum * np.float32(0.7) * lines
    outside = np.clip(1 - cerebrum - cerebellum - stem, 0, 1)
    csf = np.maximum(np.clip(csf * (1 - stem) + outside, 0, 1), step(-anatomy.ventricles, spacing))
    cortex = cerebrum * step(np.float32(traits.cortex) - surface, spacing)
    deep = np.float32(0.7) * step(-anatomy.nuclei, 2 * spacing) * cerebrum
    gm = np.maximum(np.maximum(cortex, deep), cerebellum * (1 - core)) * (1 - stem * step(anatomy.brainstem - 2, 4))
    gm = np.minimum(gm + np.float32(0.15) * stem, 1 - csf)
    gm = np.maximum(gm, 0)
    return {"csf": csf, "gm": gm, "wm": np.maximum(1 - csf - gm, 0)}
