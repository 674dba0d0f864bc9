"""Finding the training cases of a BraTS folder by their naming, and reading them."""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from KDNetLib.errors import InputError
from KDNetLib.file_naming import is_own_output, nifti_files
from KDNetLib.image_io import read_labelmap
from KDNetLib.input_checks import usable_image
from KDNetLib.labels import CONVENTIONS, convention_of, to_classes
from KDNetTrainingLib.data.editions import edition_of
from KDNetTrainingLib.data.volumes import grid_of, read_volume
from KDNetTrainingLib.modalities import MODALITIES

#: From 2023 on BraTS names the same modalities t1n, t1c, t2w and t2f.
_SINCE_2023 = {"t1n": "t1", "t1c": "t1ce", "t2w": "t2", "t2f": "flair"}
_FILE = re.compile(r"(?P<case>.+)[_-](?P<what>t1|t1ce|t2|flair|seg|t1n|t1c|t2w|t2f)\.nii(\.gz)?", re.IGNORECASE)
#: The Decathlon gives image and label one name, in the folders imagesTr and labelsTr, and packs the modalities.
_DECATHLON = re.compile(r"(?P<case>BRATS_\d{3})\.nii(\.gz)?", re.IGNORECASE)
_DECATHLON_VOLUMES = {"flair": 0, "t1": 1, "t1ce": 2, "t2": 3}


@dataclass(frozen=True)
class ImageSource:
    """Where a modality's voxels are: a 3-D file, or the ``volume``-th (from 0) of a 4-D one."""

    path: Path
    volume: int | None = None


@dataclass(frozen=True)
class TrainingCase:
    """One scan session with every modality and a reference.

    ``patient`` is shared by all sessions of one person, as far as naming tells; ``grade`` is "HGG", "LGG" or None;
    ``convention`` is a key of ``KDNetLib.labels.CONVENTIONS``, or None where only the label values tell.
    """

    name: str
    patient: str
    edition: str
    grade: str | None
    images: dict[str, ImageSource]
    reference: Path
    convention: str | None

    @property
    def files(self) -> list[Path]:
        """Every file once, images first in the order of MODALITIES, the reference last."""
        return list(dict.fromkeys([*(self.images[modality].path for modality in MODALITIES), self.reference]))

    def read(self, modalities) -> tuple[list[np.ndarray], np.ndarray]:
        """The ``modalities``' voxels, each (I, J, K) float32 with background 0, and their affine (index to RAS mm).

        Raises InputError where a file is missing, unreadable or unusable, or the grids differ.
        """
        images = []
        for modality in modalities:
            source = self.images[modality]
            images.append(usable_image(read_volume(source.path, source.volume))[0])
            self._require_one_grid(source.path, images[-1].affine, images[-1].array.shape, images[0])
        return [image.array for image in images], images[0].affine

    def read_reference(self) -> np.ndarray:
        """Class indices 0 to 3 (I, J, K) uint8.

        Raises InputError where the file is missing or unreadable, holds labels that its edition does not have, or
        lies on another grid than any of the images.
        """
        reference = read_labelmap(self.reference)
        for path in dict.fromkeys(source.path for source in self.images.values()):
            affine, shape = grid_of(path)
            self._require_one_grid(path, affine, shape[:3], reference)
        values = np.unique(reference.array[reference.array != 0]).tolist()  # without the background: several times faster
        convention = self.convention or convention_of(self.reference.name, values)
        unknown = [value for value in values if value not in CONVENTIONS[convention]]
        if unknown:
            raise InputError(
                f"{self.reference.name} holds the label {', '.join(map(str, unknown[:5]))}, which {self.edition} does not have "
                f"({convention.replace('msd', '1/2/3')}); unpack the original file again."
            )
        return to_classes(reference.array, convention)

    def _require_one_grid(self, path: Path, affine: np.ndarray, shape: tuple[int, ...], other) -> None:
        if shape != other.array.shape or not np.allclose(affine, other.affine, atol=1e-3):
            raise InputError(f"{path.name} lies on another grid than {other.name}; register and resample it first.")


def find_training_cases(folder) -> tuple[list[TrainingCase], dict[str, str]]:
    """The complete cases under ``folder`` by naming alone, sorted by name, and for each one left out the reason.

    Where the very same case occurs twice, the first complete copy counts and the other is left out under a name that
    tells its folder.
    Raises InputError where there is no folder or no complete case.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; give the folder that holds the BraTS cases.")
    complete, left_out = [], {}
    for name, copies in sorted(_copies_by_case(folder).items()):
        copies.sort(key=lambda files: bool(_missing(files)))  # the sort is stable: the first complete copy comes first
        for number, files in enumerate(copies):
            place = next(iter(files.values())).parent
            if number:
                kept = next(iter(copies[0].values())).parent
                left_out[f"{name} in {place}"] = f"the same case as in {kept}, which counts; remove or rename one of them"
            elif missing := _missing(files):
                left_out[name] = f"no {', '.join(missing)}"
            else:
                complete.append(_case(name, files, folder))
    if not complete:
        raise InputError(
            f"{folder} holds no BraTS case with {', '.join(MODALITIES)} and seg{_why_none(left_out)}; choose the folder above the case folders."
        )
    return complete, left_out


def _copies_by_case(folder: Path) -> dict[str, list[dict[str, Path]]]:
    """For each case its copies, each the files by modality (or "seg"); a copy is all in one folder, or spread over several."""
    by_place: dict[str, dict[Path, dict[str, Path]]] = defaultdict(dict)
    for path in nifti_files(folder):
        told = None if is_own_output(path) else _what_is(path)
        if told:
            case, what = told
            by_place[case].setdefault(path.parent, {}).setdefault(what, path)
    found = {}
    for case, places in by_place.items():
        groups = list(places.values())
        whats = [what for group in groups for what in group]
        spread = len(set(whats)) == len(whats)
        found[case] = [{what: path for group in groups for what, path in group.items()}] if spread else groups
    return found


def _what_is(path: Path) -> tuple[str, str] | None:
    """Case and modality (or "seg") that the file's name says, "all" for the Decathlon's 4-D images; None for other files."""
    match = _FILE.fullmatch(path.name)
    if match:
        what = match["what"].lower()
        return match["case"], _SINCE_2023.get(what, what)
    match = _DECATHLON.fullmatch(path.name)
    if match and path.parent.name.lower().startswith(("images", "labels")):
        return match["case"], "all" if path.parent.name.lower().startswith("images") else "seg"
    return None


def _missing(files: dict[str, Path]) -> list[str]:
    return [what for what in (*MODALITIES, "seg") if what not in files and (what == "seg" or "all" not in files)]


def _case(name: str, files: dict[str, Path], folder: Path) -> TrainingCase:
    if "all" in files:
        images = {modality: ImageSource(files["all"], _DECATHLON_VOLUMES[modality]) for modality in MODALITIES}
    else:
        images = {modality: ImageSource(files[modality]) for modality in MODALITIES}
    edition, patient = edition_of(name)
    folders = [folder.resolve().name, *files["seg"].relative_to(folder).parent.parts]
    grade = next((part.upper() for part in reversed(folders) if part.upper() in ("HGG", "LGG")), None)
    return TrainingCase(name, patient, edition.name, grade, images, files["seg"], edition.convention)


def _why_none(left_out: dict[str, str]) -> str:
    return f" ({len(left_out)} are incomplete, such as {next(iter(left_out))}: {next(iter(left_out.values()))})" if left_out else ""
