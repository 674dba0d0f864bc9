"""The training pictures, told by their pixels: everything is there, where it belongs, and nothing is cut off."""

import numpy as np
import pytest
from PIL import Image

from engine.generated import brain
from KDNetLib.labels import LABELS
from KDNetTrainingLib.run import curves, preview
from KDNetTrainingLib.run.curves import draw_curves, epoch_ticks, loss_ticks
from KDNetTrainingLib.run.preview import draw_preview, largest_section


def epoch(number, total=1.0, dice=0.5, best=False, validation=True, **terms):
    train = {"loss": total, **terms}
    measured = {**train, "ET": dice, "TC": dice + 0.1, "WT": dice + 0.2} if validation else {}
    return {"kind": "epoch", "training": "fold-1/gt+kl+kd", "epoch": number, "train": train, "validation": measured, "best": best}


def pixels(path):
    with Image.open(path) as picture:
        assert picture.format == "PNG" and picture.mode == "RGB"
        return np.asarray(picture).astype(int)


def places(array, colour, tolerance=12):
    """(row, column) of the pixels of ``colour``."""
    return np.argwhere(np.abs(array - np.array(colour)).max(axis=-1) <= tolerance)


def assert_nothing_cut(array, margin=4):
    inner = np.zeros(array.shape[:2], bool)
    inner[margin:-margin, margin:-margin] = True
    assert (array[~inner] == 255).all() and (array[inner] != 255).any()


def drawn(tmp_path, events, teacher_level=None):
    draw_curves(tmp_path / "curves.png", events, teacher_level)
    array = pixels(tmp_path / "curves.png")
    assert_nothing_cut(array)
    return array


PLOT = slice(None), slice(82, 748)  # columns of the coordinate systems, without axis and legend


def test_every_term_and_region_is_drawn(tmp_path):
    array = drawn(tmp_path, [epoch(n, 2 / n, n / 60, best=n == 30, gt=1.5 / n, kd=1 / n, kl=0.01 / n) for n in range(1, 41)])
    upper, lower = array[:400][PLOT], array[430:][PLOT]
    for colour in list(curves._TERM_COLOURS.values())[1:]:
        assert len(places(upper, colour)) > 300
    for colour in curves.REGION_COLOURS.values():
        assert len(places(lower, colour)) > 300
    # Of a term that this system does not have there is nothing, neither curve nor legend.
    array = drawn(tmp_path, [epoch(n, 2 / n, gt=1 / n) for n in range(1, 41)])
    assert not len(places(array[:400], curves._TERM_COLOURS["kd"])) and len(places(array[:400], curves._TERM_COLOURS["gt"]))


def test_values_stand_where_the_axis_says(tmp_path):
    """Three epochs with Dice 0, 0.5 and 1 of ET: left and below, in the middle, right and above."""
    events = [epoch(1), epoch(2), epoch(3)]
    for event, value in zip(events, (0.0, 0.5, 1.0)):
        event["validation"] |= {"ET": value, "TC": 0.02, "WT": 0.02}
    found = places(drawn(tmp_path, events)[430:][PLOT], curves.REGION_COLOURS["ET"])
    rows, columns = found[:, 0], found[:, 1]
    assert rows.max() - rows.min() == pytest.approx(curves._PANEL, abs=6)
    assert columns[rows == rows.max()].mean() < 15 and columns[rows == rows.min()].mean() > 650
    middle = rows[np.abs(columns - 333) < 2]
    assert abs(middle.mean() - (rows.max() + rows.min()) / 2) < 3


def test_the_best_epoch_is_marked(tmp_path):
    array = drawn(tmp_path, [epoch(n, best=n in (1, 6)) for n in range(1, 12)])
    column = 80 + 8 + round(0.5 * (750 - 80 - 16))
    assert (np.abs(array[80:370, column] - 120).max(axis=-1) < 60).mean() > 0.9
    assert (np.abs(array[80:370, column + 20] - 120).max(axis=-1) < 60).mean() < 0.1


def test_the_teachers_level_is_drawn_across(tmp_path):
    events = [epoch(n, dice=0.2) for n in range(1, 41)]
    without, level = drawn(tmp_path, events), drawn(tmp_path, events, {"ET": 0.9, "TC": 0.8, "WT": 0.95})
    new = np.argwhere((without != level).any(axis=-1)[430:, 82:748])
    assert len(np.unique(new[:, 1])) > 400 and new[:, 0].max() < 200


def test_one_epoch_is_visible(tmp_path):
    array = drawn(tmp_path, [epoch(1, dice=0.3, best=True)])
    assert len(places(array[430:][PLOT], curves.REGION_COLOURS["ET"])) > 5


def test_without_validation_there_is_one_panel(tmp_path):
    both = drawn(tmp_path, [epoch(n) for n in (1, 2)])
    alone = drawn(tmp_path, [epoch(n, validation=False) for n in (1, 2)])
    assert alone.shape[0] < 0.6 * both.shape[0] and len(places(alone[PLOT], curves._TERM_COLOURS["loss"])) > 100


