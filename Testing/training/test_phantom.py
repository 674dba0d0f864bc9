"""Generated cases: the same for the same numbers, readable in every edition's naming, and hard where real cases are hard."""

import argparse
import json

import nibabel
import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import rankdata

from KDNetLib.errors import InputError
from KDNetTrainingLib.cli import phantom as phantom_command
from KDNetTrainingLib.data.cases import find_training_cases
from KDNetTrainingLib.modalities import MODALITIES
from KDNetTrainingLib.phantom import folder as phantom_folder
from KDNetTrainingLib.phantom import writing
from KDNetTrainingLib.phantom.case import AFFINE, PhantomCase, make_case
from KDNetTrainingLib.phantom.fields import along, distance_to_zero, refine, smooth_noise, wave_noise
from KDNetTrainingLib.phantom.growth import VISIBLE, grow
from KDNetTrainingLib.phantom.kinds import KINDS, Plan
from KDNetTrainingLib.phantom.solids import ellipsoid, tube

SEED, RING, LOW_GRADE = 0, 6, 5
NUMBERS = RING, LOW_GRADE
#: z-scores of real cases by label and modality, as the project's facts of BraTS give them.
REAL_Z = {
    2: {"t1": -0.1, "t1ce": -0.4, "t2": 0.7, "flair": 1.9},
    1: {"t1": -0.8, "t1ce": -0.5, "t2": 1.4, "flair": 1.8},
    3: {"t1": -0.3, "t1ce": 1.8, "t2": 0.4, "flair": 1.7},
}


@pytest.fixture(scope="module")
def cases():
    """One ring-enhancing and one low-grade case."""
    return {number: make_case(SEED, number) for number in NUMBERS}


def z_scores(image):
    brain = image != 0
    return (image - image[brain].mean()) / image[brain].std()


def chance_brighter(image, classes):
    """Chance that a voxel of oedema is brighter than a healthy one, after smoothing over 2 mm (every other voxel)."""
    brain = (image != 0)[::2, ::2, ::2]
    smooth, labels = ndimage.gaussian_filter(image.astype(np.float32), 2)[::2, ::2, ::2], classes[::2, ::2, ::2]
    first, second = smooth[labels == 2], smooth[brain & ~ndimage.binary_dilation(labels > 0, iterations=2)]
    ranks = rankdata(np.concatenate([first, second]))[: len(first)]
    return (ranks.sum() - len(first) * (len(first) + 1) / 2) / (len(first) * len(second))


def test_the_same_numbers_give_the_same_case(cases):
    again, other = make_case(SEED, RING), cases[LOW_GRADE]
    for modality in MODALITIES:
        assert np.array_equal(again.images[modality], cases[RING].images[modality])
        assert not np.array_equal(other.images[modality], again.images[modality])
    assert np.array_equal(again.classes, cases[RING].classes)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_case_has_the_form_of_brats(cases, number):
    case = cases[number]
    brain = case.images["t1"] != 0
    assert 1000 < brain.sum() / 1000 < 2000 and 0.76 < 1 - brain.mean() < 0.9  # ml; real ones 80 to 88 % background
    for image in case.images.values():
        assert image.shape == (240, 240, 155) and image.dtype == np.int16 and image.min() == 0
        assert np.array_equal(image != 0, brain)
    assert case.classes.dtype == np.uint8 and set(np.unique(case.classes)) <= {0, 1, 2, 3}
    assert not case.classes[~brain].any()
    pieces, count = ndimage.label(brain)
    assert np.bincount(pieces.ravel())[1:].max() > 0.99 * brain.sum()


def test_low_grades_have_a_core_that_does_not_enhance(cases):
    low, high = cases[LOW_GRADE], cases[RING]
    assert low.grade == "LGG" and high.grade == "HGG"
    assert not (low.classes == 3).any() and (low.classes == 1).sum() > 5000
    assert (high.classes == 3).sum() > 2000 and (high.classes == 1).sum() > 2000


def test_the_rim_enhances_around_the_necrosis(cases):
    classes = cases[RING].classes
    core = np.isin(classes, (1, 3))
    depth = ndimage.distance_transform_edt(core[::2, ::2, ::2])
    assert depth[classes[::2, ::2, ::2] == 1].mean() > 1.3 * depth[classes[::2, ::2, ::2] == 3].mean()


@pytest.mark.parametrize("label", REAL_Z)
def test_labels_look_like_those_of_real_cases(cases, label):
    for modality in MODALITIES:
        part = cases[RING].classes == label
        values = z_scores(cases[RING].images[modality])[part]
        assert np.median(values) == pytest.approx(REAL_Z[label][modality], abs=0.9), modality
        assert 0.15 < values.std() < 1.6, modality


@pytest.mark.parametrize("number", NUMBERS)
def test_oedema_is_hidden_on_t1ce_and_plain_on_flair(cases, number):
    images, classes = cases[number].images, cases[number].classes
    assert 0.2 < chance_brighter(images["t1ce"], classes) < 0.65  # 24 real cases: median 0.48, from 0.31 to 0.71
    assert chance_brighter(images["flair"], classes) > 0.88  # median 0.98, from 0.88


