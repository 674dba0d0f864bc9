"""``name_mapping.csv``, which comes with BraTS 2019 and 2020: each case's grade, and its names in the other editions."""

import csv
from dataclasses import dataclass
from pathlib import Path

from KDNetTrainingLib.data.editions import edition_of

_PATTERN = "name_mapping*.csv"
_GRADE = "Grade"
#: The first name that a row has gives the patient: 2018 and 2019 name patients alike, also where there is no table.
_NAMES = ("BraTS_2018_subject_ID", "BraTS_2019_subject_ID", "BraTS_2017_subject_ID", "BraTS_2020_subject_ID")
_EMPTY = ("", "NA", "nan")


@dataclass(frozen=True)
class Mapped:
    """What the table says of a case: ``grade`` is "HGG", "LGG" or None; ``patient`` is the same in all editions."""

    grade: str | None
    patient: str


def read_name_mappings(files: list[Path]) -> dict[str, Mapped]:
    """Case name in lower case -> what the tables among ``files`` say of it; tables that are none are passed over."""
    found: dict[str, Mapped] = {}
    for path in (path for path in files if path.match(_PATTERN)):
        for row in _rows(path):
            names = [row[column].strip() for column in _NAMES if (row.get(column) or "").strip() not in _EMPTY]
            grade = (row.get(_GRADE) or "").strip().upper()
            for name in names:
                found[name.lower()] = Mapped(grade if grade in ("HGG", "LGG") else None, edition_of(names[0])[1])
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        return []  # without the table cases are only told apart less well
