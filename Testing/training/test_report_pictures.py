"""Box plots and scatter: hand-worked numbers at the right places, and nothing outside the picture or over its edge."""

import itertools

import numpy as np
import pytest
from PIL import ImageFont

from KDNetTrainingLib.evaluation.box_plots import Box, box_plots_on
from KDNetTrainingLib.evaluation.scatter import scatter_on
from KDNetTrainingLib.plan import Training
from KDNetTrainingLib.run.canvas import Canvas
from KDNetTrainingLib.run.svg_canvas import SvgCanvas

REGIONS = ("ET", "TC", "WT")


class Recorded:
    """Keeps what is drawn."""

    def __init__(self, width, height):
        self.size, self.texts, self.dots, self.lines, self.boxes = (width, height), [], [], [], []

    def text(self, position, text, size=14, colour=None, anchor="lm", turned=False, edge=None):
        self.texts.append((position, text, size, anchor, turned))

    def dot(self, position, radius, colour=None, hollow=False):
        self.dots.append((position, hollow))

    def line(self, points, colour=None, width=1, dashed=False):
        self.lines.append((points, dashed))

    def box(self, corner, other, fill=None, outline=None):
        self.boxes.append((corner, other))

    def places(self, text):
        return [position for position, told, *_ in self.texts if told == text]

    def extents(self):
        """Of every text left, top, right and bottom, by the font that Canvas writes with."""
        for (x, y), text, size, anchor, turned in self.texts:
            width, height = ImageFont.load_default(size).getlength(text), size
            if turned:
                yield text, x - height / 2, y - width / 2, x + height / 2, y + width / 2
            else:
                left = {"l": x, "m": x - width / 2, "r": x - width}[anchor[0]]
                yield text, left, y - height / 2, left + width, y + height / 2

    def assert_all_is_inside(self):
        points = [point for line, _ in self.lines for point in line] + [point for point, _ in self.dots] + [point for box in self.boxes for point in box]
        assert all(0 <= x <= self.size[0] and 0 <= y <= self.size[1] for x, y in points)
        for text, left, top, right, bottom in self.extents():
            assert left >= 0 and top >= 0 and right <= self.size[0] and bottom <= self.size[1], text


def rows_of(training, dice, space="native"):
    """Rows with ``dice`` (0 to 1) of the cases c0, c1, … in every region."""
    return [
        {"system": training.label, "fold": training.fold, "seed": 0, "case": f"c{index}", "space": space, **{f"{region}_dice": value for region in REGIONS}}
        for index, value in enumerate(dice)
    ]


def scale(canvas, panel):
    """From Dice in per cent to x in a panel (0 to 2), told by its tick labels."""
    zero, hundred = canvas.places("0")[panel][0], canvas.places("100")[panel][0]
    return lambda dice: zero + (hundred - zero) * dice / 100


def test_a_box_is_tukeys():
    # Nine values: quartiles 3, 5, 7; 1.5 × 4 reaches to -3 and 13.
    box = Box.of(np.array([30.0, 1, 2, 3, 4, 5, 6, 7, 8]))
    assert (box.low, box.first, box.median, box.third, box.high, box.beyond) == (1, 3, 5, 7, 8, [30]) and box.mean == pytest.approx(66 / 9)
    assert Box.of(np.array([4.0])) == Box(4, 4, 4, 4, 4, [], 4)
    # Four values, quartiles between them: 1.75, 2.5, 3.25.
    box = Box.of(np.array([4.0, 1, 3, 2]))
    assert (box.first, box.median, box.third) == (1.75, 2.5, 3.25)


