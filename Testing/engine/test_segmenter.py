"""From a scan of any kind to labels on its own grid, with a network whose answer is known."""

import dataclasses
import threading
import time

import nibabel
import numpy as np
import pytest
import torch

from engine.generated import ORIENTATIONS, affine_of, brain, dice, intensity_model, oblique, random_model, reoriented, save
from engine.generated_images import WARNED_IMAGES
from engine.real_data import real_file
from KDNetLib import inference, memory, segmenter
from KDNetLib.errors import Cancelled, DeviceError, InputError, ModelError
from KDNetLib.image_io import Image, read_image
from KDNetLib.memory import needed_bytes
from KDNetLib.segmenter import Segmenter
from KDNetLib.volumes import volumes_ml

COARSE = (4.0, 4.0, 4.0)
AT_4_MM = {"preprocessing": {"preset": "whole-brain", "spacing": 4.0}}


def segment(path, image, **arguments):
    return Segmenter([path], "cpu").segment(image, **arguments)


@pytest.fixture(scope="module")
def coarse(tmp_path_factory):
    """A brain at 4 mm, its labels, and a segmenter at 4 mm that knows its intensities."""
    array, labels = brain((36, 42, 32), COARSE)
    path = intensity_model(tmp_path_factory.mktemp("model") / "model.safetensors", array, COARSE, 4.0)
    return array, labels, Segmenter([path], "cpu")


def test_labels_are_found_exactly(coarse):
    array, labels, model = coarse
    result = model.segment(Image(array, affine_of(COARSE)), probabilities=True)
    np.testing.assert_array_equal(result.classes, labels)
    assert result.classes.dtype == np.uint8 and result.probabilities.dtype == np.float16
    np.testing.assert_array_equal(result.probabilities.argmax(axis=0), labels)
    assert result.warnings == [] and result.device == "cpu" and result.model == "by-intensity"
    for key, values in {"NCR": (1,), "ED": (2,), "ET": (3,), "TC": (1, 3), "WT": (1, 2, 3)}.items():
        assert result.volumes_ml[key] == pytest.approx(np.isin(labels, values).sum() * 0.064)
    assert result.seconds["total"] == pytest.approx(sum(value for key, value in result.seconds.items() if key != "total"), abs=0.05)


@pytest.mark.parametrize(("permutation", "flips"), ORIENTATIONS)
def test_any_orientation_gives_the_same_labels_in_place(coarse, permutation, flips):
    array, labels, model = coarse
    turned, affine = reoriented(array, affine_of(COARSE), permutation, flips)
    result = model.segment(Image(turned, affine))
    np.testing.assert_array_equal(result.classes, reoriented(labels, affine_of(COARSE), permutation, flips)[0])
    np.testing.assert_array_equal(result.affine, affine)


@pytest.mark.parametrize("spacing", [(2, 2, 2), (1, 1, 1), (1, 1, 7), (0.9, 0.9, 5.5), (3, 1.2, 2.2), (0.5, 4, 4)])
@pytest.mark.parametrize("turned", [False, True])
def test_any_spacing_finds_the_tumour(tmp_path, spacing, turned):
    shape = tuple(round(extent / step) for extent, step in zip((140, 160, 130), spacing))
    array, labels = brain(shape, spacing)
    affine = oblique(affine_of(spacing)) if turned else affine_of(spacing)
    result = segment(intensity_model(tmp_path / "m.safetensors", array, spacing), Image(array, affine))
    assert result.classes.shape == shape
    for region in ((1, 2, 3), (1, 3), (3,)):
        assert dice(np.isin(result.classes, region), np.isin(labels, region)) > 0.8
    assert any("thick" in text for text in result.warnings) == (max(spacing) > 4)


