"""Specks of enhancing tumour: by hand, and through the segmenter with a network whose answer is known."""

import numpy as np
import pytest

from engine.generated import CLASS_LEVELS, affine_of, brain, intensity_model
from KDNetLib.errors import ModelError
from KDNetLib.image_io import Image
from KDNetLib.manifest import read_manifest
from KDNetLib.model_card import model_card
from KDNetLib.model_store import fingerprint
from KDNetLib.postprocessing import remove_specks
from KDNetLib.segmenter import Segmenter

COARSE = (4.0, 4.0, 4.0)  # a voxel is 0.064 ml


def test_less_than_the_limit_becomes_core_and_nothing_else_changes():
    classes = np.array([0, 1, 2, 3, 3, 3], dtype=np.uint8).reshape(1, 2, 3)
    for limit, expected in ((0.0, [3, 3, 3]), (0.19, [3, 3, 3]), (0.193, [1, 1, 1])):
        found = classes.copy()
        assert remove_specks(found, affine_of(COARSE), limit) == (expected == [1, 1, 1])
        assert found.ravel().tolist() == [0, 1, 2, *expected]
    assert not remove_specks(classes[:, :1], affine_of(COARSE), 1.0), "where there is none, nothing is done"


@pytest.mark.parametrize("limit", [0.1, 0.3])
def test_the_segmenter_obeys_the_model_and_says_so(tmp_path, limit):
    array, labels = brain((36, 42, 32), COARSE)
    all_but_three = np.flatnonzero(labels == 3)[:-3]
    labels.ravel()[all_but_three], array.ravel()[all_but_three] = 1, CLASS_LEVELS[0]
    path = intensity_model(tmp_path / "m.safetensors", array, COARSE, 4.0, least_enhancing_ml=limit)
    result = Segmenter([path], "cpu").segment(Image(array, affine_of(COARSE)))
    if limit == 0.1:
        np.testing.assert_array_equal(result.classes, labels)
        assert result.warnings == []
    else:
        np.testing.assert_array_equal(result.classes, np.where(labels == 3, 1, labels))
        (warning,) = result.warnings
        assert result.volumes_ml["ET"] == 0 and result.promised["ET"] == 0 < result.promised["TC"] and "less than 0.3 ml of enhancing tumour" in warning
    assert f"less than {limit} ml in all counts as necrotic core" in model_card(read_manifest(path))


def test_models_with_other_limits_are_other_models(tmp_path):
    array = brain((36, 42, 32), COARSE)[0]
    paths = [intensity_model(tmp_path / f"{limit}.safetensors", array, COARSE, 4.0, least_enhancing_ml=limit) for limit in (0.0, 0.2)]
    assert fingerprint(paths[1:]) == f"{fingerprint(paths[:1])} 0.2 ml"
    with pytest.raises(ModelError, match="differ in input, preprocessing or output"):
        Segmenter(paths, "cpu").segment(Image(array, affine_of(COARSE)))


@pytest.mark.parametrize("limit", [-0.1, 2.1, "0.2", True, None])
def test_a_limit_that_is_none_is_refused(tmp_path, limit):
    with pytest.raises(ModelError, match="least_enhancing_ml is not a volume"):
        intensity_model(tmp_path / "m.safetensors", brain((36, 42, 32), COARSE)[0], COARSE, 4.0, least_enhancing_ml=limit)
