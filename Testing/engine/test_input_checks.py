"""What is warned of, and what a brain mask does."""

import re

import numpy as np
import pytest

from engine.generated import affine_of, brain
from engine.generated_images import WARNED_IMAGES, small_scan
from KDNetLib.errors import InputError
from KDNetLib.image_io import Image
from KDNetLib.input_checks import result_warnings, usable_image


def test_a_good_scan_passes_unchanged_and_without_warning():
    array = brain()[0]
    usable, warnings = usable_image(Image(array, affine_of()))
    assert warnings == [] and usable.array.dtype == np.float32
    np.testing.assert_array_equal(usable.array, array)
    np.testing.assert_array_equal(usable.affine, affine_of())


@pytest.mark.parametrize("kind", [np.uint8, ">i2", np.int64, np.uint64, np.float16, np.float64, np.longdouble])
def test_every_real_type_passes(kind):
    array = brain()[0].round().clip(0, 250)
    usable, warnings = usable_image(Image(array.astype(kind), affine_of()))
    assert warnings == []
    np.testing.assert_array_equal(usable.array, array)


@pytest.mark.parametrize("what", WARNED_IMAGES)
def test_warning_is_a_sentence_and_the_work_goes_on(what):
    make, word = WARNED_IMAGES[what]
    usable, warnings = usable_image(Image(*make()))
    assert len([text for text in warnings if word in text]) == 1
    assert all(text.endswith(".") and not re.search(r"[.!?] [A-Z]", text) for text in warnings)
    assert np.isfinite(usable.array).all() and usable.array.any()


def test_nan_counts_as_background_and_their_share_is_told():
    array = brain()[0]
    array[35, :, :] = np.nan
    usable, warnings = usable_image(Image(array, affine_of()))
    assert not usable.array[35].any()
    assert f"{100 / 70:.2g} %" in warnings[0]


def test_nan_is_background_whatever_number_the_background_has():
    for where in ((35, 40, 32), (0, 0, 0), (slice(None), 0, slice(None))):
        array = brain()[0]
        array[array == 0] = -1024
        array[where] = np.nan
        usable, warnings = usable_image(Image(array, affine_of()))
        assert not usable.array[where].any() and usable.array[0, 1, 0] == 0 and "-1024 instead of 0" in warnings[1]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_one_voxel_that_is_not_finite_in_float32_is_found(value):
    array = brain()[0].astype(np.float64)
    array[35, 40, 32] = value
    usable, warnings = usable_image(Image(array, affine_of()))
    assert usable.array[35, 40, 32] == 0 and "NaN or infinite" in warnings[0]


def test_what_float32_cannot_tell_apart_is_constant():
    array = np.ones((8, 8, 8))
    array[0, 0, 0] += 1e-12
    with pytest.raises(InputError, match=r"constant \(every voxel is 1\)"):
        usable_image(Image(array, affine_of()))


def test_negative_background_becomes_zero_and_the_brain_keeps_its_contrast():
    array = brain()[0]
    shifted = np.where(array == 0, np.float32(-1024), array - 1024)
    np.testing.assert_allclose(usable_image(Image(shifted, affine_of()))[0].array, array, atol=1e-3)


def test_brain_mask_silences_the_warning_it_answers():
    array, labels = brain()
    head = np.where(array == 0, np.float32(40), array) + np.linspace(0, 1, array.size).reshape(array.shape)
    assert "skull-stripped" in usable_image(Image(head, affine_of()))[1][0]
    usable, warnings = usable_image(Image(head, affine_of()), (array != 0).astype(np.int16) * 7)
    assert warnings == []
    assert np.array_equal(usable.array != 0, array != 0)


def test_unusable_masks_are_refused():
    array, _, affine = small_scan()
    with pytest.raises(InputError, match="mask has 3×3×3 voxels and the scan has 30×36×24"):
        usable_image(Image(array, affine), np.ones((3, 3, 3)))
    with pytest.raises(InputError, match="covers no voxel"):
        usable_image(Image(array, affine), np.zeros(array.shape))


@pytest.mark.parametrize(
    ("affine", "word"),
    [(np.zeros((4, 4)), "degenerate"), (np.eye(3), "no valid affine"), (np.full((4, 4), np.nan), "no valid affine"), (np.diag([60.0, 1, 1, 1]), "60 mm")],
)
def test_affines_from_memory_are_checked_too(affine, word):
    with pytest.raises(InputError, match=word):
        usable_image(Image(small_scan()[0], affine))


@pytest.mark.parametrize("array", [np.zeros((4, 4, 4), dtype=complex), np.full((4, 4, 4), "a"), np.zeros((4, 4, 4, 3)), np.zeros((4, 4))])
def test_arrays_from_memory_are_checked_too(array):
    with pytest.raises(InputError, match="The image"):
        usable_image(Image(array, np.eye(4)))


def test_result_warnings():
    classes = np.zeros((3, 3, 3), dtype=np.uint8)
    assert "No tumour" in result_warnings(classes)[0]
    classes[0] = 2
    assert "No enhancing" in result_warnings(classes)[0]
    classes[1] = 3
    assert result_warnings(classes) == []