@pytest.mark.parametrize("kind", ["u1 scaled", "<i2", ">i2", "<u2", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_any_type_of_file_gives_the_same_labels(coarse, tmp_path, kind, ending):
    array, labels, model = coarse
    header = nibabel.Nifti1Header(endianness=">" if kind[0] == ">" else "<")
    header.set_data_dtype(kind.split()[0])
    path = tmp_path / f"scan{ending}"
    nibabel.save(nibabel.Nifti1Image(array if "scaled" in kind else array.round(), affine_of(COARSE), header), path)
    if "scaled" in kind:
        assert nibabel.load(path).dataobj.slope not in (1, 0)
    np.testing.assert_array_equal(model.segment(read_image(path)).classes, labels)


@pytest.mark.parametrize("what", WARNED_IMAGES)
def test_scans_to_be_warned_of_give_a_result(tmp_path, what):
    make, word = WARNED_IMAGES[what]
    array, affine = make()
    result = segment(random_model(tmp_path / "m.safetensors", levels=5, skips=4), Image(array, affine))
    assert result.classes.shape == array.shape
    assert any(word in text for text in result.warnings)


def test_brain_mask_takes_the_place_of_skull_stripping(coarse):
    array, labels, model = coarse
    rng = np.random.default_rng(0)
    head = np.where(array == 0, rng.uniform(20, 500, array.shape), array)
    assert any("skull-stripped" in text for text in model.segment(Image(head, affine_of(COARSE))).warnings)
    result = model.segment(Image(head, affine_of(COARSE)), brain_mask=array != 0)
    assert result.warnings == []
    np.testing.assert_array_equal(result.classes, labels)


def test_nothing_found_is_said(coarse):
    array, labels, model = coarse
    healthy = np.where(labels > 0, np.float32(100), array)
    healthy[18, 20, 16] = 130  # some spread, as a z-score divides by it
    spread = healthy + np.where(healthy != 0, np.random.default_rng(0).normal(0, 30, array.shape).clip(-60, 0), 0).astype(np.float32)
    assert not any("No tumour" in text for text in model.segment(Image(array, affine_of(COARSE))).warnings)
    result = model.segment(Image(spread, affine_of(COARSE)))
    assert ("No tumour was found." in result.warnings) == (not result.classes.any())
    no_enhancement = np.where(labels == 3, np.float32(300), array)
    warnings = model.segment(Image(no_enhancement, affine_of(COARSE))).warnings
    assert any("No enhancing" in text for text in warnings) or (labels == 3).sum() == 0


def test_flips_and_ensembles_are_the_mean(tmp_path):
    array, affine = brain((30, 34, 28), COARSE)[0], affine_of(COARSE)
    paths = [random_model(tmp_path / f"{seed}.safetensors", seed) for seed in (1, 2)]
    image = Image(array, affine)
    single = [Segmenter([path], "cpu").segment(image, probabilities=True).probabilities.astype(float) for path in paths]
    both = Segmenter(paths, "cpu").segment(image, probabilities=True)
    np.testing.assert_allclose(both.probabilities, (single[0] + single[1]) / 2, atol=2e-3)
    assert both.model == "by-intensity and 1 more"
    flipped = Segmenter(paths[:1], "cpu", flips=True).segment(image, probabilities=True).probabilities
    assert np.abs(flipped - single[0]).max() > 1e-3


def test_models_that_do_not_go_together_are_refused(tmp_path):
    image = Image(brain((30, 34, 28), COARSE)[0], affine_of(COARSE))
    good = random_model(tmp_path / "good.safetensors")
    teacher = random_model(tmp_path / "t.safetensors", channels=4, description={"modalities": ["t1", "t1ce", "t2", "flair"], "name": "teacher"})
    other = random_model(tmp_path / "o.safetensors", description={"preprocessing": {"preset": "whole-brain", "spacing": 1.0}})
    deeper = random_model(tmp_path / "d.safetensors", levels=4)
    for paths, word in (([], "No model"), ([teacher], "4 modalities"), ([good, other], "differ"), ([good, deeper], "differ"), ([tmp_path / "no"], "cannot be read")):
        with pytest.raises(ModelError, match=word):
            Segmenter(paths, "cpu").segment(image)


def test_unknown_device_is_refused(tmp_path):
    with pytest.raises(DeviceError, match="There is no device cuda:99 here; choose one of auto"):
        Segmenter([random_model(tmp_path / "m.safetensors")], "cuda:99").segment(Image(np.zeros((3, 3, 3)), np.eye(4)))


def test_weights_are_read_once(coarse, monkeypatch):
    array, labels, model = coarse
    model.segment(Image(array, affine_of(COARSE)))
    monkeypatch.setattr(segmenter, "new_runner", None)
    np.testing.assert_array_equal(model.segment(Image(array, affine_of(COARSE))).classes, labels)


@pytest.mark.parametrize("shortage", [False, True])
def test_progress_rises_from_zero_to_one(tmp_path, monkeypatch, shortage):
    real = inference._predict_on

    def refuse_large(networks, x, tile, place, flips, step):
        if np.prod(tile) > 24**3:
            step(0.7)
            raise MemoryError
        return real(networks, x, tile, place, flips, step)

    told, seen = [], []
    if shortage:
        monkeypatch.setattr(inference, "_predict_on", refuse_large)
        monkeypatch.setattr(inference, "_SMALLEST_TILE", 16)
    model = Segmenter([random_model(tmp_path / "m.safetensors", levels=2, skips=1, description=AT_4_MM)], "cpu", on_message=told.append)
    result = model.segment(Image(brain((36, 42, 32), COARSE)[0], affine_of(COARSE)), progress=lambda fraction, stage: seen.append((fraction, stage)))
    fractions = [fraction for fraction, _ in seen]
    assert fractions[0] == 0 and fractions[-1] == 1 and fractions == sorted(fractions)
    assert list(dict.fromkeys(stage for _, stage in seen)) == ["Loading the model", "Preparing the scan", "Segmenting", "Returning to the scan's grid"]
    assert len({fraction for fraction, stage in seen if stage == "Segmenting"}) > 4
    assert bool(told) == shortage and [text for text in told if "tiles" in text] == [text for text in result.warnings if "tiles" in text]


def test_little_memory_is_told_to_the_user(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda device: needed_bytes(24**3, 2, 4) * 2)
    monkeypatch.setattr(inference, "_SMALLEST_TILE", 16)
    told = []
    model = Segmenter([random_model(tmp_path / "m.safetensors", levels=2, skips=1, description=AT_4_MM)], "cpu", on_message=told.append)
    result = model.segment(Image(brain((36, 42, 32), COARSE)[0], affine_of(COARSE)))
    assert len(told) == 1 and told[0] in result.warnings and "working in tiles of" in told[0]


def test_shortage_outside_the_network_is_a_sentence(coarse, monkeypatch):
    def refuse(*_):
        raise MemoryError

    monkeypatch.setattr("KDNetLib.preprocessing.resample", refuse)
    with pytest.raises(DeviceError, match="not enough memory for The image"):
        coarse[2].segment(Image(coarse[0], affine_of(COARSE)))


def test_cancelling_works_in_every_stage(coarse):
    array, _, model = coarse
    for stage in ("Loading the model", "Preparing the scan", "Segmenting", "Returning to the scan's grid"):
        at = []
        with pytest.raises(Cancelled):
            model.segment(Image(array, affine_of(COARSE)), progress=lambda f, s: at.append(s), cancelled=lambda: stage in at)
        assert at[-1] == stage


def test_cancelling_takes_effect_within_a_second(tmp_path):
    """From another thread, with a network of the paper's size over a whole brain of 1 mm.

    Counted in processor time over the threads that torch uses, so that other work on the machine does not count.
    """
    array = brain((144, 176, 144), (1.0, 1.0, 1.0))[0]
    path = random_model(tmp_path / "m.safetensors", width=16, levels=5, skips=4)
    wish, entered, when = threading.Event(), threading.Event(), []

    def ask():
        entered.wait(timeout=120)
        when.append(time.process_time())
        wish.set()

    asking = threading.Thread(target=ask)
    asking.start()
    with pytest.raises(Cancelled):
        segment(path, Image(array, affine_of((1.0, 1.0, 1.0))), progress=lambda f, stage: stage == "Segmenting" and entered.set(), cancelled=wish.is_set)
    took = (time.process_time() - when[0]) / torch.get_num_threads()
    asking.join()
    assert took < 1


def test_volumes_by_hand():
    classes = np.array([[[0, 1, 2, 3, 3]]], dtype=np.uint8)
    affine = oblique(affine_of((1.0, 2.0, 5.0)))
    expected = {"NCR": 0.01, "ED": 0.01, "ET": 0.02, "TC": 0.03, "WT": 0.04}
    assert volumes_ml(classes, affine) == pytest.approx(expected)


def test_refusals_reach_the_caller_before_the_network_runs(coarse, monkeypatch):
    monkeypatch.setattr(segmenter, "Preprocessing", None)
    with pytest.raises(InputError, match="constant"):
        coarse[2].segment(Image(np.ones((5, 5, 5)), np.eye(4)))


def test_a_real_case_is_segmented_on_its_own_grid(tmp_path):
    path = real_file("brats2021/BraTS2021_00495/BraTS2021_00495_t1ce.nii.gz")
    image = read_image(path)
    result = segment(random_model(tmp_path / "m.safetensors", levels=5, skips=4, width=1), image)
    assert result.classes.shape == (240, 240, 155) == image.array.shape
    np.testing.assert_array_equal(result.affine, nibabel.load(path).affine)
    assert not any("skull" in text or "thick" in text or "covers" in text for text in result.warnings)
    saved = save(tmp_path / "again.nii.gz", np.asarray(image.array, dtype=np.float32), image.affine)
    np.testing.assert_array_equal(segment(tmp_path / "m.safetensors", read_image(saved)).classes, result.classes)


def test_a_real_whole_head_is_warned_of_and_segmented(tmp_path):
    image = read_image(real_file("clinical/TCGA-FG-6692/TCGA-FG-6692_t1c.nii.gz"))
    result = segment(random_model(tmp_path / "m.safetensors", levels=5, skips=4, width=1), image)
    assert result.classes.shape == image.array.shape == (256, 224, 26)
    assert any("does not look skull-stripped" in text for text in result.warnings)
    assert any("thick" in text for text in result.warnings)
    assert dataclasses.is_dataclass(result)
