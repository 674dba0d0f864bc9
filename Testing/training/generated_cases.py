"""BraTS folders for the training tests: small cases of four modalities, each showing the tumour in its own way."""

import numpy as np

from engine.generated import affine_of, brain, save
from KDNetLib.labels import from_classes

SPACING = (4.0, 4.0, 4.0)
#: Suffixes of the editions, in the order T1, T1ce, T2, FLAIR.
OLD, NEW = ("t1", "t1ce", "t2", "flair"), ("t1n", "t1c", "t2w", "t2f")


def write_case(folder, name, seed=0, suffixes=OLD, separator="_", ending=".nii.gz", shape=(30, 34, 28), leave_out=()):
    """Write one case below ``folder``; returns its folder."""
    place = folder / name
    place.mkdir(parents=True)
    array, labels = brain(shape, SPACING, seed)
    rng = np.random.default_rng(seed)
    for suffix in suffixes:
        if suffix not in leave_out:
            noisy = np.where(array != 0, array + rng.normal(0, 20, shape), 0).astype(np.float32)
            save(place / f"{name}{separator}{suffix}{ending}", noisy, affine_of(SPACING))
    if "seg" not in leave_out:
        values = labels if suffixes is NEW else from_classes(labels)
        save(place / f"{name}{separator}seg{ending}", values.astype(np.uint8), affine_of(SPACING))
    return place
