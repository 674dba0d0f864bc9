"""The preprocessed cases on disk: written once, memory-mapped in every epoch.

A case is two arrays: images (4, X, Y, Z) float16, z-scored in the box of non-zero voxels at half the network's spacing
and averaged over 2×2×2 neighbours; classes (X, Y, Z) uint8. The averaging makes every second voxel the area average
that inference computes, wherever augmentation puts the samples.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch.nn import functional

from KDNetLib.errors import InputError
from KDNetLib.image_io import read_image, read_labelmap
from KDNetLib.input_checks import usable_image
from KDNetLib.labels import convention_of, to_classes
from KDNetLib.preprocessing import Preprocessing
from KDNetTrainingLib.data.augmentation import FINE
from KDNetTrainingLib.data.cases import MODALITIES, TrainingCase

#: Raise when what is written changes, so that old caches are made anew.
_VERSION = 1


@dataclass(frozen=True)
class CachedCase:
    """Memory-mapped arrays of one case, see the module's text."""

    name: str
    images: np.ndarray
    classes: np.ndarray


def cached_case(case: TrainingCase, folder: Path, spacing: float) -> CachedCase:
    """The case from ``folder``, preprocessed first where it is not there or its source files or ``spacing`` changed.

    A kill half-way leaves no array under its final name. Raises InputError where grids differ or a file is unusable.
    """
    key = _fingerprint(case, spacing)
    images, classes = folder / f"{case.name}-{key}-images.npy", folder / f"{case.name}-{key}-classes.npy"
    if not (images.exists() and classes.exists()):
        folder.mkdir(parents=True, exist_ok=True)
        for path, array in zip((images, classes), _preprocess(case, spacing)):
            partial = path.with_suffix(f".{os.getpid()}.part")
            with open(partial, "wb") as file:
                np.save(file, array, allow_pickle=False)
            os.replace(partial, path)
    return CachedCase(case.name, np.load(images, mmap_mode="r"), np.load(classes, mmap_mode="r"))


def _fingerprint(case: TrainingCase, spacing: float) -> str:
    facts = [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in case.files]
    return hashlib.sha256(json.dumps([_VERSION, spacing, facts]).encode()).hexdigest()[:12]


def _preprocess(case: TrainingCase, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    images = [usable_image(read_image(case.images[modality]))[0] for modality in MODALITIES]
    reference = read_labelmap(case.reference)
    for image in (*images[1:], reference):
        if image.array.shape != images[0].array.shape or not np.allclose(image.affine, images[0].affine, atol=1e-3):
            raise InputError(f"{case.name}: {image.name} lies on another grid than {images[0].name}; register and resample it first.")
    classes = to_classes(reference.array, convention_of(case.reference.name, np.unique(reference.array)))
    prepared = Preprocessing("whole-brain", spacing / FINE).prepare([image.array for image in images], images[0].affine)
    averaged = functional.avg_pool3d(prepared.tensor[None], kernel_size=2, stride=1)[0]
    return averaged.half().numpy(), prepared.labels_like_input(classes)
