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


def write_cases(folder, count):
    """Write BraTS2021_00000 and so on, ``count`` cases, each of its own seed, below ``folder``; returns ``folder``."""
    for index in range(count):
        write_case(folder, f"BraTS2021_{index:05}", seed=index)
    return folder


def write_decathlon_case(folder, name, seed=0, shape=(30, 34, 28)):
    """Write one case as the Medical Segmentation Decathlon does; returns its images (I, J, K, 4) and class indices."""
    array, labels = brain(shape, SPACING, seed)
    rng = np.random.default_rng(seed)
    images = np.stack([np.where(array != 0, array + rng.normal(0, 20, shape), 0) for _ in range(4)], axis=-1).astype(np.float32)
    for place, what in (("imagesTr", images), ("labelsTr", np.array([0, 2, 1, 3], dtype=np.uint8)[labels])):
        (folder / place).mkdir(parents=True, exist_ok=True)
        save(folder / place / f"{name}.nii.gz", what, affine_of(SPACING))
    return images, labels
