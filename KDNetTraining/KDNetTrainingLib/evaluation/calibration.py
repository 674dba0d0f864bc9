"""From what networks promised for cases they never saw, and what they reached there, to a calibrated confidence.

For each region a line on the logit's scale, E[Dice] = σ(a + b logit(promised)) with b ≥ 0: Platt's scaling (1999) of
the promise, fitted to Dice by the quasi-likelihood of fractional responses (Papke and Wooldridge 1996). b = 1/T is a
temperature T, a makes up for what is missed or invented throughout. Two numbers are what two dozen cases can bear. A
region that was not found promises 0 and reaches 1 (there is none) or 0: such cases have an expectation of their own.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from KDNetLib.confidence import LOW, calibrated, logit
from KDNetLib.csv_report import read_rows, write_rows
from KDNetLib.errors import InputError
from KDNetLib.labels import REGIONS
from KDNetLib.manifest import read_manifest
from KDNetLib.measures import dice_by_region
from KDNetLib.model_store import fingerprint
from KDNetLib.segmenter import Segmenter
from KDNetTrainingLib.data.cases import TrainingCase
from KDNetTrainingLib.data.volumes import read_volume
from KDNetTrainingLib.modalities import modality_of

#: Fewer cases tell nothing about how far a network can be believed.
LEAST_CASES = 10
#: How strongly the fit is drawn to a = 0, b = 1 (the promise as it is), in cases' worth of quasi-likelihood: so little
#: that it decides only what the cases leave open, such as b where all promised the same.
_PRIOR = 0.1
_BINS = 5
_MADE_OF = ("training", "case", "model")
_NUMBERS = tuple(f"{region}_{what}" for region in REGIONS for what in ("promised", "dice"))
_COLUMNS = ("fold", *_MADE_OF, *_NUMBERS)


def predictions(
    trained: list[tuple[str, int, Path, list[TrainingCase]]], device: str, kept: Path, progress: Callable[[int, int, str], None]
) -> list[dict]:
    """What networks promise and reach on cases held out of their training, through the very path of ``kdnet segment``.

    Args:
        trained: key and fold of each training, its model file, and the cases it was kept from.
        kept: CSV that is rewritten after every scan and whose numbers of the same model are not computed again.
        progress: called with the number of scans done, of all, and what comes next.
    Returns:
        Rows with ``fold``, ``training``, ``case``, and for each region ``ET_promised`` and ``ET_dice`` (0 to 1).
    Raises:
        InputError, ModelError: a case, a model or ``kept`` cannot be used.
    """
    done = {tuple(row[column] for column in _MADE_OF): row for row in read_rows(kept, _COLUMNS)}
    total, rows = sum(len(cases) for *_, cases in trained), []
    for key, fold, path, cases in trained:
        segmenter, model = Segmenter([path], device), fingerprint([path])
        modality = modality_of(read_manifest(path).modalities[0])
        for case in cases:
            made_of = (key, case.name, model)
            if made_of not in done:
                progress(len(rows), total, f"{case.name}, {key}")
                done[made_of] = {"fold": str(fold)} | dict(zip(_MADE_OF, made_of)) | _measured(segmenter, case, modality)
                write_rows(kept, _COLUMNS, done.values())
            row = done[made_of]
            rows.append(row | {"fold": fold} | {column: float(row[column]) for column in _NUMBERS})
    return rows


def calibration_of(rows: list[dict], command: str) -> dict:
    """The ``calibration`` of a manifest from ``rows`` (of :func:`predictions`) and its text ``command``, but for its text ``data``.

    The map is fitted to all rows; the reliability curve is that of :func:`held_out_confidence`. Raises InputError where
    there are too few cases.
    """
    cases = len({row["case"] for row in rows})
    if cases < LEAST_CASES:
        raise InputError(f"{cases} case(s) held out of training are too few to calibrate with; it takes {LEAST_CASES} or more.")
    lines, curves = {}, {}
    for region in REGIONS:
        promised, dice = columns_of(rows, region)
        lines[region] = [round(value, 4) for value in map_of(promised, dice)]
        curves[region] = reliability_curve(held_out_confidence(rows, region), dice)
    return {"map": lines, "curve": curves, "cases": cases, "command": command}


def columns_of(rows: list[dict], region: str) -> tuple[np.ndarray, np.ndarray]:
    """Promised and reached Dice of ``region``, one number per row."""
    return tuple(np.array([row[f"{region}_{what}"] for row in rows]) for what in ("promised", "dice"))


def map_of(promised: np.ndarray, dice: np.ndarray) -> list[float]:
    """a, b and c of :func:`KDNetLib.confidence.calibrated` for predictions of one region: :func:`fit` over those that found it.

    c is the mean Dice of the others, drawn to a half by one case's worth: Jeffreys's estimate of a share.
    """
    found = promised > 0
    return [*fit(promised[found], dice[found]), float((dice[~found].sum() + 0.5) / ((~found).sum() + 1))]


def fit(promised: np.ndarray, dice: np.ndarray) -> list[float]:
    """a and b of the line whose σ(a + b logit(promised)) is likeliest for ``dice`` (both 0 to 1, one number per prediction)."""
    places = np.array([logit(value) for value in promised])

    def loss(line):
        logits = line[0] + line[1] * places
        apart = line - (0, 1)
        value = (np.logaddexp(0, logits) - dice * logits).sum() + _PRIOR / 2 * (apart @ apart)
        off = 1 / (1 + np.exp(-logits)) - dice
        return value, np.array([off.sum(), off @ places]) + _PRIOR * apart

    return [float(value) for value in minimize(loss, (0.0, 1.0), jac=True, bounds=((-50, 50), (0, 50)), method="L-BFGS-B").x]


def held_out_confidence(rows: list[dict], region: str) -> np.ndarray:
    """The confidence of every row by a map fitted without its fold (or, in a run of one fold, without its case).

    What a map says of the predictions it was fitted to would be too good.
    """
    promised, dice = columns_of(rows, region)
    by_fold = len({row["fold"] for row in rows}) > 1
    groups = np.array([str(row["fold"] if by_fold else row["case"]) for row in rows])
    confidence = np.empty(len(rows))
    for group in np.unique(groups):
        own = groups == group
        maps = {region: map_of(promised[~own], dice[~own])}
        confidence[own] = [calibrated({region: value}, maps)[region] for value in promised[own]]
    return confidence


def reliability_curve(confidence: np.ndarray, dice: np.ndarray) -> list[list]:
    """[mean confidence, mean Dice, number of predictions] in five equal intervals of confidence, without the empty ones."""
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    inside = [bins == number for number in np.unique(bins)]
    return [[round(float(confidence[own].mean()), 4), round(float(dice[own].mean()), 4), int(own.sum())] for own in inside]


def warned(confidence: np.ndarray, dice: np.ndarray) -> tuple[int, int, int]:
    """Predictions whose Dice is below LOW; how many of them are warned of (confidence below LOW); how many others are."""
    poor, low = dice < LOW, confidence < LOW
    return int(poor.sum()), int((poor & low).sum()), int((~poor & low).sum())


def _measured(segmenter: Segmenter, case: TrainingCase, modality: str) -> dict[str, str]:
    source = case.images[modality]
    result = segmenter.segment(read_volume(source.path, source.volume))
    dice = dice_by_region(result.classes, case.read_reference())
    return {f"{region}_{what}": f"{values[region]:.6g}" for region in REGIONS for what, values in (("promised", result.promised), ("dice", dice))}
