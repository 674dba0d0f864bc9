"""What the naming of BraTS files and cases says: modality, case, edition with its numbering of the labels, patient."""

import re
from dataclasses import dataclass
from pathlib import Path

from KDNetTrainingLib.modalities import MODALITIES

#: From 2023 on BraTS names the same modalities t1n, t1c, t2w and t2f.
_SINCE_2023 = {"t1n": "t1", "t1c": "t1ce", "t2w": "t2", "t2f": "flair"}
_FILE = re.compile(rf"(?P<case>.+)[_-](?P<what>{'|'.join((*MODALITIES, *_SINCE_2023, 'seg'))})\.nii(\.gz)?", re.IGNORECASE)
#: The Decathlon gives image and label one name, in the folders imagesTr and labelsTr, and packs the modalities.
_DECATHLON_FILE = re.compile(r"(?P<case>BRATS_\d{3})\.nii(\.gz)?", re.IGNORECASE)
_DECATHLON_FOLDERS = {"imagestr": "all", "imagests": "all", "labelstr": "seg"}
#: Place of each modality in the Decathlon's 4-D images.
DECATHLON_VOLUMES = {"flair": 0, "t1": 1, "t1ce": 2, "t2": 3}


@dataclass(frozen=True)
class Edition:
    """``pattern`` matches the whole name of a case; its group ``patient`` is what all scans of one person share.

    ``convention`` is a key of ``KDNetLib.labels.CONVENTIONS``, or None where only the values can tell.
    """

    name: str
    pattern: re.Pattern
    convention: str | None


def _edition(name: str, pattern: str, convention: str | None) -> Edition:
    return Edition(name, re.compile(pattern, re.IGNORECASE), convention)


#: The first that matches counts. 2018 and 2019 share patients by name. The training data of 2023 are those of 2021, so
#: equal numbers are taken as one patient: were they not, two strangers would lie in one fold, which harms nothing. The
#: post-treatment scans of 2024 are numbered from 100 on; 4 is the resection cavity there, and in a scan named as in 2023 too.
EDITIONS = (
    _edition("BraTS 2017", r"brats17_(?P<patient>.+)_\d+", "1/2/4"),
    _edition("BraTS 2018", r"brats18_(?P<patient>.+)_\d+", "1/2/4"),
    _edition("BraTS 2019", r"brats19_(?P<patient>.+)_\d+", "1/2/4"),
    _edition("BraTS 2020", r"(?P<patient>brats20_(training|validation)_\d+)", "1/2/4"),
    _edition("BraTS 2021", r"brats2021_(?P<patient>\d+)", "1/2/4"),
    _edition("BraTS 2024 GLI", r"brats-gli-(?P<patient>\d+)-1\d\d", "1/2/3/4"),
    _edition("BraTS 2023 GLI", r"brats-gli-(?P<patient>\d+)-\d+", "1/2/3/4"),
    _edition("MSD Task01", r"(?P<patient>brats_\d{3})", "msd"),
    _edition("BraTS", r"(?P<patient>.+)", None),
)


def edition_of(case: str) -> tuple[Edition, str]:
    """The edition that the case's name (not empty) belongs to, and the patient in it."""
    matches = ((edition, edition.pattern.fullmatch(case)) for edition in EDITIONS)
    return next((edition, match["patient"]) for edition, match in matches if match)


def role_of(path: Path) -> tuple[str, str] | None:
    """Case and modality (or "seg") that a file's name says, "all" for the Decathlon's 4-D images; None for other files."""
    match = _FILE.fullmatch(path.name)
    if match:
        what = match["what"].lower()
        return match["case"], _SINCE_2023.get(what, what)
    match, what = _DECATHLON_FILE.fullmatch(path.name), _DECATHLON_FOLDERS.get(path.parent.name.lower())
    return (match["case"], what) if match and what else None
