"""Scores against what the segmenter writes and against hand-counted overlaps."""

from dataclasses import replace

import nibabel
import numpy as np
import pytest
import torch

from engine.generated import DESCRIPTION, affine_of, brain, random_network, reoriented, save
from KDNetLib.device import choose_device
from KDNetLib.errors import InputError
from KDNetLib.image_io import read_image
from KDNetLib.labels import from_classes
from KDNetLib.measures import compare
from KDNetLib.model_file import load_model, save_model
from KDNetLib.segmenter import Segmenter
from KDNetTrainingLib.data.cases import find_training_cases
from KDNetTrainingLib.evaluation.scoring import mean_dice, score_cases, segmented
from KDNetTrainingLib.settings import Settings
from training.generated_cases import OLD, write_case

CPU = choose_device("cpu")


def cases_of(folder):
    return find_training_cases(folder)[0]


def always(*classes):
    """A network that gives each of its ``classes`` with equal probability everywhere, whatever it sees."""
    network = random_network(levels=2, skips=1)
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(torch.tensor([50.0 * (index in classes) for index in range(4)]))
    return network


def undecided(seed, channels=1):
    """A random network that gives every class somewhere."""
    network = random_network(seed, channels=channels)
    with torch.no_grad():
        network.head.weight.mul_(50)
        network.head.bias.copy_(torch.tensor([4.0, 0.0, 0.0, 0.0]))
    return network


def row_of(rows, space):
    (row,) = [row for row in rows if row["space"] == space]
    return row


