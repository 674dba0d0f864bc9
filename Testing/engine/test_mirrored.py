"""Models that are applied to the scan and its mirror image: left and right exchanged, however the file stores its axes."""

import numpy as np
import pytest

from engine.generated import affine_of, brain, random_model
from KDNetLib.errors import ModelError
from KDNetLib.image_io import Image
from KDNetLib.manifest import read_manifest
from KDNetLib.model_card import model_card
from KDNetLib.model_file import load_model
from KDNetLib.model_store import fingerprint
from KDNetLib.segmenter import Segmenter

COARSE = (4.0, 4.0, 4.0)


@pytest.fixture
def models(tmp_path):
    """The same network, applied once and mirrored."""
    return [random_model(tmp_path / f"{mirrored}.safetensors", 3, {"mirrored": mirrored}) for mirrored in (False, True)]


def probabilities_of(path, image):
    return Segmenter([path], "cpu").segment(image, probabilities=True).probabilities.astype(np.float32)


def test_the_probabilities_are_the_mean_of_the_scans_and_its_mirror_images(models):
    array = brain((32, 40, 24), COARSE)[0]  # sides that need no padding, so that the mirror image lies on the same grid
    once, mirrored = models
    alone = probabilities_of(once, Image(array, affine_of(COARSE)))
    other = np.flip(probabilities_of(once, Image(array[::-1].copy(), affine_of(COARSE))), 1)
    found = probabilities_of(mirrored, Image(array, affine_of(COARSE)))
    brain_voxels = array != 0
    np.testing.assert_allclose(found[:, brain_voxels], ((alone + other) / 2)[:, brain_voxels], atol=2e-3)  # half precision
    assert np.abs(found - alone)[:, brain_voxels].max() > 0.01


def test_left_and_right_are_told_by_the_affine(models):
    """The same head, stored as (superior, left, anterior)."""
    array, affine = brain((32, 40, 24), COARSE)[0], affine_of(COARSE)
    stored = np.ascontiguousarray(array.transpose(2, 0, 1)[:, ::-1])
    turned = affine @ np.array([[0, -1, 0, 31], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    found = Segmenter([models[1]], "cpu").segment(Image(stored, turned)).classes
    np.testing.assert_array_equal(found[:, ::-1].transpose(1, 2, 0), Segmenter([models[1]], "cpu").segment(Image(array, affine)).classes)


def test_a_mirrored_model_is_another_one_and_its_card_says_so(models):
    once, mirrored = models
    assert fingerprint([mirrored]) == fingerprint([once]) + " mirrored"
    assert "Applied to:** the scan and its mirror image" in model_card(read_manifest(mirrored))
    assert "Applied to:** the scan\n" in model_card(load_model(once)[1])
    with pytest.raises(ModelError, match="differ in input, preprocessing or output"):
        Segmenter(models, "cpu").segment(Image(brain((32, 40, 24), COARSE)[0], affine_of(COARSE)))


@pytest.mark.parametrize("wrong", [1, "yes", None])
def test_what_is_neither_true_nor_false_is_refused(tmp_path, wrong):
    with pytest.raises(ModelError, match="mirrored is neither true nor false"):
        random_model(tmp_path / "m.safetensors", description={"mirrored": wrong})
