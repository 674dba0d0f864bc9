"""The calibration against predictors whose fault is known, and the command from a run's folder to a model file."""

import re

import numpy as np
import pytest
from PIL import Image as Picture
from scipy.optimize import brentq

from engine.cli_support import installed, run  # noqa: F401 (fixture)
from engine.generated import DESCRIPTION, random_model
from KDNetLib.confidence import calibrated
from KDNetLib.errors import InputError
from KDNetLib.manifest import read_manifest
from KDNetLib.model_card import expected_calibration_error, model_card
from KDNetTrainingLib.cli.calibrate import _as_text
from KDNetTrainingLib.evaluation.calibration import calibration_of, fit, held_out_confidence, map_of, reliability_curve, warned
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.recorded_plan import record_plan
from KDNetTrainingLib.run.reliability import draw_reliability
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import Settings, settings_from
from training.generated_cases import write_case

REGIONS = ("ET", "TC", "WT")


def overconfident(count, temperature, seed=0, offset=0.0):
    """Dice drawn around what is to be expected, and what a network promises that is too sure by ``temperature``."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.3, 0.8, count)
    expected = 1 / (1 + np.exp(-(logits - offset)))
    promised = 1 / (1 + np.exp(-logits * temperature))
    return promised, rng.beta(8 * expected, 8 * (1 - expected))


def rows_of(promised, dice, folds=3):
    return [
        {"fold": 1 + number % folds, "case": str(number)} | {f"{region}_promised": p for region in REGIONS} | {f"{region}_dice": d for region in REGIONS}
        for number, (p, d) in enumerate(zip(promised, dice))
    ]


@pytest.mark.parametrize(("temperature", "offset"), [(1.0, 0.0), (2.0, 0.0), (3.0, 0.7)])
def test_a_known_temperature_and_offset_are_found(temperature, offset):
    promised, dice = overconfident(4000, temperature, offset=offset)
    a, b = fit(promised, dice)
    assert 1 / b == pytest.approx(temperature, rel=0.05) and a == pytest.approx(-offset, abs=0.05)


def test_the_fit_by_hand():
    """All promised the same, σ(1): the offset alone is left, and the mean Dice is met but for the pull towards (0, 1)."""
    dice = np.array([0.2, 0.6] * 500)
    a, b = fit(np.full(1000, 1 / (1 + np.exp(-1))), dice)
    assert 1 / (1 + np.exp(-(a + b))) == pytest.approx(0.4, abs=1e-3)
    # With two unknowns that act alike, the pull shares the way: a = b - 1.
    assert a == pytest.approx(b - 1, abs=1e-3)
    # One prediction of promise 0.5 (logit 0): the slope stays 1, and the offset solves σ(a) - 0.9 + 0.1 a = 0.
    a, b = fit(np.array([0.5]), np.array([0.9]))
    assert b == pytest.approx(1) and a == pytest.approx(brentq(lambda x: 1 / (1 + np.exp(-x)) - 0.9 + 0.1 * x, 0, 5), abs=1e-4)


def test_what_was_not_found_is_judged_apart():
    """Of four predictions that found nothing three were right: (3 + ½) / (4 + 1). The others are fitted as if these were not there."""
    promised, dice = overconfident(200, 2.0)
    with_absent = map_of(np.append(promised, [0.0] * 4), np.append(dice, [1.0, 1.0, 0.0, 1.0]))
    assert with_absent == pytest.approx([*fit(promised, dice), 0.7])
    assert map_of(promised, dice)[2] == 0.5, "nothing is known of it"
    assert map_of(np.zeros(3), np.zeros(3)) == pytest.approx([0.0, 1.0, 0.125]), "nothing is known of what is found"


def test_a_promise_that_says_the_contrary_is_not_believed():
    promised = np.linspace(0.1, 0.9, 50)
    assert fit(promised, 1 - promised)[1] == pytest.approx(0, abs=1e-6), "confidence never falls as the promise rises"


def test_reliability_curve_and_its_error_by_hand():
    confidence, dice = np.array([0.1, 0.15, 0.5, 0.95, 1.0]), np.array([0.3, 0.1, 0.2, 1.0, 0.9])
    curve = reliability_curve(confidence, dice)
    assert curve == [[0.125, 0.2, 2], [0.5, 0.2, 1], [0.975, 0.95, 2]]
    assert expected_calibration_error(curve) == pytest.approx((2 * 0.075 + 0.3 + 2 * 0.025) / 5)
    assert warned(confidence, dice) == (3, 2, 0) and warned(1 - confidence, dice) == (3, 0, 2)


def test_calibration_lowers_the_error_on_what_it_was_not_fitted_to():
    promised, dice = overconfident(60, 3.0, seed=1, offset=0.5)
    calibration = calibration_of(rows_of(promised, dice), "none")
    raw = expected_calibration_error(reliability_curve(promised, dice))
    assert raw > 0.15 and expected_calibration_error(calibration["curve"]["ET"]) < raw / 2
    assert calibration["cases"] == 60 and sum(count for *_, count in calibration["curve"]["WT"]) == 60
    new_promised, new_dice = overconfident(2000, 3.0, seed=2, offset=0.5)
    confidence = np.array([calibrated({"ET": value}, calibration["map"])["ET"] for value in new_promised])
    assert expected_calibration_error(reliability_curve(confidence, new_dice)) < 0.07


@pytest.mark.parametrize("folds", [1, 3])
def test_no_prediction_is_judged_by_a_map_that_saw_it(folds):
    promised, dice = overconfident(30, 2.0)
    before = held_out_confidence(rows_of(promised, dice, folds), "ET")
    changed = dice.copy()
    changed[0] = 1 - changed[0]
    after = held_out_confidence(rows_of(promised, changed, folds), "ET")
    own = [number for number in range(30) if (number % 3 == 0 if folds == 3 else number == 0)]
    np.testing.assert_array_equal(after[own], before[own])
    others = [number for number in range(30) if number not in own]
    assert (after[others] != before[others]).all()


def test_too_few_cases_are_refused():
    with pytest.raises(InputError, match="9 case"):
        calibration_of(rows_of(*overconfident(9, 1.0)), "none")


def test_the_picture_has_the_points_where_they_belong(tmp_path):
    numbers = {region: np.array([0.25]) for region in REGIONS}
    draw_reliability(tmp_path / "r.png", numbers, {region: np.array([0.5]) for region in REGIONS}, {region: np.array([0.75]) for region in REGIONS}, {region: [[0.5, 0.75, 1]] for region in REGIONS})
    pixels = np.asarray(Picture.open(tmp_path / "r.png")).astype(int)
    for number, colour in enumerate(((213, 94, 0), (0, 114, 178), (0, 158, 115))):
        rows, columns = np.nonzero((np.abs(pixels - colour) < 12).all(axis=-1))
        left = 70 + number * (250 + 45)
        assert rows.mean() == pytest.approx(50 + 0.25 * 250, abs=1.5) and columns.mean() == pytest.approx(left + 0.5 * 250, abs=1.5)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a cross-validated run of ten cases as a run leaves it, but for its networks, which are random."""
    folder = tmp_path_factory.mktemp("calibrate")
    names = [f"BraTS2021_{index:05}" for index in range(10)]
    for index, name in enumerate(names):
        write_case(folder / "data", name, seed=index)
    plan = Plan(("baseline",), settings_from({"folds": 2, "spacing": 4.0}, Settings()), "kdnet experiment", exported=("baseline",), name="tiny")
    record_plan(plan, folder / "data", folder / "run")
    RunFolder(folder / "run").write("folds", {"folds": [names[:5], names[5:]]})
    description = DESCRIPTION | {"preprocessing": {"preset": "whole-brain", "spacing": 4.0}, "training": {"data": "ten cases of nobody"}}
    for training in plan.trainings():
        path = folder / "run" / "models" / f"{plan.model_name(training)}.safetensors"
        random_model(path, training.fold, description | {"name": path.stem})
    return folder


