"""Tumour labels: the network's classes, the regions formed from them, and the numberings of the BraTS editions.

Inside KDNet a label map holds class indices 0 to 3. Files hold the BraTS values 1, 2, 4 of the challenge the paper
used (2018); from 2023 on the challenge writes 3 for the enhancing tumour, and the Medical Segmentation Decathlon swaps
the first two. The edition is told by file naming, because a patient without enhancing tumour has no 4 to tell it by.
"""

import re
from dataclasses import dataclass

import numpy as np

from KDNetLib.errors import InputError


@dataclass(frozen=True)
class Label:
    """One tumour class: ``index`` in the network's output (1 to 3), short ``key``, ``name``, RGB ``colour`` in 0 to 1."""

    index: int
    key: str
    name: str
    colour: tuple[float, float, float]


LABELS = (
    Label(1, "NCR", "Necrotic tumour core", (0.25, 0.45, 0.85)),
    Label(2, "ED", "Peritumoral edema", (0.45, 0.80, 0.35)),
    Label(3, "ET", "Enhancing tumour", (0.90, 0.25, 0.20)),
)

#: Class indices that make up each region BraTS scores.
REGIONS = {"ET": (3,), "TC": (1, 3), "WT": (1, 2, 3)}

#: What volumes are reported for: the three labels, then the two regions that are more than one label.
VOLUME_KEYS = ("NCR", "ED", "ET", "TC", "WT")

#: Value in a file -> class index. In 2024 (post-treatment) 4 is the resection cavity, which is not tumour.
CONVENTIONS = {
    "1/2/4": {1: 1, 2: 2, 4: 3},
    "1/2/3": {1: 1, 2: 2, 3: 3},
    "1/2/3/4": {1: 1, 2: 2, 3: 3, 4: 0},
    "msd": {1: 2, 2: 1, 3: 3},
}

_NAMING = (
    (re.compile(r"brats[-_]?(17|18|19|20|2017|2018|2019|2020|2021)[-_]|_kdnet-seg", re.IGNORECASE), "1/2/4"),
    (re.compile(r"^brats_\d{3}\.nii", re.IGNORECASE), "msd"),
)
_GLIOMA_2023 = re.compile(r"brats-gli-\d{5}-\d{3}", re.IGNORECASE)


def to_classes(labelmap: np.ndarray, convention: str) -> np.ndarray:
    """Turn file values into class indices 0 to 3 (uint8, same shape).

    Raises :class:`InputError` naming the values that ``convention`` (a key of :data:`CONVENTIONS`) does not know.
    """
    mapping = CONVENTIONS[convention]
    present = np.unique(labelmap[labelmap != 0])  # without the background: several times faster
    unknown = [value for value in present.tolist() if value not in mapping]
    if unknown:
        shown = ", ".join(f"{value:g}" for value in unknown[:5])
        raise InputError(
            f"The label map holds the value(s) {shown}, which the numbering {convention} does not know; "
            f"choose another numbering ({', '.join(CONVENTIONS)}) or check that it is a label map."
        )
    classes = np.zeros(labelmap.shape, dtype=np.uint8)
    for value, index in mapping.items():
        classes[labelmap == value] = index
    return classes


def from_classes(classes: np.ndarray) -> np.ndarray:
    """Turn class indices 0 to 3 into the BraTS values 0, 1, 2, 4 (uint8) that every file written here holds."""
    return classes + (classes == 3).view(np.uint8)  # ten times faster than a table, and keeps the order in memory


def most_probable(probabilities: np.ndarray) -> np.ndarray:
    """The class (uint8) of the largest of ``probabilities`` (classes, ...), the first one where several are equal.

    The argmax over the first axis; numpy's own takes several times as long.
    """
    classes, largest = np.zeros(probabilities.shape[1:], dtype=np.uint8), probabilities[0].copy()
    for index, share in enumerate(probabilities[1:], start=1):
        np.putmask(classes, share > largest, index)
        np.maximum(largest, share, out=largest)
    return classes


def decided(probabilities: np.ndarray) -> np.ndarray:
    """The class (uint8) of each voxel of ``probabilities`` (4, ...) that sum to 1 over the first axis, by the nested regions that BraTS scores.

    Tumour where its three classes together are more probable than background; of tumour, core where NCR and ET together
    are more probable than edema; of core, ET where it is more probable than NCR. The first of two that are equal. Where
    a class has more than a half this is the argmax; where none has, three kinds of tumour do not lose to background one by one.
    """
    background, necrotic, edema, enhancing = probabilities
    core = necrotic + enhancing
    inner = np.where(enhancing > necrotic, np.uint8(3), np.uint8(1))
    outer = np.where(core > edema, inner, np.uint8(2))
    return np.where(core + edema > background, outer, np.uint8(0))


def convention_of(name: str, values) -> str:
    """The numbering (a key of :data:`CONVENTIONS`) of the label file called ``name`` holding ``values``.

    Naming decides; ``values`` (iterable of int) are asked only where it says nothing, and where both a 3 and a 4
    occur there, :class:`InputError` asks the user. The 2023 and 2024 editions share a naming: a 4 among their values
    is the 2024 resection cavity.
    """
    values = {int(value) for value in values}
    for pattern, convention in _NAMING:
        if pattern.search(name):
            return convention
    if _GLIOMA_2023.search(name):
        return "1/2/3/4" if 4 in values else "1/2/3"
    if {3, 4} <= values:
        raise InputError(
            f"The label map {name} holds both 3 and 4, so its numbering cannot be told; "
            "name it: 1/2/3/4 (BraTS 2024) or another."
        )
    return "1/2/3" if 3 in values else "1/2/4"