def test_much_that_is_no_tumour_enhances(cases):
    scores = z_scores(cases[RING].images["t1ce"])
    healthy = (scores[cases[RING].classes == 0], cases[RING].images["t1ce"][cases[RING].classes == 0] != 0)
    as_bright = (healthy[0][healthy[1]] > 1.8).sum() / 1000  # z-score of enhancing tumour; ml
    assert 5 < as_bright < 120


def test_tumours_are_rough_and_prefer_white_matter(cases):
    for case in cases.values():
        whole = case.classes > 0
        faces = sum(np.count_nonzero(np.diff(whole, axis=axis)) for axis in range(3))
        ball = np.pi ** (1 / 3) * (6 * whole.sum()) ** (2 / 3)
        assert 1.7 < faces / ball < 4.0  # 24 real cases: 1.96 to 3.28; a digital ball has 1.5


def test_plans_have_the_proportions_of_brats():
    plans = [Plan.draw(np.random.default_rng([1, number]), treated=False) for number in range(600)]
    grades = np.array([plan.kind.grade for plan in plans])
    assert (grades == "LGG").mean() == pytest.approx(sum(kind.frequency for kind in KINDS if kind.grade == "LGG"), abs=0.06)
    assert 60 < np.median([plan.volume for plan in plans]) < 120  # ml; 24 real cases: 106
    assert 0.08 < np.mean([len(plan.centres) > 1 for plan in plans]) < 0.25
    assert not any(plan.treated for plan in plans)
    assert any(Plan.draw(np.random.default_rng([1, number]), treated=True).treated for number in range(20))


@pytest.mark.parametrize("edition", writing.NAMINGS)
def test_every_edition_is_read_back(cases, edition, tmp_path):
    step = (slice(None, None, 4),) * 3
    small = {
        number: PhantomCase({name: image[step] for name, image in case.images.items()}, case.classes[step], case.grade)
        for number, case in zip((1, 2), cases.values())
    }
    for number, case in small.items():
        assert not writing.is_complete(tmp_path, edition, number)
        writing.write_case(tmp_path, edition, number, case)
        assert writing.is_complete(tmp_path, edition, number)
    found, left_out = find_training_cases(tmp_path)
    assert len(found) == 2 and not left_out and {case.edition for case in found} == {edition}
    assert len({case.patient for case in found}) == 2
    for case, expected in zip(found, small.values()):
        images, affine = case.read(MODALITIES)
        assert np.array_equal(affine, AFFINE)
        for modality, image in zip(MODALITIES, images):
            assert np.array_equal(image, expected.images[modality])
        assert np.array_equal(case.read_reference(), expected.classes)
        assert case.grade == (expected.grade if edition in ("BraTS 2018", "BraTS 2019") else None)


def test_a_resection_cavity_is_4_in_2024_alone(tmp_path):
    classes = np.arange(5, dtype=np.uint8).repeat(25).reshape(5, 5, 5)
    case = PhantomCase({modality: np.ones((5, 5, 5), np.int16) for modality in MODALITIES}, classes, "HGG")
    for edition, expected in (("BraTS 2024 GLI", [0, 1, 2, 3, 4]), ("BraTS 2021", [0, 1, 2, 4, 0]), ("MSD Task01", [0, 2, 1, 3, 0])):
        writing.write_case(tmp_path / edition, edition, 1, case)
        (path,) = [path for path in (tmp_path / edition).rglob("*.nii.gz") if "seg" in path.name or "labels" in path.parent.name]
        assert np.asarray(nibabel.load(path).dataobj)[:, 0, 0].tolist() == expected


@pytest.fixture
def quick(monkeypatch, cases):
    """Cases at once: the folder is what is tested."""
    made = []

    def stand_in(seed, number, treated=False):
        made.append(number)
        step = (slice(None, None, 8),) * 3
        case = cases[RING]
        return PhantomCase({name: image[step] for name, image in case.images.items()}, case.classes[step], case.grade)

    monkeypatch.setattr(phantom_folder, "make_case", stand_in)
    monkeypatch.setattr(phantom_folder, "MOST_PROCESSES", 1)
    return made


def test_a_folder_goes_on_where_it_was_left(quick, tmp_path):
    folder, calls = tmp_path / "new", []
    assert phantom_folder.write_folder(folder, 3, "BraTS 2021", 5, lambda *what: calls.append(what)) == 3
    assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]
    (folder / "BraTS2021_90002" / "BraTS2021_90002_seg.nii.gz").unlink()
    assert phantom_folder.write_folder(folder, 4, "BraTS 2021", 5, lambda *what: None) == 2
    assert quick == [1, 2, 3, 2, 4]
    assert phantom_folder.write_folder(folder, 4, "BraTS 2021", 5, lambda *what: None) == 0
    assert json.loads((folder / "phantom.json").read_text())["seed"] == 5
    assert len(find_training_cases(folder)[0]) == 4


