"""RUN/slices.png, as the paper's Fig. 2: a slice of some cases with the labels of baseline, student, teacher and reference."""

from dataclasses import dataclass
from pathlib import Path

import nibabel.orientations as orientations
import numpy as np
import torch

from KDNetLib.device import choose_device
from KDNetLib.errors import InputError
from KDNetLib.measures import dice_by_region
from KDNetTrainingLib.data.cases import TrainingCase, find_training_cases
from KDNetTrainingLib.evaluation.rebuilt import trained
from KDNetTrainingLib.evaluation.results import collect, scores_path
from KDNetTrainingLib.evaluation.scatter import STUDENT
from KDNetTrainingLib.evaluation.scoring import segmented
from KDNetTrainingLib.evaluation.statistics import dice_by_case
from KDNetTrainingLib.evaluation.summaries import in_papers_order
from KDNetTrainingLib.evaluation.text import name_of
from KDNetTrainingLib.plan import Plan, Training
from KDNetTrainingLib.run.canvas import Canvas
from KDNetTrainingLib.run.preview import coloured, in_grey, largest_section, legend_of_labels, section
from KDNetTrainingLib.run.run_folder import RunFolder

_QUARTILES = (0.25, 0.5, 0.75)
_AXIAL = 2
_CELL, _GAP, _LEFT, _TOP, _ABOVE, _BELOW, _BOTTOM = 216, 10, 20, 52, 26, 34, 40


@dataclass(frozen=True)
class Shown:
    """A slice of ``case``: all (X, Y, Z) in RAS order on the scan's own grid; ``predictions`` of networks by name, ``fold`` 0 without folds."""

    case: str
    fold: int
    scan: np.ndarray
    reference: np.ndarray
    predictions: dict[str, np.ndarray]


def draw_slices(run: RunFolder, plan: Plan, data: Path, names: list[str] | None, device: str) -> str:
    """Segment cases under ``data`` anew with the networks that were tested on them, and draw slices.png.

    Args:
        names: the cases; None takes those at the quartiles of the student's whole-tumour Dice, as far as that is possible.
        device: a name of ``choose_device``.
    Returns:
        Why nothing was drawn, in a sentence; empty where something was, or where there is no student to show yet.
    Raises:
        InputError: ``names`` cannot be shown. DeviceError: there is no such device.
    """
    place = choose_device(device)
    finished = [training for training in plan.trainings() if scores_path(run.path, training).exists()]
    student = next((training for training in in_papers_order(finished) if training.system == STUDENT), None)
    rows = collect(run.path, finished)
    tested_by = {row["case"]: training for training in reversed(finished) if student and training.label == student.label
                 for row in rows if (row["system"], row["fold"]) == (training.label, training.fold)}  # fmt: skip
    if not names and not tested_by:
        return ""
    try:
        unknown = sorted(set(names or ()) - set(tested_by))
        if unknown:
            raise InputError(f"{run.path} has no finished {STUDENT} that was tested on {', '.join(unknown)}; choose from {', '.join(sorted(tested_by)) or 'none'}.")
        found = {case.name: case for case in find_training_cases(data)[0]}
        chosen = names or cases_at_quartiles(rows, student)
        gone = [name for name in chosen if name not in found]
        if gone:
            raise InputError(f"{data} no longer holds {', '.join(gone)}.")
        networks = {}
        shown = [segmented_again(run, plan, tested_by[name], finished, found[name], networks, place) for name in chosen]
    except InputError as error:
        if names:
            raise
        return f"No slices are drawn: {error}"
    how = "chosen" if names else "at the quartiles of the student's whole-tumour Dice"
    _draw(run.path / "slices.png", f"{name_of(student)}: cases {how}, axial slice with most tumour", shown)
    return ""


def cases_at_quartiles(rows: list[dict], student: Training) -> list[str]:
    """The cases whose whole-tumour Dice by ``student`` (native grid) is at the lower quartile, the median and the upper one."""
    ordered = sorted((dice, case) for (_, case), dice in dice_by_case(rows, student.label, "WT", "native").items())
    return list(dict.fromkeys(ordered[round(quartile * (len(ordered) - 1))][1] for quartile in _QUARTILES))


def segmented_again(
    run: RunFolder, plan: Plan, student: Training, finished: list[Training], case: TrainingCase, networks: dict, device: torch.device
) -> Shown:
    """``case`` as ``student``, its baseline and its teacher segment it, as far as they are ``finished``.

    ``networks`` keeps the systems that were loaded, by their training. Raises InputError where a checkpoint or the case
    cannot be read.
    """
    settings = plan.settings
    columns = {"Baseline": student.baseline, "Student": student, "Teacher": student.teacher}
    (scan,), affine = case.read([settings.student_modality])
    predictions = {}
    for name, training in columns.items():
        if training not in finished:
            continue
        if training not in networks:
            networks[training] = trained(run, plan, training, device)
        system = networks[training]
        found = segmented([system.deployed], case, list(system.modalities), settings, device)
        predictions[name] = _in_ras(found, affine)
    return Shown(case.name, student.fold, _in_ras(scan, affine), _in_ras(case.read_reference(), affine), predictions)


def _in_ras(array: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return orientations.apply_orientation(array, orientations.io_orientation(affine))


def _draw(path: Path, title: str, shown: list[Shown]) -> None:
    columns = 2 + max(len(each.predictions) for each in shown)
    line = _ABOVE + _CELL + _BELOW
    canvas = Canvas(2 * _LEFT + columns * (_CELL + _GAP) - _GAP, _TOP + line * len(shown) + _BOTTOM)
    canvas.text((_LEFT, 26), title, 18)
    for number, each in enumerate(shown):
        _draw_line(canvas, _TOP + number * line, each)
    legend_of_labels(canvas, (_LEFT, _TOP + line * len(shown) + 14))
    canvas.save(path)


def _draw_line(canvas: Canvas, top: float, shown: Shown) -> None:
    index = largest_section(shown.reference, _AXIAL)
    window = _window(section(shown.scan, _AXIAL, index))
    grey = section(in_grey(shown.scan), _AXIAL, index)[window]
    fold = f", fold {shown.fold}" if shown.fold else ""
    columns = {f"{shown.case}{fold}": None, **shown.predictions, "Reference": shown.reference}
    for place, (name, classes) in enumerate(columns.items()):
        x, y = _LEFT + place * (_CELL + _GAP), top + _ABOVE
        canvas.text((x + _CELL / 2, top + 12), name, 13, anchor="mm")
        canvas.box((x, y), (x + _CELL, y + _CELL), fill=(0, 0, 0))
        cell = coloured(grey, None if classes is None else section(classes, _AXIAL, index)[window], _CELL)
        canvas.picture((x + (_CELL - cell.width) // 2, y + (_CELL - cell.height) // 2), cell)
        if name in shown.predictions:
            told = ", ".join(f"{region} {100 * dice:.1f}" for region, dice in dice_by_region(classes, shown.reference).items())
            canvas.text((x + _CELL / 2, y + _CELL + 13), told, 12, anchor="mm")
    canvas.text((_LEFT + _CELL / 2, top + _ABOVE + _CELL + 13), "Dice of the whole case, %:", 12, anchor="mm")


def _window(scan: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a section that are not background."""
    found = np.nonzero(scan)
    return tuple(slice(int(index.min()), int(index.max()) + 1) if len(index) else slice(None) for index in found)
