"""The distortions against what they must do by hand, and the command that measures with them."""

import csv
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.cli_support import installed, run  # noqa: F401 (fixture)
from engine.generated import DESCRIPTION, affine_of, brain, intensity_model, oblique, random_model, reoriented
from KDNetLib.errors import InputError
from KDNetLib.segmenter import Segmenter
from KDNetTrainingLib.data.cases import find_training_cases
from KDNetTrainingLib.evaluation.distortions import DISTORTIONS, Scan, distort
from KDNetTrainingLib.evaluation.robustness import measure, summarise
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.recorded_plan import record_plan
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import settings_from
from training.generated_cases import write_case

COARSE = (4.0, 4.0, 4.0)


def scan_of(shape=(36, 42, 30), spacing=COARSE):
    return Scan(*brain(shape, spacing), affine_of(spacing))


def world(affine, index):
    return (affine @ [*index, 1])[:3]


def test_thick_slices_are_means_with_the_majority_label_where_they_lie():
    """Spacing 1 mm along the third axis, everything brain: three slices become one by plain means."""
    rng = np.random.default_rng(0)
    array = rng.uniform(1, 9, (4, 5, 12)).astype(np.float32)
    classes = rng.integers(0, 2, (4, 5, 12)).astype(np.uint8) * 3
    affine = oblique(affine_of((2.0, 2.0, 1.0)), (3, 4, 5))
    thick = DISTORTIONS["axial-3mm"](Scan(array, classes, affine), None)
    np.testing.assert_allclose(thick.array, array.reshape(4, 5, 4, 3).mean(axis=-1), rtol=1e-5)
    np.testing.assert_array_equal(thick.classes, 3 * ((classes == 3).reshape(4, 5, 4, 3).sum(axis=-1) >= 2))
    for slice_ in range(4):
        np.testing.assert_allclose(world(thick.affine, (1, 2, slice_)), world(affine, (1, 2, 3 * slice_ + 1)), atol=1e-9)
    half = DISTORTIONS["axial-4.5mm"](Scan(array, classes, affine), None)
    expected = (array[..., :4].sum(axis=-1) + array[..., 4] / 2) / 4.5
    np.testing.assert_allclose(half.array[..., 0], expected, rtol=1e-5)


def test_thick_slices_keep_the_brains_rim_bright_and_follow_the_majority():
    column = np.array([0, 0, 7, 7, 7, 7, 0, 7, 0], dtype=np.float32)  # thirds with 1, 3 and 1 of 3 voxels in the brain
    scan = Scan(np.tile(column, (2, 2, 1)), np.zeros((2, 2, 9), np.uint8), affine_of((2.0, 2.0, 1.0)))
    np.testing.assert_allclose(DISTORTIONS["axial-3mm"](scan, None).array[0, 0], [0, 7, 0], rtol=1e-6)


@pytest.mark.parametrize("permutation", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_orientations_are_those_of_the_head_not_of_the_file(permutation):
    scan = Scan(*brain((24, 30, 36), (2.0, 2.0, 2.0)), affine_of((2.0, 2.0, 2.0)))
    for axis, orientation in enumerate(("sagittal", "coronal", "axial")):
        name = f"{orientation}-6mm"
        plain = DISTORTIONS[name](scan, None)
        assert plain.array.shape == tuple(side // (3 if each == axis else 1) for each, side in enumerate((24, 30, 36)))
        turned, affine = reoriented(scan.array, scan.affine, permutation, (True, False, True))
        labels, _ = reoriented(scan.classes, scan.affine, permutation, (True, False, True))
        other = DISTORTIONS[name](Scan(turned, labels, affine), None)
        np.testing.assert_allclose(other.array, reoriented(plain.array, plain.affine, permutation, (True, False, True))[0], rtol=1e-5)
        np.testing.assert_allclose(other.affine, reoriented(plain.array, plain.affine, permutation, (True, False, True))[1], atol=1e-9)


def test_a_scan_that_is_as_thick_already_stays():
    scan = scan_of()
    assert DISTORTIONS["axial-3mm"](scan, None) is scan


def test_the_head_turns_by_15_degrees():
    """From where two tumour parts lie before and after, in millimetres: the rotation that fits best."""
    spacing = np.array((2.0, 2.0, 3.0))
    array, _ = brain((60, 70, 40), spacing)
    classes = np.zeros(array.shape, np.uint8)
    classes[35:45, 30:36, 18:22], classes[25:31, 45:54, 24:28] = 1, 3
    scan = Scan(array, classes, affine_of(spacing))
    turned = distort(scan, "rotated-15", "case", 0)

    def places(of):
        centre = np.array([index.mean() for index in np.nonzero(of.array)])
        return np.array([(np.array([index.mean() for index in np.nonzero(of.classes == label)]) - centre) * spacing for label in (1, 3)])

    before, after = places(scan), places(turned)
    found = Rotation.align_vectors(after, before)[0]
    assert np.rad2deg(found.magnitude()) == pytest.approx(15, abs=0.7)
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), np.linalg.norm(before, axis=1), rtol=0.03)
    assert (turned.array != 0).sum() == pytest.approx((array != 0).sum(), rel=0.02), "nothing falls off the grid"
    assert (turned.classes == 3).sum() == pytest.approx((classes == 3).sum(), rel=0.1)
    original = np.linalg.inv(scan.affine) @ turned.affine  # the larger grid lies around the smaller one
    np.testing.assert_allclose(original[:3, :3], np.eye(3), atol=1e-9)


