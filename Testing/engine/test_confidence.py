"""The confidence by region: by hand, by drawing references, and through segmenter, model file, card, tables and commands."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from cli_support import DESCRIPTION as TINY
from cli_support import installed, make_scan, run  # noqa: F401 (fixtures)
from engine.generated import affine_of, brain, by_nested_regions, random_model
from KDNetLib.batch import COLUMNS, RESULTS_NAME, find_cases, run_batch
from KDNetLib.confidence import calibrated, confidence_warnings, expected_dice
from KDNetLib.csv_report import read_rows, write_rows
from KDNetLib.errors import ModelError
from KDNetLib.image_io import Image
from KDNetLib.manifest import FORMAT_VERSION, METADATA_KEY, read_manifest
from KDNetLib.model_card import model_card
from KDNetLib.model_file import load_model, save_model, write_calibration
from KDNetLib.networks.encoder_decoder import EncoderDecoder
from KDNetLib.runners.torch_runner import TorchRunner
from KDNetLib.segmenter import Segmenter

COARSE = (4.0, 4.0, 4.0)
CALIBRATION = {
    "map": {"ET": [-1.0, 0.5, 0.75], "TC": [0.0, 1.0, 0.5], "WT": [0.5, 0.0, 0.25]},
    "curve": {"ET": [[0.3, 0.4, 4], [0.7, 0.65, 6]], "TC": [[0.6, 0.6, 10]], "WT": [[0.8, 0.7, 10]]},
    "cases": 10, "data": "ten cases, each predicted by a network that had not seen its patient", "command": "kdnet calibrate RUN",
}  # fmt: skip


def test_expected_dice_by_hand():
    voxels = [
        (0.1, 0.2, 0.1, 0.6),  # ET
        (0.2, 0.5, 0.2, 0.1),  # NCR
        (0.7, 0.1, 0.1, 0.1),  # background
        (0.3, 0.1, 0.5, 0.1),  # ED
        (0.0, 0.0, 0.0, 1.0),  # outside the brain
    ]
    probabilities = np.array(voxels, dtype=np.float32).T.reshape(4, 5, 1, 1)
    promised = expected_dice(probabilities, np.array([True] * 4 + [False]).reshape(5, 1, 1))
    assert promised["ET"] == pytest.approx(2 * 0.6 / (1 + (0.6 + 0.1 + 0.1 + 0.1)))
    assert promised["TC"] == pytest.approx(2 * (0.8 + 0.6) / (2 + (0.8 + 0.6 + 0.2 + 0.2)))
    assert promised["WT"] == pytest.approx(2 * (0.9 + 0.8 + 0.7) / (3 + (0.9 + 0.8 + 0.3 + 0.7)))
    background = np.zeros((4, 2, 2, 2), np.float32)
    background[0] = 1
    assert set(expected_dice(background, np.ones((2, 2, 2), bool)).values()) == {0.0}


def test_expected_dice_is_the_mean_over_references_drawn_from_the_probabilities():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet((0.6, 0.2, 0.2, 0.2), size=4000)
    promised = expected_dice(probabilities.T.reshape(4, 20, 20, 10).astype(np.float32), np.ones((20, 20, 10), bool))
    predicted = by_nested_regions(probabilities.T)[0]
    for region, members in (("ET", [3]), ("TC", [1, 3]), ("WT", [1, 2, 3])):
        found = np.isin(predicted, members)
        dice = []
        for _ in range(200):
            true = rng.uniform(size=4000) < probabilities[:, members].sum(axis=1)
            dice.append(2 * (true & found).sum() / (true.sum() + found.sum()))
        assert promised[region] == pytest.approx(np.mean(dice), abs=0.003)


def test_the_map_by_hand_and_its_limits():
    confidence = calibrated({"ET": 0.8, "TC": 0.8, "WT": 0.8}, CALIBRATION["map"])
    assert confidence["ET"] == pytest.approx(1 / (1 + np.exp(1 - 0.5 * np.log(4))))
    assert confidence["TC"] == pytest.approx(0.8) and confidence["WT"] == pytest.approx(1 / (1 + np.exp(-0.5)))
    same = {region: [0.0, 1.0, 0.8] for region in ("ET", "TC", "WT")}
    assert calibrated({"ET": 0.001, "TC": 1.0, "WT": 0.01}, same) == pytest.approx({"ET": 0.01, "TC": 0.99, "WT": 0.01})
    assert calibrated({"ET": 0.0, "TC": 0.3}, same) == pytest.approx({"ET": 0.8, "TC": 0.3}), "what was not found has a number of its own"
    extreme = {"ET": [-99.0, 99.0, 0.0], "TC": [99.0, 99.0, 1.0], "WT": [0.0, 99.0, 0.0]}
    assert all(0 <= value <= 1 for value in calibrated({"ET": 0.001, "TC": 1.0, "WT": 0.001}, extreme).values())


def test_low_confidence_is_one_sentence():
    assert confidence_warnings(None) == [] == confidence_warnings({"ET": 0.5, "TC": 0.9, "WT": 1.0})
    (sentence,) = confidence_warnings({"ET": 0.31, "TC": 0.9, "WT": 0.42})
    assert "the enhancing tumour (ET 0.31) and the whole tumour (WT 0.42):" in sentence and "TC" not in sentence and sentence.endswith(".")
    assert "0.10), the tumour core (TC 0.20) and the whole" in confidence_warnings({"ET": 0.1, "TC": 0.2, "WT": 0.3})[0]


def models(folder, **calibrations):
    """One model file per name, of the same weights, with these calibrations."""
    at_4_mm = {"preprocessing": {"preset": "whole-brain", "spacing": 4.0}}
    return [random_model(folder / f"{name}.safetensors", 1, at_4_mm | {"calibration": of}) for name, of in calibrations.items()]


def test_the_segmenter_gives_it_where_the_model_is_calibrated(tmp_path):
    paths = models(tmp_path, plain=None, one=CALIBRATION, other=CALIBRATION | {"map": CALIBRATION["map"] | {"ET": [0.0, 1.0, 0.5]}})
    image = Image(brain((36, 42, 32), COARSE)[0], affine_of(COARSE))
    plain, one = (Segmenter([path], "cpu").segment(image, probabilities=True) for path in paths[:2])
    assert plain.confidence is None and not any("confidence" in text for text in plain.warnings)
    assert one.promised == plain.promised and one.confidence == calibrated(plain.promised, CALIBRATION["map"])
    assert confidence_warnings(one.confidence)[0] in one.warnings
    of_voxels = one.probabilities.astype(float).reshape(4, -1)  # the network's grid is the scan's here
    for region, members in (("ET", [3]), ("TC", [1, 3]), ("WT", [1, 2, 3])):
        found, share = np.isin(one.classes.ravel(), members), of_voxels[members].sum(axis=0)
        assert one.promised[region] == pytest.approx(2 * share[found].sum() / (found.sum() + share.sum()), abs=2e-3), region
    assert one.promised["WT"] > 0.1
    assert Segmenter([paths[1], paths[1]], "cpu").segment(image).confidence == pytest.approx(one.confidence)
    assert Segmenter(paths[1:], "cpu").segment(image).confidence is None, "models with different calibrations"


def test_what_is_lost_on_the_scans_own_grid_was_not_found(tmp_path, monkeypatch):
    """One voxel of the network's 8 mm with .6 ET: an eighth of it lies at most (3/4)³ of the way to it, so that nothing reaches a half."""
    path = random_model(tmp_path / "coarse.safetensors", 1, {"preprocessing": {"preset": "whole-brain", "spacing": 8.0}, "calibration": CALIBRATION})

    def predict(self, volume, *_):
        probabilities = np.zeros((4, *volume.shape[1:]), np.float32)
        middle = tuple(side // 2 for side in volume.shape[1:])
        probabilities[(3, *middle)] = 0.6
        probabilities[0] = 1 - probabilities[3]
        assert expected_dice(probabilities, volume.any(axis=0))["ET"] > 0.5
        return probabilities, "cpu"

    monkeypatch.setattr(TorchRunner, "predict", predict)
    result = Segmenter([path], "cpu").segment(Image(brain((36, 42, 32), COARSE)[0], affine_of(COARSE)))
    assert not result.classes.any() and set(result.promised.values()) == {0.0}
    assert result.confidence == {"ET": 0.75, "TC": 0.5, "WT": 0.25}, "the map's third numbers"


def test_a_calibration_is_put_into_a_model_file_and_changes_nothing_else(tmp_path):
    (path,) = models(tmp_path, plain=None)
    before, weights = read_manifest(path), load_model(path)[0].state_dict()
    assert before.calibration is None
    written = write_calibration(path, CALIBRATION)
    assert written == read_manifest(path) and written.calibration == CALIBRATION
    assert {**vars(written), "calibration": None} == vars(before) and written.format_version == FORMAT_VERSION == 1
    for key, value in load_model(path)[0].state_dict().items():
        assert torch.equal(value, weights[key])
    with safe_open(path, framework="pt") as file:  # another reader of the format
        assert set(file.keys()) == set(weights) and json.loads(file.metadata()[METADATA_KEY])["calibration"]["cases"] == 10
    assert write_calibration(path, CALIBRATION | {"cases": 24}).calibration["cases"] == 24
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["plain.safetensors"]


@pytest.mark.parametrize("change", [
    {"map": {"ET": [0, 1, 0], "TC": [0, 1, 0]}}, {"map": [1]}, {"map": CALIBRATION["map"] | {"ET": [0, 1]}}, {"map": CALIBRATION["map"] | {"ET": ["0", 1, 0]}},
    {"map": CALIBRATION["map"] | {"ET": [0, -1, 0]}}, {"map": CALIBRATION["map"] | {"ET": [10**400, 1, 0]}}, {"map": CALIBRATION["map"] | {"XX": [0, 1, 0]}},
    {"map": CALIBRATION["map"] | {"ET": [0, 1, 1.5]}}, {"map": CALIBRATION["map"] | {"ET": [0, 1, None]}},
    {"curve": CALIBRATION["curve"] | {"ET": [[0.5, 0.5]]}}, {"curve": CALIBRATION["curve"] | {"ET": [[1.5, 0.5, 3]]}}, {"curve": {}},
    {"curve": CALIBRATION["curve"] | {"ET": 3}}, {"curve": CALIBRATION["curve"] | {"ET": [[0.5, 0.5, 0.5]]}}, {"cases": 0}, {"cases": True}, {"data": None},
])  # fmt: skip
def test_a_damaged_calibration_is_refused(tmp_path, change):
    (path,) = models(tmp_path, plain=None)
    content = path.read_bytes()
    for calibration in (CALIBRATION | change, [1], "text"):
        with pytest.raises(ModelError, match="calibration is not as it must be"):
            write_calibration(path, calibration)
    assert path.read_bytes() == content


def test_the_card_shows_the_reliability_curve(tmp_path):
    plain, path = models(tmp_path, plain=None, one=CALIBRATION)
    assert "holds no calibration" in model_card(read_manifest(plain))
    card = model_card(read_manifest(path))
    assert "calibrated on 10 cases (ten cases, each" in card and "| ET | 4 | 0.30 | 0.40 |" in card and "| WT | 10 | 0.80 | 0.70 |" in card
    # ET: (4 · 0.1 + 6 · 0.05) / 10 = 0.07
    assert "Expected calibration error: ET 0.070, TC 0.000, WT 0.100" in card and "Calibrated by: kdnet calibrate RUN" in card


def test_the_command_shows_it_and_the_table_holds_it(tmp_path, capsys):
    path = tmp_path / "m.safetensors"
    torch.manual_seed(3)
    save_model(path, EncoderDecoder(width=2, levels=2, skips=1), TINY | {"name": "calibrated", "calibration": CALIBRATION})
    scan = make_scan(tmp_path / "in" / "p1_t1ce.nii.gz")
    code, out, err = run(capsys, "segment", scan, "--model", path, "--device", "cpu")
    shown = dict(re.findall(r" (ET|TC|WT|NCR|ED) +[\d.]+ ml   confidence ([\d.]+)", out))
    assert code == 0 and set(shown) == {"ET", "TC", "WT"} and shown["WT"] == "0.62", "σ(0.5), whatever is promised"
    assert f"(ET {shown['ET']})" in err and "confidence is low" in err
    assert run(capsys, "segment", tmp_path / "in", "--model", path, "-o", tmp_path / "out")[0] == 0
    (row,) = read_rows(tmp_path / "out" / RESULTS_NAME, COLUMNS)
    assert {region: f"{float(row[f'{region}_confidence']):.2f}" for region in shown} == shown


def test_a_table_of_an_earlier_version_goes_on(tmp_path):
    """Written before there was a confidence: its case is done, the next one is added."""
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        (tmp_path / "in" / f"{name}_t1ce.nii.gz").write_bytes(b"scan")
    confidence, states = None, []

    def segment(source, output):
        output.parent.mkdir(exist_ok=True)
        output.write_bytes(b"labels")
        return SimpleNamespace(volumes_ml=dict.fromkeys(("NCR", "ED", "ET", "TC", "WT"), 1.0), seconds={"total": 1}, warnings=[], confidence=confidence)

    def go_on(cases):
        states.clear()
        return run_batch(cases, tmp_path / "in", tmp_path / "out", segment, lambda number, case, state, detail: states.append(state), settings="m")

    cases, table = find_cases(tmp_path / "in"), tmp_path / "out" / RESULTS_NAME
    go_on(cases[:1])
    earlier = tuple(column for column in COLUMNS if not column.endswith("_confidence"))
    write_rows(table, earlier, read_rows(table, COLUMNS))
    confidence = {"ET": 0.5, "TC": 0.25, "WT": 0.75}
    go_on(cases)
    assert states == ["skipped", "started", "done"]
    assert [(row["ET_confidence"], row["WT_confidence"]) for row in read_rows(table, COLUMNS)] == [("", ""), ("0.500", "0.750")]
