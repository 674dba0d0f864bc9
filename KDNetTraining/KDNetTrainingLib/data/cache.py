"""The preprocessed cases on disk: written once, memory-mapped in every epoch.

A case is two arrays: images (4, X, Y, Z) float16 in the order of MODALITIES, z-scored, and classes (X', Y', Z') uint8,
both in RAS order on a grid ``fine`` times finer than the network's. Where ``fine`` is 2, the images are averaged over
2×2×2 neighbours (X = X' − 1), so that every second voxel is the area average that inference computes, wherever
augmentation puts the samples; where it is 1, they are not.

On disk: FOLDER/<case>/<key>/{images.npy, classes.npy, sources.json}. The key tells source files and preprocessing; the
folder takes its name in one step, after everything in it is written.
"""

import errno
import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from KDNetLib.atomic_file import replacing
from KDNetLib.errors import InputError
from KDNetLib.preprocessing import Preprocessing
from KDNetLib.voxel_size import voxel_spacing
from KDNetTrainingLib.data.cases import TrainingCase
from KDNetTrainingLib.data.processes import in_processes, workers_for
from KDNetTrainingLib.data.volumes import grid_of
from KDNetTrainingLib.modalities import MODALITIES

#: Raise when what is written changes, so that old caches are made anew.
_VERSION = 2
#: From this spacing on (mm) the grid is twice as fine as the network's; below it that would take eight times the disk.
_FINE_FROM_MM = 1.5
#: Share of the grid that the box of non-zero voxels takes: 0.32 to 0.48, mean 0.37, in the 24 open cases of BraTS 2021.
_BRAIN_SHARE = 0.38
_NO_SPACE = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


@dataclass(frozen=True, eq=False)
class CachedCase:
    """One case's arrays, see the module's text; ``volume_hash`` is the SHA-256 of all its source files' contents."""

    name: str
    images: np.ndarray
    classes: np.ndarray
    fine: int
    volume_hash: str


class _MappedCase(CachedCase):
    """Maps its arrays anew at every access (0.1 ms): a mapping holds a file handle, and 1,251 cases would run out of them."""

    def __init__(self, name: str, folder: Path, fine: int, volume_hash: str):
        for attribute, value in (("name", name), ("fine", fine), ("volume_hash", volume_hash), ("_folder", folder)):
            object.__setattr__(self, attribute, value)

    images = property(lambda self: np.load(self._folder / "images.npy", mmap_mode="r", allow_pickle=False))
    classes = property(lambda self: np.load(self._folder / "classes.npy", mmap_mode="r", allow_pickle=False))


def build_cache(
    cases: list[TrainingCase], folder: Path, preprocessing: Preprocessing, progress: Callable[[int, int, str], None], workers: int | None = None
) -> tuple[list[CachedCase], dict[str, str], dict[str, dict[str, str]]]:
    """The ``cases`` from ``folder``, those preprocessed first that are not there or whose source files changed.

    Args:
        progress: called with the number of cases done, of all cases, and the last one's name; what it raises ends the work.
        workers: processes; None: as many as are worth it.
    Returns:
        The usable cases in the given order; for each other one the reason; SHA-256 of every source file by the last two
        parts of its path, for each usable case.
    Raises:
        InputError: no case is usable, or the disk is full.
        DeviceError: a process was killed for want of memory.
    """
    keys, left_out = {}, {}
    for case in cases:
        try:
            keys[case.name] = _key(case, preprocessing)
        except OSError as error:
            left_out[case.name] = f"{error.filename} cannot be read ({error.strerror})"
    found = {case.name: _open(case.name, folder / case.name / keys[case.name], preprocessing) for case in cases if case.name in keys}
    to_build = [case for case in cases if case.name in found and not found[case.name]]
    done = len(cases) - len(to_build)
    if to_build:
        _require_space(to_build, folder, preprocessing)
        tasks = [(case, folder / case.name / keys[case.name], preprocessing) for case in to_build]
        # Closing ends the processes at once where progress raises; the traceback would keep them otherwise.
        with closing(_building(tasks, workers or workers_for(to_build), folder)) as results:
            for place, reason in results:
                name = to_build[place].name
                if reason:
                    left_out[name] = reason
                else:
                    found[name] = _open(name, tasks[place][1], preprocessing)
                done += 1
                progress(done, len(cases), name)
    usable = [found[case.name] for case in cases if case.name not in left_out]
    if not usable:
        name, reason = next(iter(left_out.items()), ("", "there is none"))
        raise InputError(f"None of the {len(cases)} cases can be used (such as {name}: {reason}); correct the data.")
    return [opened for opened, _ in usable], left_out, {opened.name: hashes for opened, hashes in usable}