def test_values_that_no_axis_can_show_are_left_out(tmp_path):
    events = [epoch(1, 1.0, kl=0.0), epoch(2, float("nan"), kl=0.1), epoch(3, 0.8, kl=0.1), epoch(4, 0.7, kl=float("inf"))]
    assert len(places(drawn(tmp_path, events)[:400][PLOT], curves._TERM_COLOURS["kl"])) > 10
    drawn(tmp_path, [epoch(1, 0.0), epoch(2, 0.0)])
    drawn(tmp_path, [epoch(n, 0.7) for n in range(1, 9)])


def test_of_an_epoch_trained_twice_the_later_one_counts(tmp_path):
    expected = drawn(tmp_path, [epoch(1, 2.0), epoch(2, 1.0), epoch(3, 0.5)])
    assert (drawn(tmp_path, [epoch(1, 2.0), epoch(2, 9.0), {"kind": "training"}, epoch(2, 1.0), epoch(3, 0.5)]) == expected).all()


def test_nothing_is_drawn_before_the_first_epoch(tmp_path):
    draw_curves(tmp_path / "curves.png", [{"kind": "training"}])
    assert not list(tmp_path.iterdir())


def test_ticks():
    assert loss_ticks(0.3, 4.0) == [0.5, 1, 2]
    assert loss_ticks(0.001, 40.0) == pytest.approx([0.001, 0.01, 0.1, 1, 10])
    assert loss_ticks(0.61, 0.93) == pytest.approx([0.7, 0.8, 0.9])
    assert loss_ticks(1.05, 1.23) == pytest.approx([1.06 + 0.02 * n for n in range(9)])
    assert epoch_ticks(1) == [1] and epoch_ticks(7) == [1, 2, 3, 4, 5, 6, 7] and epoch_ticks(12) == [1, 2, 4, 6, 8, 10, 12]
    assert epoch_ticks(500) == [1, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500]


def cell(array, row, column):
    """The pixels of one section; rows scan, reference, network; columns axial, coronal, sagittal."""
    y, x = (start + index * (preview._CELL + preview._GAP) for start, index in ((preview._TOP, row), (preview._LEFT, column)))
    return array[y : y + preview._CELL, x : x + preview._CELL]


def shown(tmp_path, image, reference, prediction):
    draw_preview(tmp_path / "preview.png", image, reference, prediction, "BraTS19_CBICA_AAB_1, fold-1/gt+kl+kd")
    array = pixels(tmp_path / "preview.png")
    assert_nothing_cut(array)
    return array


def test_reference_and_prediction_stand_beside_each_other(tmp_path):
    image, labels = brain((48, 56, 40))
    prediction = np.where(labels == 1, 3, labels).astype(np.uint8)
    array = shown(tmp_path, image, labels, prediction)
    for column in range(3):
        counts = [[len(places(cell(array, row, column), [round(255 * part) for part in label.colour])) for label in LABELS] for row in range(3)]
        assert counts[0] == [0, 0, 0]  # the scan alone
        assert min(counts[1]) > 5
        assert counts[2][0] == 0 and min(counts[2][1:]) > 5  # the network takes the necrosis for enhancing


def test_sections_are_turned_as_radiologists_look_at_them(tmp_path):
    """A bright corner of the head at the patient's right, front and top."""
    image, labels = np.zeros((40, 50, 30), np.float32), np.zeros((40, 50, 30), np.uint8)
    image[32:36, 40:45, 22:26] = np.linspace(50, 100, 80).reshape(4, 5, 4)
    labels[34, 42, 24] = 3
    array = shown(tmp_path, image, labels, labels)
    half = preview._CELL // 2
    for column in range(3):  # right of the patient, or the face, at the left; front or top above
        bright = np.argwhere(cell(array, 0, column)[20:-20, 20:-20].min(axis=-1) > 60) + 20
        assert len(bright) > 100 and (bright < half).all()


@pytest.mark.parametrize("found", [False, True])
def test_a_case_without_tumour_has_a_picture(tmp_path, found):
    image, labels = brain((40, 40, 40))
    nothing = np.zeros_like(labels)
    array = shown(tmp_path, image, nothing, labels if found else nothing)
    assert bool(len(places(cell(array, 2, 0), [round(255 * part) for part in LABELS[1].colour]))) == found


def test_the_section_with_most_tumour_is_taken():
    classes = np.zeros((10, 12, 14), np.uint8)
    classes[3, 4:6, 5] = 1
    classes[7, 5, 2:9] = 2
    assert [largest_section(classes, axis) for axis in range(3)] == [7, 5, 5]
    assert [largest_section(np.zeros((10, 12, 14), np.uint8), axis) for axis in range(3)] == [5, 6, 7]