def test_from_a_run_to_a_model_that_gives_its_confidence(finished, tmp_path, capsys):
    shipped, table = tmp_path / "shipped.safetensors", finished / "run" / "calibration-baseline.csv"
    shipped.write_bytes((finished / "run" / "models" / "tiny-fold-1.safetensors").read_bytes())
    before = {path.name: path.read_bytes() for path in (finished / "run" / "models").iterdir()}
    code, out, err = run(capsys, "calibrate", finished / "run", "--model", shipped, "--device", "cpu")
    assert code == 0, err
    assert re.search(r"^10 cases", out) and all(re.search(rf"^{region} ", out, re.MULTILINE) for region in REGIONS)
    assert Picture.open(table.with_suffix(".png")).size[0] > 900
    rows = [line.split(",") for line in table.read_text().splitlines()[1:]]
    assert [(row[0], row[2]) for row in rows] == [("1" if index < 5 else "2", f"BraTS2021_{index:05}") for index in range(10)]
    assert all(row[3].startswith(f"tiny-fold-{row[0]} ") for row in rows), "each by the network that was not trained on it"
    calibration = read_manifest(shipped).calibration
    assert calibration["data"] == "ten cases of nobody, each predicted by a network that was not trained on its patient"
    assert calibration["cases"] == 10 and "kdnet calibrate RUN --system baseline" in calibration["command"]
    assert "## Confidence" in model_card(read_manifest(shipped)) and "not trained on its patient" in model_card(read_manifest(shipped))
    assert {path.name: path.read_bytes() for path in (finished / "run" / "models").iterdir()} == before, "the run's own models stay"
    scan = finished / "data" / "BraTS2021_00000" / "BraTS2021_00000_t1ce.nii.gz"
    _, shown, _ = run(capsys, "segment", scan, "--model", shipped, "-o", tmp_path / "seg.nii.gz", "--device", "cpu")
    promised = dict(zip(REGIONS, map(float, rows[0][4::2])))
    for region, value in calibrated(promised, calibration["map"]).items():
        assert f"confidence {value:.2f}" in next(line for line in shown.splitlines() if f" {region} " in line)
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))  # killed before the last one
    again = run(capsys, "calibrate", finished / "run", "--device", "cpu")
    assert again[1].splitlines()[:6] == out.splitlines()[:6] and "BraTS2021_00009" in again[2] and "BraTS2021_00008" not in again[2]


