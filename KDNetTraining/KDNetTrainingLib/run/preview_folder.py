"""TRAINING/preview/: one validation case as the best epoch so far sees it, in small files for whoever watches. Needs no torch."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from KDNetLib.atomic_file import replacing
from KDNetLib.image_io import write_array, write_labelmap
from KDNetLib.measures import dice_by_region

SCAN, REFERENCE, PREDICTION, _FACTS = "scan.nii.gz", "reference.nii.gz", "prediction.nii.gz", "preview.json"


@dataclass(frozen=True)
class Preview:
    """What preview.json says: the ``case``, the scan's ``modality``, the ``epoch``, and its Dice (0 to 1) by region."""

    case: str
    modality: str
    epoch: int
    dice: dict[str, float]


def preview_folder(training: Path) -> Path:
    """Where the files SCAN, REFERENCE and PREDICTION of a training's folder lie."""
    return training / "preview"


def read_preview(training: Path) -> Preview | None:
    """What the preview in the folder of a training shows; None where there is none."""
    try:
        return Preview(**json.loads((preview_folder(training) / _FACTS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_preview(
    training: Path, case: str, modality: str, epoch: int, scan: np.ndarray, reference: np.ndarray, prediction: np.ndarray, spacing: float
) -> None:
    """Put a preview into the folder of a training, in the place of an earlier one; preview.json is written last.

    Args:
        scan, reference, prediction: (X, Y, Z) in RAS order, ``spacing`` mm apart; the last two class indices 0 to 3.
    Raises:
        InputError or OSError where the folder cannot be written.
    """
    folder, before = preview_folder(training), read_preview(training)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = [-spacing * (side - 1) / 2 for side in scan.shape]
    if not before or (before.case, before.modality) != (case, modality):
        write_array(folder / SCAN, scan.astype(np.float32), affine)
        write_labelmap(folder / REFERENCE, reference, affine)
    write_labelmap(folder / PREDICTION, prediction, affine)
    measured = {region: round(value, 4) for region, value in dice_by_region(prediction, reference).items()}
    with replacing(folder / _FACTS) as partial:
        partial.write_text(json.dumps(asdict(Preview(case, modality, epoch, measured))), encoding="utf-8")
