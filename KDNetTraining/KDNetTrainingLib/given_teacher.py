"""A teacher that is trained already: a model file instead of a training of the run. Checked without torch."""

import shutil
from pathlib import Path

from KDNetLib.atomic_file import replacing
from KDNetLib.errors import InputError
from KDNetLib.manifest import Manifest, read_manifest
from KDNetTrainingLib.networks import NETWORKS
from KDNetTrainingLib.settings import Settings

#: The run keeps a copy under this name, so that it can go on where the file was moved.
COPY = "teacher.safetensors"


def check_teacher(settings: Settings) -> None:
    """Raise InputError where ``settings.teacher_model`` cannot teach in a training with these ``settings``.

    Bottlenecks and outputs are compared voxel by voxel, so a teacher must have the student's architecture and see the
    same grid. Raises ModelError where it is no sound model file.
    """
    manifest = read_manifest(settings.teacher_model)
    differing = [
        f"{name} {_shown(theirs)} where this training has {_shown(ours)}" for name, theirs, ours in _compared(manifest, settings) if theirs != ours
    ]
    if differing:
        raise InputError(
            f"The teacher in {Path(settings.teacher_model).name} cannot teach this student: it has {'; '.join(differing)}. "
            "Choose another teacher, or give the parameters the teacher's values."
        )


def keep_teacher(settings: Settings, run_path: Path) -> None:
    """Copy the checked teacher into the run's folder. Raises OSError where it cannot be written."""
    with replacing(run_path / COPY) as partial:
        shutil.copyfile(settings.teacher_model, partial)


def _compared(manifest: Manifest, settings: Settings) -> list[tuple]:
    grid, name, parameters = manifest.preprocessing, manifest.architecture.get("name"), manifest.architecture.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    network = next((own for own, architecture in NETWORKS.items() if architecture == name), name)
    return [
        ("teacher_modalities", tuple(manifest.modalities), settings.teacher_modalities),
        ("network", network, settings.network),
        ("width", parameters.get("width"), settings.width),
        ("skips", parameters.get("skips"), settings.skips),
        ("preprocessing", grid.get("preset"), settings.preprocessing),
        ("spacing", grid.get("spacing"), settings.spacing),
    ]


def _shown(value) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)
