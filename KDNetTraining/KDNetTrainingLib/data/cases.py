"""The training cases of a BraTS folder: found by their naming, read with one grid and the edition's labels made sure of."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from KDNetLib.errors import InputError
from KDNetLib.file_naming import is_nifti, is_own_output, visible_files
from KDNetLib.image_io import read_labelmap
from KDNetLib.input_checks import usable_image
from KDNetLib.labels import CONVENTIONS, convention_of, to_classes
from KDNetTrainingLib.data.editions import DECATHLON_VOLUMES, edition_of, role_of
from KDNetTrainingLib.data.name_mapping import Mapped, read_name_mappings
from KDNetTrainingLib.data.volumes import grid_of, read_volume
from KDNetTrainingLib.modalities import MODALITIES


class GridError(InputError):
    """The files of one case lie on different grids."""


class LabelError(InputError):
    """A reference holds labels that its edition does not have."""


@dataclass(frozen=True)
class ImageSource:
    """Where a modality's voxels are: a 3-D file, or the ``volume``-th (from 0) of a 4-D one."""

    path: Path
    volume: int | None = None


@dataclass(frozen=True)
class TrainingCase:
    """One scan session with every modality and a reference.

    ``patient`` is shared by all sessions of one person, as far as naming (or a name_mapping.csv) tells; ``grade`` is "HGG", "LGG" or None;
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

        Raises InputError where a file is missing, unreadable or unusable, and GridError where the grids differ.
        """
        images = []
        for modality in modalities:
            source = self.images[modality]
            image, _ = usable_image(read_volume(source.path, source.volume))
            images.append(image)
            _require_one_grid(source.path, image.affine, image.array.shape, images[0])
        return [image.array for image in images], images[0].affine

    def read_reference(self) -> np.ndarray:
        """Class indices 0 to 3 (I, J, K) uint8.

        Raises InputError where the file is missing or unreadable, LabelError where it holds labels that its edition
        does not have, and GridError where it lies on another grid than any of the images.
        """
        reference = read_labelmap(self.reference)
        for path in self.files[:-1]:
            affine, shape = grid_of(path)
            _require_one_grid(path, affine, shape[:3], reference)
        values = np.unique(reference.array[reference.array != 0]).tolist()  # without the background: several times faster
        try:
            convention = self.convention or convention_of(self.reference.name, values)
        except InputError as error:
            raise LabelError(str(error)) from error
        unknown = [value for value in values if value not in CONVENTIONS[convention]]
        if unknown:
            known = ", ".join(map(str, CONVENTIONS[convention]))
            raise LabelError(
                f"{self.reference.name} holds the label {', '.join(map(str, unknown[:5]))}, which {self.edition} does not have "
                f"(it has {known}); unpack the original file again."
            )
        return to_classes(reference.array, convention)


@dataclass(frozen=True)
class FoundCase:
    """What a folder holds of one case: ``case`` where it is complete, else ``problem``, a short kind, and ``reason``."""

    name: str
    case: TrainingCase | None
    edition: str
    patient: str
    problem: str | None = None
    reason: str | None = None


def find_cases(folder) -> list[FoundCase]:
    """Every case under ``folder`` by naming alone, sorted by name; the folders of runs below it are left out.

    Where the very same case occurs twice, the first complete copy counts; the other's name is followed by its folder.
    Raises InputError where there is no folder, it cannot be read, or it holds no BraTS case at all.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; give the folder that holds the BraTS cases.")
    usable = _outside_runs(visible_files(folder), folder)
    found, mappings = [], read_name_mappings(usable)
    for name, copies in sorted(_copies_by_case(usable).items()):
        copies.sort(key=lambda files: bool(_missing(files)))  # keeps the order of what is equal
        found.append(_found(name, copies[0], folder, mappings.get(name.lower())))
        for files in copies[1:]:
            place, kept = _place(files), _place(copies[0])
            reason = f"it is the same case as in {kept}, which counts; remove it, or rename its files if it is another"
            found.append(FoundCase(f"{name} in {place}", None, found[-1].edition, found[-1].patient, "copy of another case", reason))
    if not found:
        raise InputError(
            f"{folder} holds no BraTS case; choose the folder above the case folders, whose files end in {', '.join(MODALITIES)} and seg "
            "(or t1n, t1c, t2w and t2f), or the one above imagesTr."
        )
    return found


def find_training_cases(folder) -> tuple[list[TrainingCase], dict[str, str]]:
    """The complete cases under ``folder`` by naming alone, sorted by name, and for each one left out the reason.

    Raises InputError as :func:`find_cases`, and where no case is complete.
    """
    found = find_cases(folder)
    left_out = {entry.name: entry.reason for entry in found if entry.case is None}
    if len(left_out) == len(found):
        raise InputError(f"{folder} holds no complete BraTS case (such as {found[0].name}: {found[0].reason}); add what is missing.")
    return [entry.case for entry in found if entry.case], left_out


def _outside_runs(files: list[Path], folder: Path) -> list[Path]:
    """Those that lie in no run's folder below ``folder``: its generated cases are nobody's."""
    runs = [path.parent for path in files if path.name == "run.json" and path.parent != folder]
    return [path for path in files if not any(run in path.parents for run in runs)]


def _copies_by_case(files: list[Path]) -> dict[str, list[dict[str, Path]]]:
    """For each case its copies, each the files by modality (or "seg"); a copy is all in one folder, or spread over several."""
    by_place: dict[str, dict[Path, dict[str, Path]]] = defaultdict(dict)
    for path in filter(is_nifti, files):
        role = None if is_own_output(path) else role_of(path)
        if role:
            case, what = role
            by_place[case].setdefault(path.parent, {}).setdefault(what, path)
    found = {}
    for case, places in by_place.items():
        groups = list(places.values())
        whats = [what for group in groups for what in group]
        spread = len(set(whats)) == len(whats)
        found[case] = [{what: path for group in groups for what, path in group.items()}] if spread else groups
    return found


def _found(name: str, files: dict[str, Path], folder: Path, mapped: Mapped | None) -> FoundCase:
    edition, patient = edition_of(name)
    patient = mapped.patient if mapped else patient
    missing = _missing(files)
    if missing:
        return FoundCase(name, None, edition.name, patient, "no label" if missing == ["seg"] else "missing a modality", f"no {', '.join(missing)}")
    if "all" in files:
        images = {modality: ImageSource(files["all"], DECATHLON_VOLUMES[modality]) for modality in MODALITIES}
    else:
        images = {modality: ImageSource(files[modality]) for modality in MODALITIES}
    folders = [folder.resolve().name, *files["seg"].relative_to(folder).parent.parts]
    grade = next((part.upper() for part in reversed(folders) if part.upper() in ("HGG", "LGG")), mapped.grade if mapped else None)
    return FoundCase(name, TrainingCase(name, patient, edition.name, grade, images, files["seg"], edition.convention), edition.name, patient)


def _missing(files: dict[str, Path]) -> list[str]:
    return [what for what in (*MODALITIES, "seg") if what not in files and (what == "seg" or "all" not in files)]


def _place(files: dict[str, Path]) -> Path:
    return next(iter(files.values())).parent


def _require_one_grid(path: Path, affine: np.ndarray, shape: tuple[int, ...], other) -> None:
    if shape != other.array.shape or not np.allclose(affine, other.affine, atol=1e-3):
        raise GridError(f"{path.name} lies on another grid than {other.name}; register and resample it first.")
