"""Writing generated cases as each edition of BraTS names, numbers and packs its own."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from KDNetLib.errors import InputError
from KDNetLib.image_io import write_array
from KDNetLib.labels import CONVENTIONS
from KDNetTrainingLib.data.editions import DECATHLON_VOLUMES
from KDNetTrainingLib.modalities import MODALITIES
from KDNetTrainingLib.phantom.case import AFFINE, PhantomCase

_OLD = dict(zip(MODALITIES, MODALITIES))
_SINCE_2023 = dict(zip(MODALITIES, ("t1n", "t1c", "t2w", "t2f")))


@dataclass(frozen=True)
class Naming:
    """``case`` is the pattern of a case's name with its number counted on from ``first``.

    ``suffixes`` of the files by modality, or None where all are in one 4-D file; ``by_grade``: below HGG and LGG.
    """

    case: str
    first: int
    last: int
    convention: str
    suffixes: dict[str, str] | None
    separator: str = "_"
    by_grade: bool = False


#: Numbers lie beyond those of real patients where the format has room, so that both can be trained on together.
NAMINGS = {
    "BraTS 2018": Naming("Brats18_Phantom_{:04d}_1", 1, 9999, "1/2/4", _OLD, by_grade=True),
    "BraTS 2019": Naming("BraTS19_Phantom_{:04d}_1", 1, 9999, "1/2/4", _OLD, by_grade=True),
    "BraTS 2020": Naming("BraTS20_Training_{:04d}", 9001, 9999, "1/2/4", _OLD),
    "BraTS 2021": Naming("BraTS2021_{:05d}", 90001, 99999, "1/2/4", _OLD),
    "BraTS 2023 GLI": Naming("BraTS-GLI-{:05d}-000", 90001, 99999, "1/2/3/4", _SINCE_2023, "-"),
    "BraTS 2024 GLI": Naming("BraTS-GLI-{:05d}-100", 90001, 99999, "1/2/3/4", _SINCE_2023, "-"),
    "MSD Task01": Naming("BRATS_{:03d}", 751, 999, "msd", None),
}
#: Only this edition has patients after surgery.
TREATED = "BraTS 2024 GLI"
_GRADES = ("HGG", "LGG")


def check_count(edition: str, cases: int) -> None:
    """Raise InputError where ``edition`` (a key of NAMINGS) cannot number so many cases."""
    most = NAMINGS[edition].last - NAMINGS[edition].first + 1
    if cases > most:
        raise InputError(f"{edition} has numbers for {most} generated cases, not {cases}; ask for fewer or take another edition.")


def is_complete(folder: Path, edition: str, number: int) -> bool:
    """Whether every file of case ``number`` (from 1) is in ``folder``; files appear only when whole."""
    return any(all(path.is_file() for path in _files(folder, edition, number, grade).values()) for grade in _GRADES)


def write_case(folder: Path, edition: str, number: int, case: PhantomCase) -> None:
    """Write ``case`` as number ``number`` (from 1) of ``edition``. Raises InputError where ``folder`` cannot be written."""
    files, naming = _files(folder, edition, number, case.grade), NAMINGS[edition]
    if naming.suffixes is None:
        order = sorted(MODALITIES, key=DECATHLON_VOLUMES.get)
        write_array(files["all"], np.stack([case.images[modality] for modality in order], axis=-1), AFFINE)
    else:
        for modality in MODALITIES:
            write_array(files[modality], case.images[modality], AFFINE)
    write_array(files["seg"], _label_values(naming.convention)[case.classes], AFFINE)


def _files(folder: Path, edition: str, number: int, grade: str) -> dict[str, Path]:
    """Every file of a case by modality (or "all") and "seg"."""
    naming = NAMINGS[edition]
    name = naming.case.format(naming.first + number - 1)
    if naming.suffixes is None:
        return {"all": folder / "imagesTr" / f"{name}.nii.gz", "seg": folder / "labelsTr" / f"{name}.nii.gz"}
    place = folder / grade / name if naming.by_grade else folder / name
    return {what: place / f"{name}{naming.separator}{suffix}.nii.gz" for what, suffix in (naming.suffixes | {"seg": "seg"}).items()}


def _label_values(convention: str) -> np.ndarray:
    """File value of each class 0 to 3, and of the resection cavity, which only 2024 has (it is background elsewhere)."""
    values = np.zeros(5, dtype=np.uint8)
    for value, index in CONVENTIONS[convention].items():
        values[index or 4] = value
    return values
