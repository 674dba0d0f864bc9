"""Dice of every case with KD-Net's student against the baseline: above the line of equality the student is better."""

from KDNetLib.labels import REGIONS
from KDNetTrainingLib.evaluation.statistics import dice_by_case
from KDNetTrainingLib.evaluation.summaries import in_papers_order
from KDNetTrainingLib.evaluation.text import name_of
from KDNetTrainingLib.plan import Training
from KDNetTrainingLib.run.canvas import FAINT

#: The system whose cases are shown: the complete KD-Net.
STUDENT = "gt+kl+kd"
_LEFT, _SIDE, _GAP, _RIGHT, _TOP, _BOTTOM, _HEAD = 84, 240, 48, 28, 34, 70, 48
_BLUE, _GREY = (0, 114, 178), (120, 120, 120)


def scatter_on(new_canvas: type, rows: list[dict], trainings: list[Training]):
    """Draw ``rows`` (of ``evaluation.results``), native grid, on a ``new_canvas`` (Canvas or what has its methods).

    One line of panels for every student whose baseline has cases in common with it; None without any.
    """
    pairs = []
    for training in in_papers_order(trainings):
        of_region = _common(rows, training) if training.system == STUDENT else None
        if of_region and of_region["WT"]:
            pairs.append((training, of_region))
    if not pairs:
        return None
    height = _TOP + _SIDE + _BOTTOM
    canvas = new_canvas(_LEFT + len(REGIONS) * (_SIDE + _GAP) - _GAP + _RIGHT, _HEAD + height * len(pairs))
    canvas.text((20, 24), "Student against baseline: Dice of every case on the scans' own grid, in per cent", 18)
    for line, (training, of_region) in enumerate(pairs):
        top = _HEAD + line * height + _TOP
        canvas.text((22, top + _SIDE / 2), name_of(training), 13, turned=True)
        for place, region in enumerate(REGIONS):
            _panel(canvas, _LEFT + place * (_SIDE + _GAP), top, region, of_region[region], name_of(training.baseline))
    return canvas


def _common(rows: list[dict], training: Training) -> dict[str, list[tuple[float, float]]]:
    """By region the Dice of the baseline and of ``training`` for every case that both were tested on."""
    found = {}
    for region in REGIONS:
        baseline, student = (dice_by_case(rows, label, region, "native") for label in (training.baseline.label, training.label))
        found[region] = [(baseline[case], student[case]) for case in sorted(baseline.keys() & student.keys())]
    return found


def _panel(canvas, left: float, top: float, region: str, points: list[tuple[float, float]], baseline: str) -> None:
    bottom, right = top + _SIDE, left + _SIDE
    better, equal = sum(student > dice for dice, student in points), sum(student == dice for dice, student in points)
    told = f"{region}: better in {better} of {len(points)}" + (f", equal in {equal}" if equal else "")
    canvas.text(((left + right) / 2, top - 16), told, 14, anchor="mm")
    for tick in range(0, 101, 20):
        x, y = left + _SIDE * tick / 100, bottom - _SIDE * tick / 100
        canvas.line([(x, top), (x, bottom)], FAINT)
        canvas.line([(left, y), (right, y)], FAINT)
        canvas.text((x, bottom + 14), str(tick), 12, anchor="mm")
        canvas.text((left - 8, y), str(tick), 12, anchor="rm")
    canvas.line([(left, top), (left, bottom), (right, bottom)])
    canvas.line([(left, bottom), (right, top)], _GREY, 1, dashed=True)
    for dice, student in points:
        canvas.dot((left + _SIDE * dice / 100, bottom - _SIDE * student / 100), 3, _BLUE)
    canvas.text(((left + right) / 2, bottom + 36), baseline, 13, anchor="mm")
