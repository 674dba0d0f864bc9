"""How far Dice falls on distorted scans: every case under every distortion, through the very path of ``kdnet segment``."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from KDNetLib.atomic_file import replacing
from KDNetLib.csv_report import read_rows, write_rows
from KDNetLib.errors import InputError
from KDNetLib.image_io import Image
from KDNetLib.input_checks import usable_image
from KDNetLib.labels import REGIONS
from KDNetLib.measures import dice_by_region
from KDNetLib.segmenter import Segmenter
from KDNetTrainingLib.data.cases import TrainingCase
from KDNetTrainingLib.data.volumes import read_volume
from KDNetTrainingLib.evaluation.distortions import UNDISTORTED, Scan, distort
from KDNetTrainingLib.evaluation.statistics import bootstrap_interval

#: A whole case counts as missed where Dice of the whole tumour is below this.
MISSED_BELOW = 0.1
_DICE = tuple(f"{region}_dice" for region in REGIONS)
_MADE_OF = ("model", "seed", "distortion", "case")
_CASE_COLUMNS = (*_MADE_OF, *_DICE, "refused")
_TABLE_COLUMNS = ("distortion", "cases", *_DICE, *(f"{region}_{what}" for region in REGIONS for what in ("fall", "fall_low", "fall_high")), "missed")
_BOOTSTRAP_SEED = 0  # the same table from the same scores


@dataclass(frozen=True)
class Line:
    """One distortion over ``cases`` cases; Dice in per cent, falls in percentage points.

    ``dice``: region -> mean. ``fall``: region -> mean of undistorted minus distorted, case by case, with the 95 %
    interval of that mean, from low to high. ``missed``: number of cases whose whole tumour has Dice below 10 %.
    """

    distortion: str
    cases: int
    dice: dict[str, float]
    fall: dict[str, tuple[float, float, float]]
    missed: int


def measure(
    cases: list[TrainingCase], modality: str, distortions: list[str], segmenter: Segmenter, model: str, seed: int, kept: Path | None,
    progress: Callable[[int, int, str], None], left_out: Callable[[str, str], None],
) -> list[dict]:
    """Dice of every one of ``cases`` under every one of ``distortions`` (keys of DISTORTIONS).

    Args:
        model: what tells ``segmenter``'s model from others (``model_store.fingerprint``).
        kept: CSV that is rewritten after every scan and whose scores of the same model and seed are not computed again.
        progress: called with the number of scans done, of all, and what comes next.
        left_out: called with the name of a case whose own files cannot be used, and the reason.
    Returns:
        Rows with ``distortion``, ``case``, ``ET_dice``, ``TC_dice``, ``WT_dice`` (0 to 1) and ``refused``: why the
        scan was not segmented ("" where it was), which counts as Dice 0.
    Raises:
        InputError: ``kept`` cannot be used.
    """
    earlier = read_rows(kept, _CASE_COLUMNS) if kept else []
    done = {tuple(row[column] for column in _MADE_OF): row for row in earlier}
    wanted = [(model, str(seed), distortion, case.name) for case in cases for distortion in distortions]
    for case in cases:
        missing = [key for key in wanted if key[3] == case.name and key not in done]
        if not missing:
            continue
        try:
            scan = _read(case, modality)
        except InputError as error:
            left_out(case.name, str(error))
            continue
        for key in missing:
            progress(sum(each in done for each in wanted), len(wanted), f"{case.name}, {key[2]}")
            done[key] = dict(zip(_MADE_OF, key)) | _scores(segmenter, distort(scan, key[2], case.name, seed))
            if kept:
                write_rows(kept, _CASE_COLUMNS, done.values())
    return [done[key] | {column: float(done[key][column]) for column in _DICE} for key in wanted if key in done]


def summarise(rows: list[dict]) -> list[Line]:
    """One line per distortion, in the order of ``rows`` (of :func:`measure`), which must hold the undistorted cases too."""
    of_distortion: dict[str, dict[str, dict]] = {}
    for row in rows:
        of_distortion.setdefault(row["distortion"], {})[row["case"]] = row
    plain = of_distortion[UNDISTORTED]
    lines = []
    for distortion, found in of_distortion.items():
        dice, fall = {}, {}
        for region, column in zip(REGIONS, _DICE):
            values, before = (100 * np.array([source[case][column] for case in found]) for source in (found, plain))
            dice[region] = float(values.mean())
            fall[region] = (float((before - values).mean()), *bootstrap_interval(before - values, _BOOTSTRAP_SEED))
        lines.append(Line(distortion, len(found), dice, fall, sum(row["WT_dice"] < MISSED_BELOW for row in found.values())))
    return lines


def write_table(path: Path, lines: list[Line]) -> None:
    """Write ``lines`` as CSV: plain numbers, also negative ones, which ``csv_report`` would guard. Raises InputError."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_TABLE_COLUMNS)
    for line in lines:
        numbers = [*line.dice.values(), *(value for region in REGIONS for value in line.fall[region])]
        writer.writerow([line.distortion, line.cases, *(f"{number:.6g}" for number in numbers), line.missed])
    try:
        with replacing(path) as partial:
            partial.write_text(text.getvalue(), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror or error}); close it elsewhere or choose another folder.") from error


def as_text(lines: list[Line]) -> str:
    """``lines`` as a table for a terminal."""
    width = max(len(line.distortion) for line in lines)
    shown = [f"{'Dice, %':<{width}} cases" + "".join(f"{region:>7}" for region in REGIONS)
             + "".join(f"{f'fall of {region} [95 %]':>24}" for region in REGIONS) + "  missed"]  # fmt: skip
    for line in lines:
        falls = [f"{mean:.1f} [{low:.1f} to {high:.1f}]" for mean, low, high in line.fall.values()]
        dice = "".join(f"{value:7.1f}" for value in line.dice.values())
        shown.append(f"{line.distortion:<{width}} {line.cases:5}{dice}" + "".join(f"{fall:>24}" for fall in falls) + f"{line.missed:8}")
    return "\n".join(shown)


def _read(case: TrainingCase, modality: str) -> Scan:
    source = case.images[modality]
    image, _ = usable_image(read_volume(source.path, source.volume))
    return Scan(image.array, case.read_reference(), image.affine)


def _scores(segmenter: Segmenter, scan: Scan) -> dict[str, str]:
    try:
        result = segmenter.segment(Image(scan.array, scan.affine))
    except InputError as error:  # a scan that the user gets no answer for
        return dict.fromkeys(_DICE, "0") | {"refused": str(error)}
    dice = dice_by_region(result.classes, scan.classes)
    return {f"{region}_dice": f"{value:.6g}" for region, value in dice.items()} | {"refused": ""}