def cache_size_estimate(cases: list[TrainingCase], preprocessing: Preprocessing) -> int:
    """About how many bytes the cache of ``cases`` takes, going by the first readable header (a multiple for the others)."""
    for case in cases:
        try:
            affine, shape = grid_of(case.reference)
        except InputError:
            continue
        extent = voxel_spacing(affine) * shape[:3]
        volume = np.minimum(extent, 128).prod() if preprocessing.preset == "paper" else _BRAIN_SHARE * extent.prod()
        voxels = volume / (preprocessing.spacing / fine_of(preprocessing)) ** 3
        return round(len(cases) * voxels * (2 * len(MODALITIES) + 1))
    return 0


def fine_of(preprocessing: Preprocessing) -> int:
    """How many times finer than the network's grid the cached one is."""
    return 2 if preprocessing.spacing >= _FINE_FROM_MM else 1


def _key(case: TrainingCase, preprocessing: Preprocessing) -> str:
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in case.files]
    text = json.dumps([_VERSION, preprocessing.preset, preprocessing.spacing, case.convention, facts])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _open(name: str, place: Path, preprocessing: Preprocessing) -> tuple[CachedCase, dict[str, str]] | None:
    """The case stored in ``place`` and the hashes of its sources; None where it is not there or damaged."""
    try:
        hashes = json.loads((place / "sources.json").read_text(encoding="utf-8"))
        case = _MappedCase(name, place, fine_of(preprocessing), _digest("".join(hashes.values()).encode()))
        return (case, hashes) if case.images.size and case.classes.size else None
    except (OSError, ValueError):  # ValueError: not the size that its header says, or no JSON
        return None


def _require_space(cases: list[TrainingCase], folder: Path, preprocessing: Preprocessing) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    needed = cache_size_estimate(cases, preprocessing)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"The prepared cases need about {needed / 1e9:.1f} GB in {folder} and {free / 1e9:.1f} GB are free; "
            "free some space or choose another folder."
        )


def _building(tasks: list[tuple], workers: int, folder: Path):
    try:
        yield from in_processes(_build, tasks, workers)
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        needed = cache_size_estimate([case for case, *_ in tasks], tasks[0][2])
        raise InputError(
            f"The disk of {folder} is full: {len(tasks)} cases need about {needed / 1e9:.1f} GB there; "
            "free some space and start again, what is done stays."
        ) from error


def _build(case: TrainingCase, place: Path, preprocessing: Preprocessing) -> str | None:
    """Write one case to ``place`` and remove what was there of it before; the reason where the case cannot be used."""
    try:
        images, classes = _preprocess(case, preprocessing)
        hashes = {"/".join(path.parts[-2:]): _digest_of_file(path) for path in case.files}
    except (InputError, OSError) as error:  # OSError: a file vanished, or its disk fails
        return str(error).rstrip(".")
    shutil.rmtree(place.parent, ignore_errors=True)
    with replacing(place) as partial:
        try:
            partial.mkdir()
            np.save(partial / "images.npy", images, allow_pickle=False)
            np.save(partial / "classes.npy", classes, allow_pickle=False)
            (partial / "sources.json").write_text(json.dumps(hashes, indent=1), encoding="utf-8")
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return None


def _preprocess(case: TrainingCase, preprocessing: Preprocessing) -> tuple[np.ndarray, np.ndarray]:
    arrays, affine = case.read(MODALITIES)
    classes = case.read_reference()
    fine = fine_of(preprocessing)
    prepared = Preprocessing(preprocessing.preset, preprocessing.spacing / fine).prepare(arrays, affine)
    images = functional.avg_pool3d(torch.from_numpy(prepared.array)[None], kernel_size=fine, stride=1)[0]
    return images.half().numpy(), prepared.labels_like_input(classes)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest_of_file(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