def test_intensities_change_in_the_brain_alone_and_by_as_much_as_said():
    scan = Scan(np.where(brain((60, 60, 60), COARSE)[0] != 0, np.float32(500), 0).astype(np.float32), np.zeros((60, 60, 60), np.uint8), affine_of(COARSE))
    inside = scan.brain
    noisy = distort(scan, "noise", "case", 0)
    assert noisy.array[inside].std() == pytest.approx(50, rel=0.02), "a tenth of the median"
    biased = distort(scan, "bias-field", "case", 0)
    ratio = np.log(biased.array[inside] / 500)
    assert 0.1 < ratio.std() < 0.4
    assert np.abs(np.diff(np.log(np.where(inside, biased.array, 500) / 500), axis=0)[5:-5]).max() < 1
    assert np.abs(np.diff(np.log(biased.array[30, 30, inside[30, 30]]))).max() < 0.1, "neighbours 4 mm apart"
    for changed in (noisy, biased):
        assert not changed.array[~inside].any() and changed.classes is scan.classes
    ramp = Scan(np.linspace(100, 300, 1001, dtype=np.float32).reshape(7, 11, 13), np.zeros((7, 11, 13), np.uint8), affine_of())
    middle = np.unravel_index(500, ramp.array.shape)  # brightness 200 of 100 to 300, but for the 99.9th percentile
    for name, exponent in (("gamma-0.7", 0.7), ("gamma-1.5", 1.5)):
        assert distort(ramp, name, "case", 0).array[middle] == pytest.approx(1 + 999 * 0.5**exponent, rel=0.01)
    for name, kind, first, last in (("int16", np.int16, 1, 1000), ("uint8", np.uint8, 1, 255), ("tiny-floats", np.float64, 1e-6, 1e-4)):
        array = distort(ramp, name, "case", 0).array
        assert array.dtype == kind and array.min() == pytest.approx(first) and array.max() == pytest.approx(last, rel=1e-5)
        assert np.corrcoef(array.ravel(), ramp.array.ravel())[0, 1] > 0.999


def test_padding_leaves_every_voxel_in_its_place():
    scan = scan_of()
    padded = distort(scan, "zero-padding", "case", 0)
    assert padded.array.shape == (36 + 50, 42 + 30, 30 + 30) and padded.array.sum() == pytest.approx(scan.array.sum())
    for of in (scan, padded):
        places = np.argwhere(of.classes == 3) @ of.affine[:3, :3].T + of.affine[:3, 3]
        np.testing.assert_allclose(places.mean(axis=0), (np.argwhere(scan.classes == 3) @ scan.affine[:3, :3].T + scan.affine[:3, 3]).mean(axis=0))
    other = distort(scan, "background-1024", "case", 0).array
    assert set(other[~scan.brain].tolist()) == {-1024} and (other[scan.brain] == scan.array[scan.brain]).all()


