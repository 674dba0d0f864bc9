"""Numberings of the tumour labels, by the editions' own naming."""

import numpy as np
import pytest

from KDNetLib.errors import InputError
from KDNetLib.labels import CONVENTIONS, LABELS, REGIONS, VOLUME_KEYS, convention_of, decided, from_classes, to_classes


@pytest.mark.parametrize(
    ("convention", "values", "classes"),
    [
        ("1/2/4", [0, 1, 2, 4], [0, 1, 2, 3]),
        ("1/2/3", [0, 1, 2, 3], [0, 1, 2, 3]),
        ("1/2/3/4", [0, 1, 2, 3, 4], [0, 1, 2, 3, 0]),
        ("msd", [0, 1, 2, 3], [0, 2, 1, 3]),
    ],
)
@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.float64, ">i2"])
def test_file_values_become_classes(convention, values, classes, kind):
    result = to_classes(np.array(values, dtype=kind).reshape(1, 1, -1), convention)
    assert result.dtype == np.uint8 and result.ravel().tolist() == classes


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("value", [5, -1, 1.5, np.nan, 255])
def test_unknown_values_are_named(convention, value):
    with pytest.raises(InputError, match=f"value.*{value:g}.*{convention}"):
        to_classes(np.array([0, 1, value]), convention)


def test_classes_and_brats_values_are_inverse():
    classes = np.array([[[0, 1, 2, 3]]], dtype=np.uint8)
    values = from_classes(classes)
    assert values.dtype == np.uint8 and values.ravel().tolist() == [0, 1, 2, 4]
    assert np.array_equal(to_classes(values, "1/2/4"), classes)


def test_regions_are_those_of_brats():
    """ET = 4; TC = NCR + ET; WT = all three (Menze et al. 2015), in class indices."""
    assert {label.key: label.index for label in LABELS} == {"NCR": 1, "ED": 2, "ET": 3}
    assert {key: set(indices) for key, indices in REGIONS.items()} == {"ET": {3}, "TC": {1, 3}, "WT": {1, 2, 3}}
    assert set(VOLUME_KEYS) == {label.key for label in LABELS} | set(REGIONS)


@pytest.mark.parametrize(
    ("name", "values", "convention"),
    [
        ("Brats18_CBICA_AAB_1_seg.nii.gz", [1, 2, 4], "1/2/4"),
        ("BraTS19_2013_0_1_seg.nii.gz", [1, 2], "1/2/4"),
        ("BraTS20_Training_001_seg.nii", [1, 2, 4], "1/2/4"),
        ("BraTS2021_00495_seg.nii.gz", [], "1/2/4"),
        ("BraTS-GLI-00000-000-seg.nii.gz", [1, 2, 3], "1/2/3"),
        ("BraTS-GLI-00000-000-seg.nii.gz", [1, 2], "1/2/3"),
        ("BraTS-GLI-02062-100-seg.nii.gz", [1, 2, 3, 4], "1/2/3/4"),
        ("BraTS-GLI-02062-100-seg.nii.gz", [2, 4], "1/2/3/4"),
        ("BRATS_001.nii.gz", [1, 2, 3], "msd"),
        ("case_t1ce_kdnet-seg.nii.gz", [1, 2], "1/2/4"),
        ("my_labels.nii.gz", [1, 2, 3], "1/2/3"),
        ("my_labels.nii.gz", [1, 2, 4], "1/2/4"),
        ("my_labels.nii.gz", [1, 2], "1/2/4"),
    ],
)
def test_naming_tells_the_numbering(name, values, convention):
    assert convention_of(name, np.array(values, dtype=np.int32)) == convention


def test_regions_are_decided_from_the_outermost_in():
    by_hand = {
        (0.6, 0.2, 0.1, 0.1): 0,
        (0.5, 0.25, 0.0, 0.25): 0,  # as probable as tumour
        (0.4, 0.3, 0.1, 0.2): 1,  # tumour, core, necrotic
        (0.4, 0.0, 0.35, 0.25): 2,  # tumour, though background is the most probable class
        (0.0, 0.25, 0.5, 0.25): 2,  # edema is as probable as core
        (0.1, 0.25, 0.4, 0.25): 1,  # core, though edema is more probable than either of its classes
        (0.1, 0.2, 0.4, 0.3): 3,
        (0.0, 0.0, 0.0, 1.0): 3,
    }
    np.testing.assert_array_equal(decided(np.array(list(by_hand), dtype=np.float32).T), list(by_hand.values()))


@pytest.mark.parametrize("shape", [(), (7,), (3, 4, 5)])
def test_a_class_of_more_than_a_half_is_decided_for(shape):
    probabilities = np.random.default_rng(0).dirichlet((0.3, 0.3, 0.3, 0.3), (50, *shape))
    clear = probabilities.max(axis=-1) > 0.5
    found = decided(np.moveaxis(probabilities, -1, 0))
    assert found.dtype == np.uint8 and found.shape == clear.shape
    np.testing.assert_array_equal(found[clear], probabilities.argmax(axis=-1)[clear])


def test_three_and_four_without_naming_ask_the_user():
    with pytest.raises(InputError, match="my_labels.nii.gz holds both 3 and 4"):
        convention_of("my_labels.nii.gz", [1, 2, 3, 4])
