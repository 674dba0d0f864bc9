"""What the names of image files say: modality, label map or scan, and which case they belong to.

Names are read as words between ``- _ . +`` and blanks, in any case, so that the namings of the BraTS editions, of BIDS
and of the collections built like them are all understood. Nothing here opens a file.
"""

import os
import re
from pathlib import Path

from KDNetLib.errors import InputError

SEGMENTATION_SUFFIX = "_kdnet-seg"
PROBABILITIES_SUFFIX = "_kdnet-prob"

_EXTENSION = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
_T1CE_WORDS = {"t1ce", "t1c", "t1gd", "t1post", "ct1"}
#: BIDS writes sub-01_ce-gadolinium_T1w; others T1_Gd, T1w-CE, T1 post.
_TWO_WORDS = r"t1w?[-_. +](ce|gd|c|post|contrast)"
_T1CE_PHRASE = re.compile(rf"(^|_)ce-[a-z0-9]+_(.*_)?t1w$|(^|[-_. +]){_TWO_WORDS}($|[-_. +])", re.IGNORECASE)
_OTHER_MODALITIES = {"t1", "t1n", "t1w", "t2", "t2w", "t2f", "fla", "flair", "adc", "dwi", "swi", "asl", "bold"}
_LABEL_WORDS = {"seg", "segm", "segmentation", "label", "labels", "labelmap", "mask", "brainmask"}
#: The Medical Segmentation Decathlon and nnU-Net give image and label one name, in two folders.
_LABEL_FOLDERS = {"labels", "labelstr", "labelsts", "gt_segmentations"}
#: What follows the case's own name, possibly several times: case_t1ce_kdnet-seg.
_ROLE = re.compile(
    r"(^|[-_. +])(kdnet-seg|seg|segm|segmentation|labels?|labelmap|pred|prediction"
    rf"|{'|'.join(sorted(_T1CE_WORDS))}|ce-[a-z0-9]+_t1w|{_TWO_WORDS})$", re.IGNORECASE
)


def stem(path: Path) -> str:
    """The file's name without ``.nii`` or ``.nii.gz``."""
    return _EXTENSION.sub("", path.name)


def nifti_files(folder: Path) -> list[Path]:
    """The NIfTI files among :func:`visible_files`; raises what it raises."""
    return [path for path in visible_files(folder) if is_nifti(path)]


def is_nifti(path: Path) -> bool:
    """Whether the name ends in ``.nii`` or ``.nii.gz``."""
    return bool(_EXTENSION.search(path.name))


def visible_files(folder: Path) -> list[Path]:
    """Every file below ``folder`` in order of its path, links followed, hidden files and folders left out.

    Raises InputError where a folder cannot be read, rather than leaving its cases out silently.
    """
    files, seen = [], set()

    def stop(error: OSError):
        raise InputError(f"The folder {error.filename} cannot be read ({error.strerror}); check its permissions.")

    for parent, folders, names in os.walk(folder, onerror=stop, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:  # a link to a folder above would go round for ever
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(files)


def is_t1ce(path: Path) -> bool:
    """Whether the name says post-contrast T1."""
    return bool(_words(stem(path)) & _T1CE_WORDS) or bool(_T1CE_PHRASE.search(stem(path)))


def is_other_modality(path: Path) -> bool:
    """Whether the name says another modality than post-contrast T1."""
    return bool(_words(stem(path)) & _OTHER_MODALITIES) and not is_t1ce(path)


def is_label_map(path: Path, root: Path) -> bool:
    """Whether the name, or a folder between ``root`` and it, says label map or mask; also true for our own segmentations."""
    folders = {part.lower() for part in path.relative_to(root).parent.parts}
    return bool(_words(stem(path)) & _LABEL_WORDS or folders & _LABEL_FOLDERS)


def is_own_output(path: Path) -> bool:
    """Whether the file was written by a run of this program."""
    return stem(path).endswith((SEGMENTATION_SUFFIX, PROBABILITIES_SUFFIX))


def case_key(path: Path) -> str:
    """The case's own name in lower case, without what says modality or label map; the folder's name where nothing is left."""
    name = stem(path)
    while (shorter := _ROLE.sub("", name)) != name:
        name = shorter
    return (name or path.parent.name).lower()


def _words(text: str) -> set[str]:
    return set(re.split(r"[-_. +]", text.lower()))