def test_skull_pieces_lie_around_the_brain():
    scan = scan_of((72, 84, 60), (2.0, 2.0, 2.0))
    result = distort(scan, "skull-pieces", "case", 0)
    pieces = (result.array != 0) & ~scan.brain
    assert (result.array[scan.brain] == scan.array[scan.brain]).all() and result.classes is scan.classes
    points, rim = np.argwhere(pieces), np.argwhere(scan.brain)
    nearest = [np.linalg.norm((rim - point) * 2.0, axis=1).min() for point in points[:: max(1, len(points) // 100)]]
    assert min(nearest) > 2 and max(nearest) < 8
    assert 0.5 < result.array[pieces].mean() / (1.8 * np.median(scan.array[scan.brain])) < 1.5
    assert 1000 < len(points) < 20_000


@pytest.mark.parametrize("flips", [(False, False, False), (False, False, True)])
def test_a_smaller_field_lacks_a_fifth_away_from_the_tumour(flips):
    scan = scan_of()
    array, affine = reoriented(scan.array, scan.affine, (2, 0, 1), flips)
    labels, _ = reoriented(scan.classes, scan.affine, (2, 0, 1), flips)
    cut = distort(Scan(array, labels, affine), "smaller-field", "case", 0)
    height, left = (np.ptp(np.flatnonzero(of.any(axis=(1, 2)))) + 1 for of in (array, cut.array))
    assert left == height - round(height / 5)
    assert (cut.classes == 3).sum() == (labels == 3).sum(), "this tumour lies in the upper half, so the lower end is missing"
    (first, *_), (last, *_) = (np.argwhere(of.classes == 3) @ of.affine[:3, :3].T + of.affine[:3, 3] for of in (cut, Scan(array, labels, affine)))
    np.testing.assert_allclose(first, last)


@pytest.mark.parametrize("name", DISTORTIONS)
def test_seed_and_case_decide_alone(name):
    scan = scan_of((30, 34, 28))
    first, again, other = (distort(scan, name, *what) for what in (("a", 1), ("a", 1), ("b", 1)))
    np.testing.assert_array_equal(first.array, again.array)
    np.testing.assert_array_equal(first.classes, again.classes)
    assert first.array.shape == first.classes.shape and first.classes.dtype == np.uint8 and first.classes.max() == 3
    random = name in ("rotated-15", "bias-field", "noise", "skull-pieces")
    assert np.array_equal(first.array, other.array) != random


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two cases in a BraTS folder, and a model that finds the first one's tumour by its brightness."""
    folder = tmp_path_factory.mktemp("study")
    for number in (1, 2):
        write_case(folder / "data", f"BraTS2021_0000{number}", seed=number)
    case = find_training_cases(folder / "data")[0][0]
    return folder / "data", intensity_model(folder / "m.safetensors", case.read(["t1ce"])[0][0], COARSE, 4.0, name="known")


def _none_left_out(name, reason):
    raise AssertionError(f"{name} was left out: {reason}")


def test_what_does_not_change_the_scan_does_not_change_dice(study, tmp_path):
    cases = find_training_cases(study[0])[0]
    harmless = ["undistorted", "zero-padding", "background-1024", "tiny-floats"]
    rows = measure(cases[:1], "t1ce", harmless, Segmenter([study[1]], "cpu"), "m", 0, None, lambda *_: None, _none_left_out)
    assert rows[0]["WT_dice"] > 0.8
    for row in rows[1:]:
        assert row["WT_dice"] == pytest.approx(rows[0]["WT_dice"], abs=0.01), row["distortion"]


def test_what_is_done_is_not_done_again(study, tmp_path):
    cases, told, kept = find_training_cases(study[0])[0], [], tmp_path / "cases.csv"

    def measured(model="m", seed=0):
        told.clear()
        return measure(cases, "t1ce", ["undistorted", "noise"], Segmenter([study[1]], "cpu"), model, seed, kept, lambda *what: told.append(what), _none_left_out)

    rows = measured()
    assert [what[:2] for what in told] == [(0, 4), (1, 4), (2, 4), (3, 4)]
    assert measured() == rows and told == []
    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join(lines[:-1]))  # killed before the last one
    assert measured() == rows and [what[2] for what in told] == ["BraTS2021_00002, noise"]
    assert measured(seed=1)[1] != rows[1] and len(told) == 4
    assert measured(model="other")[1:] == [row | {"model": "other"} for row in rows[1:]] and len(told) == 4
    assert measured() == rows and told == []


def test_a_refused_scan_counts_as_missed(study):
    def refuse(image):
        raise InputError("It is empty.")

    rows = measure(find_training_cases(study[0])[0][:1], "t1ce", ["undistorted"], SimpleNamespace(segment=refuse), "m", 0, None, lambda *_: None, _none_left_out)
    assert rows[0]["WT_dice"] == 0 and rows[0]["refused"] == "It is empty."
    assert summarise(rows)[0].missed == 1


def test_the_table_by_hand():
    dice = {"undistorted": (0.9, 0.5, 0.8), "noise": (0.7, 0.05, 0.8)}
    rows = [
        {"distortion": name, "case": str(case), "ET_dice": value, "TC_dice": 0.5, "WT_dice": value}
        for name, values in dice.items() for case, value in enumerate(values)
    ]  # fmt: skip
    plain, noise = summarise(rows)
    assert (plain.distortion, plain.cases, plain.missed) == ("undistorted", 3, 0) and plain.fall["ET"] == (0, 0, 0)
    assert noise.dice["ET"] == pytest.approx(100 * 1.55 / 3) and noise.missed == 1
    mean, low, high = noise.fall["WT"]
    assert mean == pytest.approx((20 + 45 + 0) / 3) and low == 0 and high == pytest.approx(45)
    assert noise.fall["TC"] == (0, 0, 0)


def test_the_command_prints_and_writes_the_table(study, tmp_path, capsys):
    data, model = study
    output = tmp_path / "table.csv"
    command = ["robustness", data, "--model", model, "--only", "axial-6mm", "int16", "--cases", "BraTS2021_00001", "-o", output]
    code, out, err = run(capsys, *command)
    assert code == 0 and [line.split()[0] for line in out.splitlines()] == ["Dice,", "undistorted", "axial-6mm", "int16"]
    with open(output, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["distortion"] for row in rows] == ["undistorted", "axial-6mm", "int16"] and {row["cases"] for row in rows} == {"1"}
    assert float(rows[1]["WT_fall"]) == pytest.approx(float(rows[0]["WT_dice"]) - float(rows[1]["WT_dice"]), abs=1e-3)
    assert float(rows[0]["WT_dice"]) > 80, "in per cent"
    assert (tmp_path / "table-cases.csv").read_text().count("BraTS2021_00001") == 3
    again = run(capsys, *command)
    assert again[1] == out and "axial" not in again[2]
    for option, word in (("--only", "skull-pieces"), ("--cases", "BraTS2021_00002")):
        code, out, err = run(capsys, "robustness", data, "--model", model, option, "nothing")
        assert code == 2 and word in err and "nothing" in err


def test_a_damaged_case_is_named_and_the_others_are_measured(study, tmp_path, capsys):
    data = shutil.copytree(study[0], tmp_path / "data")
    command = ("robustness", data, "--model", study[1], "--only", "int16", "--device", "cpu")
    for number, code in ((1, 1), (2, 2)):
        scan = data / f"BraTS2021_0000{number}" / f"BraTS2021_0000{number}_t1ce.nii.gz"
        scan.write_bytes(scan.read_bytes()[:2000])
        found, out, err = run(capsys, *command)
        assert found == code and f"BraTS2021_0000{number} is left out" in err and "Traceback" not in err
        assert ("int16" in out and "    1 " in out) == (code == 1)
    assert "None of the cases can be used" in err


def test_a_run_is_tested_by_the_networks_that_did_not_see_the_case(tmp_path, capsys):
    names = ["BraTS2021_00000", "BraTS2021_00001", "BraTS2021_00002"]
    for index, name in enumerate(names):
        write_case(tmp_path / "data", name, seed=index)
    plan = Plan(("baseline",), settings_from({"folds": 2, "spacing": 4.0}), "kdnet experiment", exported=("baseline",), name="tiny")
    record_plan(plan, tmp_path / "data", tmp_path / "run")
    RunFolder(tmp_path / "run").write("folds", {"folds": [names[:1], names[1:]]})
    for training in plan.trainings():
        path = tmp_path / "run" / "models" / f"{plan.model_name(training)}.safetensors"
        random_model(path, training.fold, DESCRIPTION | {"name": path.stem, "modalities": ["t1ce"], "preprocessing": {"preset": "whole-brain", "spacing": 4.0}})
    arguments = ["robustness", tmp_path / "data", "--run", tmp_path / "run", "--only", "int16", "-o", tmp_path / "r.csv", "--device", "cpu"]
    code, out, err = run(capsys, *arguments)
    assert code == 0 and "int16" in out, err
    with open(tmp_path / "r-cases.csv", encoding="utf-8") as file:
        used = {(row["case"], row["model"].split()[0]) for row in csv.DictReader(file)}
    assert used == {(names[0], "tiny-fold-1"), (names[1], "tiny-fold-2"), (names[2], "tiny-fold-2")}
    for wrong, word in ((["--run", tmp_path / "data"], "holds no run"), (["--system", "baseline"], "belongs to --run")):
        code, _, err = run(capsys, "robustness", tmp_path / "data", *wrong)
        assert code == 2 and word in err