def test_box_plots_show_every_system_where_its_cases_are():
    baseline, student = Training("baseline", 0), Training("gt+kl+kd", 0)
    rows = rows_of(baseline, [0.01 * value for value in (30, 1, 2, 3, 4, 5, 6, 7, 8)]) + rows_of(student, [0.5, 0.9]) + rows_of(student, [0.1], "crop")
    canvas = box_plots_on(Recorded, rows, [student, baseline])
    assert canvas.places("Baseline (9)") and canvas.places("GT+KL+KD (2)")
    y = {name: canvas.places(name)[0][1] for name in ("Baseline (9)", "GT+KL+KD (2)")}
    assert y["Baseline (9)"] < y["GT+KL+KD (2)"]  # the paper's order
    for panel in range(3):
        at = scale(canvas, panel)
        (outlier,) = [place for place, hollow in canvas.dots if not hollow and at(0) <= place[0] <= at(100)]
        assert outlier == pytest.approx((at(30), y["Baseline (9)"]))
        boxes = [box for box in canvas.boxes if at(0) <= box[0][0] and box[1][0] <= at(100)]
        assert [(box[0][0], box[1][0]) for box in boxes] == [pytest.approx((at(3), at(7))), pytest.approx((at(60), at(80)))]
        means = [place for place, hollow in canvas.dots if hollow and at(0) <= place[0] <= at(100)]
        assert means == [pytest.approx((at(66 / 9), y["Baseline (9)"])), pytest.approx((at(70), y["GT+KL+KD (2)"]))]


def test_the_scatter_has_the_baseline_across_and_the_student_upwards():
    baseline, student = Training("baseline", 0), Training("gt+kl+kd", 0)
    rows = rows_of(baseline, [0.2, 0.5, 0.8]) + rows_of(student, [0.4, 0.5, 0.9, 0.3])  # the fourth case was not the baseline's
    canvas = scatter_on(Recorded, rows, [baseline, student])
    assert [canvas.places(f"{region}: better in 2 of 3, equal in 1") != [] for region in REGIONS] == [True] * 3
    at = scale(canvas, 0)
    zero, hundred = (canvas.places(tick)[1][1] for tick in ("0", "100"))  # of the axis upwards: its label follows that across
    upwards = lambda dice: zero + (hundred - zero) * dice / 100  # noqa: E731
    found = [place for place, _ in canvas.dots if place[0] <= at(100)]
    assert zero > hundred and found == [pytest.approx((at(x), upwards(y))) for x, y in ((20, 40), (50, 50), (80, 90))]
    (equality,) = [points for points, dashed in canvas.lines if dashed and points[1][0] <= at(100)]
    assert equality == [pytest.approx((at(0), upwards(0))), pytest.approx((at(100), upwards(100)))]


def test_each_student_is_compared_with_its_own_baseline():
    trainings = [Training(system, 0, skips) for system in ("baseline", "gt+kl+kd") for skips in (4, 0)] + [Training("gt+kl+kd", 0, 2)]
    rows = list(itertools.chain.from_iterable(rows_of(training, [0.1 * place]) for place, training in enumerate(trainings, start=1)))
    canvas = scatter_on(Recorded, rows, trainings)
    assert len(canvas.places("GT+KL+KD")) == len(canvas.places("GT+KL+KD, 0 skips")) == 1 and not canvas.places("GT+KL+KD, 2 skips")  # no baseline
    assert len(canvas.dots) == 6


def test_without_what_to_show_nothing_is_drawn():
    baseline = Training("baseline", 0)
    assert box_plots_on(Recorded, [], [baseline]) is None
    assert scatter_on(Recorded, rows_of(baseline, [0.5]), [baseline]) is None


@pytest.fixture
def crowded():
    """Everything at once, the longest names and the extremes of Dice."""
    labels = [("baseline", 4, "plain"), ("gt+kl+kd", 4, "plain"), ("baseline", 0, "residual"), ("gt+kl+kd", 0, "residual"), ("shared-layers", 0, "residual")]
    trainings = [Training(system, 0, skips, network) for system, skips, network in labels]
    return [row for training in trainings for row in rows_of(training, [0.0, 1.0, *[0.5] * 1300])], trainings


@pytest.mark.parametrize("draw", [box_plots_on, scatter_on])
def test_nothing_is_cut_off_and_no_texts_lie_over_each_other(crowded, draw):
    canvas = draw(Recorded, *crowded)
    canvas.assert_all_is_inside()
    extents = list(canvas.extents())
    for (one, *a), (other, *b) in itertools.combinations(extents, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (one, other)


@pytest.mark.parametrize("draw", [box_plots_on, scatter_on])
def test_both_kinds_of_canvas_can_be_drawn_on(crowded, draw, tmp_path):
    draw(Canvas, *crowded).save(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000
    text = draw(SvgCanvas, *crowded).svg("Cases")
    assert text.count("<circle") == len(draw(Recorded, *crowded).dots) and text.count("<rect") == len(draw(Recorded, *crowded).boxes)