@pytest.fixture(scope="module")
def one_case(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    write_case(folder, "BraTS2021_00001", shape=(32, 32, 32))  # 4 mm: the paper's 128 mm cube to the voxel
    return folder


@pytest.mark.parametrize("preset", ["paper", "whole-brain"])
def test_native_is_what_the_segmenter_gives(one_case, tmp_path, preset):
    path = tmp_path / "m.safetensors"
    save_model(path, undecided(3), DESCRIPTION | {"preprocessing": {"preset": preset, "spacing": 3.0}})
    (case,) = cases_of(one_case)
    result = Segmenter([path], device="cpu").segment(read_image(case.images["t1ce"].path))
    reference = np.asarray(nibabel.load(case.reference).dataobj)
    classes = np.select([reference == 1, reference == 2, reference == 4], [1, 2, 3]).astype(np.uint8)
    expected = compare(result.classes, classes, result.affine)
    row = row_of(score_cases([load_model(path)[0]], [case], ["t1ce"], Settings(preprocessing=preset, spacing=3.0), CPU), "native")
    assert 0 < expected["WT"]["dice"] < 1
    for region, measures in expected.items():
        assert row[f"{region}_dice"] == measures["dice"] and row[f"{region}_hd95"] == measures["hd95"]
        assert row[f"{region}_volume_ml"] == result.volumes_ml[region]
        assert row[f"{region}_reference_ml"] == measures["volume_reference_ml"]


def test_specks_are_scored_as_the_model_file_gives_them(one_case, tmp_path):
    (case,) = cases_of(one_case)
    network, kept, dropped = undecided(3), Settings(spacing=4.0), Settings(spacing=4.0, least_enhancing=2.0)
    for bias in range(-40, -100, -5):  # until the network gives but a few enhancing voxels
        with torch.no_grad():
            network.head.bias[3] = bias
        row = row_of(score_cases([network], [case], ["t1ce"], kept, CPU), "native")
        if row["ET_volume_ml"] < 2:
            break
    path = tmp_path / "m.safetensors"
    save_model(path, network, DESCRIPTION | {"preprocessing": {"preset": "paper", "spacing": 4.0}, "least_enhancing_ml": 2.0})
    result = Segmenter([path], "cpu").segment(read_image(case.images["t1ce"].path))
    loaded = load_model(path)[0]  # rounded to half precision
    assert row_of(score_cases([loaded], [case], ["t1ce"], kept, CPU), "native")["ET_volume_ml"] > 0
    without = row_of(score_cases([loaded], [case], ["t1ce"], dropped, CPU), "native")
    assert without["TC_volume_ml"] == result.volumes_ml["TC"] and without["ET_volume_ml"] == result.volumes_ml["ET"]
    assert without["ET_volume_ml"] == 0 < row["ET_volume_ml"] < 2
    np.testing.assert_array_equal(segmented([loaded], case, ["t1ce"], dropped, CPU), result.classes)


def test_a_mirrored_model_is_scored_as_its_file_segments(one_case, tmp_path):
    (case,) = cases_of(one_case)
    path = tmp_path / "m.safetensors"
    save_model(path, undecided(3), DESCRIPTION | {"preprocessing": {"preset": "paper", "spacing": 4.0}, "mirrored": True})
    result = Segmenter([path], "cpu").segment(read_image(case.images["t1ce"].path))
    loaded, once = load_model(path)[0], Settings(spacing=4.0)
    found = segmented([loaded], case, ["t1ce"], replace(once, mirrored=True), CPU)
    np.testing.assert_array_equal(found, result.classes)
    assert (found != segmented([loaded], case, ["t1ce"], once, CPU)).any()


def test_both_spaces_against_counted_voxels(one_case):
    """Enhancing tumour everywhere, on a grid twice as coarse: every voxel of it is a block of eight."""
    (case,) = cases_of(one_case)
    array, classes = brain((32, 32, 32), (4.0, 4.0, 4.0), 0)
    rows = score_cases([always(3)], [case], ["t1ce"], Settings(spacing=8.0), CPU)
    native, crop = (row_of(rows, space) for space in ("native", "crop"))
    blocks = classes.reshape(16, 2, 16, 2, 16, 2).transpose(0, 2, 4, 1, 3, 5).reshape(-1, 8)
    majority = np.array([np.bincount(block, minlength=4).argmax() for block in blocks])
    for row, predicted, labels, voxel_ml in ((native, (array != 0).sum(), classes, 0.064), (crop, 16**3, majority, 0.512)):
        for region, members in (("ET", (3,)), ("TC", (1, 3)), ("WT", (1, 2, 3))):
            true = np.isin(labels, members).sum()
            assert 0 < true < predicted
            assert row[f"{region}_dice"] == pytest.approx(2 * true / (predicted + true))
            assert row[f"{region}_volume_ml"] == pytest.approx(predicted * voxel_ml)
            assert row[f"{region}_reference_ml"] == pytest.approx(true * voxel_ml)


def test_hd95_in_the_crop_is_in_millimetres(tmp_path):
    """Predicted everywhere in 16³ voxels of 8 mm, true in one corner block: by brute force over both surfaces."""
    image = np.full((32, 32, 32), 100.0, dtype=np.float32)
    image[::2] += 1
    labels = np.zeros((32, 32, 32), dtype=np.uint8)
    labels[:4, :4, :4] = 3
    place = tmp_path / "BraTS2021_00001"
    place.mkdir()
    for suffix in OLD:
        save(place / f"BraTS2021_00001_{suffix}.nii.gz", image, affine_of((4.0, 4.0, 4.0)))
    save(place / "BraTS2021_00001_seg.nii.gz", from_classes(labels), affine_of((4.0, 4.0, 4.0)))
    row = row_of(score_cases([always(3)], cases_of(tmp_path), ["t1ce"], Settings(spacing=8.0), CPU), "crop")
    index = np.stack(np.meshgrid(*[np.arange(16)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    outer = index[((index == 0) | (index == 15)).any(axis=1)]
    corner = index[(index < 2).all(axis=1)]
    nearest = np.sqrt(((outer[:, None] - corner[None]) ** 2).sum(axis=-1)).min(axis=1) * 8.0
    assert row["ET_hd95"] == pytest.approx(np.percentile(nearest, 95))


def test_storage_order_of_the_axes_does_not_matter(one_case, tmp_path):
    """The same case stored left-posterior and permuted has the same scores, in the crop too."""
    (case,) = cases_of(one_case)
    place = tmp_path / case.name
    place.mkdir()
    for path in case.files:
        loaded = nibabel.load(path)
        save(place / path.name, *reoriented(np.asarray(loaded.dataobj), loaded.affine, (2, 0, 1), (True, False, True)))
    network = undecided(5)
    own, turned = (score_cases([network], cases_of(folder), ["t1ce"], Settings(spacing=4.0), CPU) for folder in (one_case, tmp_path))
    assert 0 < own[0]["WT_dice"] < 1
    for first, second in zip(own, turned):
        assert [second.pop(key) for key in ("case", "space")] == [first.pop(key) for key in ("case", "space")]
        assert second == pytest.approx(first)


def test_several_networks_are_averaged_and_modalities_keep_their_order(one_case):
    (case,) = cases_of(one_case)
    settings = Settings(spacing=4.0)
    half = score_cases([always(1), always(1, 3)], [case], ["t1ce"], settings, CPU)
    whole = score_cases([always(1)], [case], ["t1ce"], settings, CPU)
    other = score_cases([always(3)], [case], ["t1ce"], settings, CPU)
    assert half == whole and half != other
    network = undecided(2, channels=2)
    assert score_cases([network], [case], ["t1", "flair"], settings, CPU) != score_cases([network], [case], ["flair", "t1"], settings, CPU)


def test_tumour_outside_the_crop_counts_in_native_alone(tmp_path):
    """A brain of 240 mm with all its tumour outside the central 128 mm cube."""
    array, labels = brain((30, 30, 30), (8.0, 8.0, 8.0), 0)
    labels[:] = 0
    labels[4:7, 14:16, 14:16] = 3
    array[labels == 3] = 400
    place = tmp_path / "BraTS2021_00001"
    place.mkdir()
    for suffix in OLD:
        save(place / f"BraTS2021_00001_{suffix}.nii.gz", array, affine_of((8.0, 8.0, 8.0)))
    save(place / "BraTS2021_00001_seg.nii.gz", from_classes(labels), affine_of((8.0, 8.0, 8.0)))
    rows = score_cases([always(0)], cases_of(tmp_path), ["t1ce"], Settings(spacing=8.0), CPU)
    native, crop = (row_of(rows, space) for space in ("native", "crop"))
    assert (native["ET_dice"], crop["ET_dice"]) == (0, 1)
    assert native["ET_reference_ml"] == pytest.approx(12 * 0.512) and crop["ET_reference_ml"] == 0
    assert native["ET_hd95"] == pytest.approx(373.1287, abs=1e-4) and crop["ET_hd95"] == 0


def test_progress_can_end_the_work_and_unusable_cases_are_named(tmp_path):
    for index in range(3):
        write_case(tmp_path, f"BraTS2021_{index:05}", seed=index)
    cases, told = cases_of(tmp_path), []

    class Enough(Exception):
        pass

    def progress(*what):
        told.append(what)
        if len(told) == 2:
            raise Enough

    with pytest.raises(Enough):
        score_cases([always(3)], cases, ["t1ce"], Settings(spacing=8.0), CPU, progress)
    assert told == [(1, 3, "BraTS2021_00000"), (2, 3, "BraTS2021_00001")]
    cases[0].reference.write_bytes(b"not a NIfTI")
    with pytest.raises(InputError, match="BraTS2021_00000_seg"):
        score_cases([always(3)], cases, ["t1ce"], Settings(spacing=8.0), CPU)


def test_mean_dice_by_hand():
    rows = [{"ET_dice": 0.5, "TC_dice": 1.0, "WT_dice": 1 / 3}, {"ET_dice": 0.0, "TC_dice": 0.8, "WT_dice": 1 / 3}]
    assert mean_dice(rows) == {"ET": 0.25, "TC": 0.9, "WT": 0.3333}