def test_folders_that_hold_something_else_are_refused(quick, tmp_path):
    def write(folder, edition="BraTS 2021", seed=0, cases=1):
        phantom_folder.write_folder(tmp_path / folder, cases, edition, seed, lambda *what: None)

    write("mine")
    with pytest.raises(InputError, match="another edition or seed"):
        write("mine", seed=1)
    with pytest.raises(InputError, match="another edition or seed"):
        write("mine", edition="BraTS 2020")
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "BraTS2021_00000").mkdir()
    with pytest.raises(InputError, match="not empty"):
        write("real")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be written"):
        write("file")
    (tmp_path / "mine" / "phantom.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        write("mine")
    with pytest.raises(InputError, match="numbers for 249"):
        write("other", edition="MSD Task01", cases=250)


def test_growth_prefers_white_matter_and_stops_at_its_volume():
    white = np.zeros((40, 40, 40), np.float32)
    white[:20] = 1  # grey beyond
    shares = {"wm": white, "gm": 1 - white, "csf": 0 * white}
    density, visible_at = grow(shares, np.ones_like(white), [(19, 20, 20)], 3000)
    visible = density > VISIBLE
    assert 3000 <= visible.sum() < 4500
    assert visible[:20].sum() > 5 * visible[20:].sum()
    assert (visible_at[visible] < visible_at.max()).all() and visible_at[19, 20, 20] == 0
    assert density.min() >= 0 and density.max() <= 1.0001
    shares["gm"][:] = 0  # fluid beyond
    assert not grow(shares, np.ones_like(white), [(18, 20, 20)], 3000)[0][20:].any()


def test_fields_against_closed_forms():
    rng = np.random.default_rng(0)
    i, j, k = np.meshgrid(*[np.arange(n, dtype=np.float32) for n in (9, 8, 7)], indexing="ij")
    linear = refine(2 * i - j + 3 * k)
    fine = np.meshgrid(*[np.arange(2 * n - 1) / 2 for n in (9, 8, 7)], indexing="ij")
    assert np.allclose(linear, 2 * fine[0] - fine[1] + 3 * fine[2], atol=1e-4)
    assert smooth_noise(rng, (60, 60, 60), 3).std() == pytest.approx(1, abs=0.1)
    waves = wave_noise(rng, (96, 96, 96), 12, 0.2)
    spectrum = np.abs(np.fft.rfft(waves, axis=0)).mean(axis=(1, 2))
    assert spectrum[5:9].mean() > 3 * spectrum[20:].mean()  # 96 / 12 = 8 waves
    assert np.allclose(distance_to_zero(3 * i - 12), i - 4, atol=1e-5)
    matrix = rng.normal(size=(5, 8))
    assert np.allclose(along(j, matrix, 1), np.einsum("mn,inj->imj", matrix, j))


def test_solids_against_closed_forms():
    points = np.random.default_rng(0).uniform(-30, 30, (3, 500)).astype(np.float32)
    assert np.allclose(ellipsoid(points, (1, 2, 3), (9, 9, 9)), np.linalg.norm(points - [[1], [2], [3]], axis=0) - 9, atol=1e-3)
    inside = (points[0] / 8) ** 2 + (points[1] / 12) ** 2 + (points[2] / 20) ** 2 < 1
    assert np.array_equal(ellipsoid(points, (0, 0, 0), (8, 12, 20)) < 0, inside)
    height = np.clip(points[2], -10, 10)
    expected = np.linalg.norm(points - np.stack([0 * height, 0 * height, height]), axis=0) - 4
    assert np.allclose(tube(points, [(0, 0, -10, 4), (0, 0, 10, 4)]), expected, atol=1e-3)


def command(*words):
    parser = argparse.ArgumentParser()
    phantom_command.add_parser(parser.add_subparsers())
    return phantom_command.run(parser.parse_args(["phantom", *map(str, words)]))


def test_the_command_understands_editions_and_says_what_it_did(quick, tmp_path, capsys):
    assert command(tmp_path / "new", "--cases", 1, "--edition", "2023 gli") == 0
    assert (tmp_path / "new" / "BraTS-GLI-90001-000" / "BraTS-GLI-90001-000-t1c.nii.gz").is_file()
    shown = capsys.readouterr()
    assert "1 generated cases named as BraTS 2023 GLI, 1 of them new" in shown.out and "generating 1 cases" in shown.err
    with pytest.raises(InputError, match="no edition BraTS 1999"):
        command(tmp_path / "other", "--cases", 1, "--edition", "BraTS 1999")
    with pytest.raises(InputError, match="negative"):
        command(tmp_path / "other", "--cases", 1, "--seed", -1)
    with pytest.raises(SystemExit):
        command(tmp_path / "other", "--cases", 0)
    assert not (tmp_path / "other").exists()
