"""Dice of every case as box plots: a line per system, a panel per region."""

from dataclasses import dataclass

import numpy as np

from KDNetLib.labels import REGIONS
from KDNetTrainingLib.evaluation.statistics import dice_by_case
from KDNetTrainingLib.evaluation.summaries import in_papers_order
from KDNetTrainingLib.evaluation.text import name_of
from KDNetTrainingLib.plan import Training
from KDNetTrainingLib.run.canvas import FAINT, INK

_LEFT, _PANEL, _GAP, _RIGHT, _TOP, _LINE, _BOTTOM = 250, 220, 26, 24, 84, 30, 74
_BLUE, _PALE = (0, 114, 178), (204, 227, 240)


@dataclass(frozen=True)
class Box:
    """Tukey's box plot: quartiles (interpolated), the furthest values within 1.5 interquartile ranges of them, and those beyond."""

    low: float
    first: float
    median: float
    third: float
    high: float
    beyond: list[float]
    mean: float

    @classmethod
    def of(cls, values: np.ndarray) -> "Box":
        """The box plot of ``values``, of which there must be one."""
        first, median, third = np.percentile(values, [25, 50, 75])
        reach = 1.5 * (third - first)
        inside = values[(values >= first - reach) & (values <= third + reach)]
        beyond = sorted(values[(values < first - reach) | (values > third + reach)].tolist())
        return cls(float(inside.min()), float(first), float(median), float(third), float(inside.max()), beyond, float(values.mean()))


def box_plots_on(new_canvas: type, rows: list[dict], trainings: list[Training]):
    """Draw ``rows`` (of ``evaluation.results``), native grid, on a ``new_canvas`` (Canvas or what has its methods); None without scores."""
    shown = []
    for training in in_papers_order(trainings):
        of_region = {region: np.array(list(dice_by_case(rows, training.label, region, "native").values())) for region in REGIONS}
        if len(of_region["WT"]):
            shown.append((f"{name_of(training)} ({len(of_region['WT'])})", of_region))
    if not shown:
        return None
    bottom = _TOP + _LINE * len(shown)
    canvas = new_canvas(_LEFT + len(REGIONS) * (_PANEL + _GAP) - _GAP + _RIGHT, bottom + _BOTTOM)
    canvas.text((20, 24), "Dice of every case on the scans' own grid, in per cent (number of cases)", 18)
    for line, (name, _) in enumerate(shown):
        canvas.text((_LEFT - 14, _TOP + _LINE * (line + 0.5)), name, 13, anchor="rm")
    for place, region in enumerate(REGIONS):
        left = _LEFT + place * (_PANEL + _GAP)
        _frame(canvas, left, bottom, region)
        for line, (_, of_region) in enumerate(shown):
            _draw(canvas, left, _TOP + _LINE * (line + 0.5), Box.of(of_region[region]))
    told = "box: quartiles and median; whiskers: furthest case within 1.5 interquartile ranges; dots: cases beyond; ring: mean"
    canvas.text((20, bottom + 52), told, 13)
    return canvas


def _frame(canvas, left: float, bottom: float, region: str) -> None:
    canvas.text((left + _PANEL / 2, _TOP - 18), region, 15, anchor="mm")
    for tick in range(0, 101, 20):
        x = left + _PANEL * tick / 100
        canvas.line([(x, _TOP), (x, bottom)], FAINT)
        canvas.text((x, bottom + 14), str(tick), 12, anchor="mm")
    canvas.line([(left, _TOP), (left, bottom), (left + _PANEL, bottom)])


def _draw(canvas, left: float, y: float, box: Box) -> None:
    def at(dice: float) -> float:
        return left + _PANEL * dice / 100

    canvas.line([(at(box.low), y), (at(box.high), y)], _BLUE)
    for end in (box.low, box.high):
        canvas.line([(at(end), y - 4), (at(end), y + 4)], _BLUE)
    canvas.box((at(box.first), y - 8), (at(box.third), y + 8), fill=_PALE, outline=_BLUE)
    canvas.line([(at(box.median), y - 8), (at(box.median), y + 8)], INK, 2)
    for value in box.beyond:
        canvas.dot((at(value), y), 2, _BLUE)
    canvas.dot((at(box.mean), y), 3, INK, hollow=True)