def test_what_cannot_be_calibrated_is_said(finished, tmp_path, capsys):
    other = random_model(tmp_path / "other.safetensors")
    for arguments, word in (
        ([tmp_path / "nothing"], "holds no run"),
        ([finished / "run", "--system", "teacher"], "exports baseline"),
        ([finished / "run", "--model", other], "differs from the run's models"),
    ):
        code, _, err = run(capsys, "calibrate", *arguments)
        assert code == 2 and word in err
    folder = RunFolder(finished / "run")
    folds = folder.read("folds")
    try:
        folder.write("folds", {"test": []})
        assert "held out of training" in run(capsys, "calibrate", finished / "run")[2]
        folder.write("folds", folds)
        model = finished / "run" / "models" / "tiny-fold-2.safetensors"
        model.rename(tmp_path / "away")
        assert "fold-2/baseline is not finished" in run(capsys, "calibrate", finished / "run")[2]
        (tmp_path / "away").rename(model)
    finally:
        folder.write("folds", folds)


def test_the_table_by_hand():
    numbers = {region: np.array([0.9, 0.3]) for region in REGIONS}
    curve = {region: [[0.3, 0.4, 1], [0.9, 0.8, 1]] for region in REGIONS}
    dice = {region: np.array([0.8, 0.4]) for region in REGIONS}
    line = _as_text({"cases": 2, "curve": curve}, numbers, numbers, dice).splitlines()[-1]
    assert line.split() == ["WT", "0.600", "0.600", "0.100", "0.600", "0.100", "1", "1", "0"]
