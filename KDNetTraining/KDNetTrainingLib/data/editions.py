"""The editions of BraTS, told by how a case is named: numbering of the labels and who the patient is."""

import re
from dataclasses import dataclass


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


#: The first that matches counts. 2018 and 2019 share patients, and so do 2021 and 2023 (BraTS2021_00410 is
#: BraTS-GLI-00410-000). The post-treatment scans of 2024 are numbered from 100 on; 4 is the resection cavity there, and
#: should a 2023 name hold a 4, it is that too.
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
    """The edition that the case's name belongs to, and the patient in it."""
    for edition in EDITIONS:
        match = edition.pattern.fullmatch(case)
        if match:
            return edition, match["patient"]
    raise ValueError("a case has a name")
