"""To the network's grid and back: nothing lost, nothing moved, and the paper's crop exactly."""

import nibabel
import numpy as np
import pytest

from engine.generated import ORIENTATIONS, affine_of, brain, by_nested_regions, dice, oblique, reoriented
from KDNetLib.errors import InputError
from KDNetLib.preprocessing import Preprocessing


def one_hot(classes, count=4):
    return np.moveaxis(np.eye(count, dtype=np.float32)[classes], -1, 0).copy()


def there_and_back(array, labels, affine, preprocessing=None, divisor=8):
    prepared = (preprocessing or Preprocessing()).prepare([array], affine, divisor)
    return prepared, prepared.restore(one_hot(prepared.labels_like_input(labels)))[0]


def test_paper_preset_is_the_central_crop_averaged_two_by_two_by_two():
    """On BraTS's grid: LPS, 240×240×155 at 1 mm; against plain numpy."""
    array = brain((240, 240, 155), (1, 1, 1))[0]
    lps = np.diag([-1.0, -1, 1, 1])
    lps[1, 3] = 239
    tensor = Preprocessing("paper", 2.0).prepare([array], lps, 16).array
    crop = array[::-1, ::-1].astype(np.float64)[56:184, 56:184, 13:141]
    z = np.where(crop != 0, (crop - crop[crop != 0].mean()) / crop[crop != 0].std(), 0)
    assert tensor.shape == (1, 64, 64, 64)
    np.testing.assert_allclose(tensor[0], z.reshape(64, 2, 64, 2, 64, 2).mean(axis=(1, 3, 5)), atol=1e-5)


def test_z_score_over_nonzero_voxels_only():
    array = brain()[0]
    tensor = Preprocessing().prepare([array], affine_of()).array[0]
    used = [np.flatnonzero(array.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    box = array[tuple(slice(index[0], index[-1] + 1) for index in used)].astype(np.float64)
    assert tensor.shape == box.shape
    np.testing.assert_allclose(tensor, np.where(box != 0, (box - array[array != 0].mean()) / array[array != 0].std(), 0), atol=1e-4)


@pytest.mark.parametrize(("permutation", "flips"), ORIENTATIONS)
def test_any_orientation_gives_one_input_and_goes_back_in_place(permutation, flips):
    array, labels = brain((30, 36, 28), (4.0, 4.0, 4.0))
    affine = affine_of((4.0, 4.0, 4.0))
    expected = Preprocessing("whole-brain", 4.0).prepare([array], affine, 8).array
    turned, turned_affine = reoriented(array, affine, permutation, flips)
    turned_labels, _ = reoriented(labels, affine, permutation, flips)
    prepared, back = there_and_back(turned, turned_labels, turned_affine, Preprocessing("whole-brain", 4.0))
    # An odd number of padded voxels cannot lie the same on both sides, so where it is odd the tensors are mirrored.
    assert prepared.array.shape == expected.shape
    np.testing.assert_allclose(np.sort(prepared.array.ravel()), np.sort(expected.ravel()), atol=1e-5)
    np.testing.assert_array_equal(back, turned_labels)


def test_the_network_sees_ras():
    """The corner nearest to right-anterior-superior of the scan is the tensor's last."""
    array = np.zeros((8, 8, 8), dtype=np.float32)
    array[...] = 1
    marked = array.copy()
    marked[-1, -1, -1] = 50
    for permutation, flips in ORIENTATIONS:
        turned, affine = reoriented(marked, affine_of(), permutation, flips)
        assert nibabel.aff2axcodes(affine_of()) == ("R", "A", "S")
        tensor = Preprocessing().prepare([turned], affine).array[0]
        assert np.unravel_index(int(tensor.argmax()), tensor.shape) == (7, 7, 7)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.5, 0.5, 0.5), (0.9, 0.9, 5.5), (7, 1, 1), (1.3, 2.7, 0.86), (3, 3, 3)])
@pytest.mark.parametrize("turned", [False, True])
def test_markers_come_back_at_their_voxel(spacing, turned):
    """A block of six steps keeps its centre to within a third of the coarser grid's step."""
    shape = tuple(int((90 if min(spacing) > 0.5 else 55) / step) for step in spacing)
    affine = oblique(affine_of(spacing)) if turned else affine_of(spacing)
    array = np.ones(shape, dtype=np.float32)
    rng = np.random.default_rng(3)
    coarsest = max(2.0, *spacing)
    for _ in range(3):
        low = [int(rng.integers(n // 4, n // 2)) for n in shape]
        place = tuple(slice(start, start + max(1, round(6 * coarsest / step))) for start, step in zip(low, spacing))
        labels = np.zeros(shape, dtype=np.uint8)
        labels[place] = 2
        prepared, back = there_and_back(array, labels, affine)
        assert back.shape == shape and set(np.unique(back)) == {0, 2}
        moved = (np.argwhere(back == 2).mean(axis=0) - np.argwhere(labels == 2).mean(axis=0)) * spacing
        assert np.abs(moved).max() < coarsest / 3
        assert dice(back == 2, labels == 2) > 0.75


@pytest.mark.parametrize("divisor", [1, 16])
@pytest.mark.parametrize("spacing", [0.5, 0.7, 0.86, 0.9, 1, 1.3, 1.5, 1.9, 2, 2.3, 3, 5.5, 7])
def test_no_voxel_of_the_box_falls_outside(spacing, divisor):
    for count in range(20, 100, 7):
        array = np.zeros((count + 2, 6, 6), dtype=np.float32)
        array[1:-1] = 1
        prepared = Preprocessing().prepare([array], affine_of((spacing, 2, 2)), divisor)
        everywhere = np.zeros((4, *prepared.array.shape[1:]), np.float32)
        everywhere[1] = 1
        classes, probabilities = prepared.restore(everywhere, keep=True)
        assert (classes == (array != 0)).all(), f"{count} voxels"
        np.testing.assert_allclose(probabilities.astype(float).sum(axis=0), 1, atol=1e-3)


def test_tumour_at_the_brains_edge_is_inside():
    array, labels = brain()
    edge = np.argwhere(array != 0)
    for point in (edge.min(axis=0), edge.max(axis=0)):
        for axis in range(3):
            at = edge[edge[:, axis] == point[axis]][0]
            marked = np.zeros_like(labels)
            marked[tuple(at)] = 3
            _, back = there_and_back(array, marked, affine_of())
            assert back[tuple(at)] == 3


def test_probabilities_are_kept_on_the_scans_grid():
    array, labels = brain()
    turned, affine = reoriented(array, affine_of(), (2, 0, 1), (True, False, True))
    turned_labels, _ = reoriented(labels, affine_of(), (2, 0, 1), (True, False, True))
    prepared = Preprocessing().prepare([turned], affine, 8)
    classes, kept = prepared.restore(one_hot(prepared.labels_like_input(turned_labels)), keep=True)
    assert kept.dtype == np.float16 and kept.shape == (4, *turned.shape)
    np.testing.assert_array_equal(kept.argmax(axis=0), classes)
    np.testing.assert_array_equal(classes, turned_labels)
    assert (kept[0][turned == 0].mean(), kept[0].min()) == (1, 0)


def test_slabs_do_not_show(monkeypatch):
    array, labels = brain((40, 40, 40))
    whole = there_and_back(array, labels, affine_of((1.1, 1.1, 1.1)))[1]
    monkeypatch.setattr("KDNetLib.preprocessing._SLAB_VOXELS", 3000)
    np.testing.assert_array_equal(there_and_back(array, labels, affine_of((1.1, 1.1, 1.1)))[1], whole)


@pytest.mark.parametrize("shape", [(2, 2, 2), (3, 40, 5), (64, 2, 2), (33, 17, 16)])
def test_sides_are_multiples_of_the_divisor_and_at_least_twice(shape):
    array = np.random.default_rng(0).uniform(1, 2, shape).astype(np.float32)
    sides = np.array(Preprocessing().prepare([array], affine_of(), 16).array.shape[1:])
    assert (sides % 16 == 0).all() and (sides >= 32).all() and (sides >= shape).all()


def test_an_empty_channel_among_several_stays_zero():
    array = brain()[0]
    turned, affine = reoriented(array, affine_of(), (0, 1, 2), (True, True, False))
    tensor = Preprocessing().prepare([turned, reoriented(np.zeros_like(array), affine_of(), (0, 1, 2), (True, True, False))[0]], affine).array
    assert tensor[0].any() and not tensor[1].any()


def test_a_centre_without_brain_is_refused():
    array = np.zeros((200, 200, 200), dtype=np.float32)
    array[:20, :20, :20] = 5
    with pytest.raises(InputError, match="empty"):
        Preprocessing("paper", 2.0).prepare([array], np.eye(4), 16)


@pytest.mark.parametrize("wrong", [{"preset": "half"}, {"preset": ["paper"]}, {"spacing": 0.4}, {"spacing": 9}, {"spacing": True}, {"spacing": "2"}, {"spacing": float("nan")}])
def test_unknown_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Preprocessing(**wrong)


def test_zero_voxels_are_never_labelled():
    scan = np.zeros((20, 24, 22), dtype=np.float32)
    scan[2:18, 3:21, 4:18] = np.random.default_rng(0).normal(100, 10, (16, 18, 14))
    scan[8:11, 9:12, 10:13] = 0
    prepared = Preprocessing("whole-brain", 2.0).prepare([scan], np.diag([1.0, 1, 1, 1]), 8)
    certain = np.zeros((4, *prepared.array.shape[1:]), np.float32)
    certain[3] = 1
    classes, probabilities = prepared.restore(certain, keep=True)
    assert np.array_equal(classes == 3, scan != 0)
    assert np.array_equal(probabilities[0] == 1, scan == 0)


def restored_densely(prepared, probabilities, scan, affine):
    """What ``restore`` must give, by full matrices in float64 over every voxel; and by how much each was decided."""
    to_ras = nibabel.io_orientation(affine)
    turned = nibabel.apply_orientation(scan, to_ras)
    dense = np.einsum("cxyz,ax,by,dz->cabd", probabilities.astype(float), *(w.astype(float) for w in prepared._grid.weights_back()), optimize=True)
    used = turned[prepared._box] != 0
    classes, margin = np.zeros(turned.shape, dtype=np.uint8), np.ones(turned.shape)
    decided, by_how_much = by_nested_regions(dense)
    classes[prepared._box] = np.where(used, decided, 0)
    margin[prepared._box] = np.where(used, by_how_much, 1)
    back = nibabel.orientations.ornt_transform(np.array([[0, 1], [1, 1], [2, 1]]), to_ras)
    return nibabel.apply_orientation(classes, back), nibabel.apply_orientation(margin, back)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (2, 2, 2), (1, 1, 3), (0.9, 1.3, 2), (3, 3, 3)])
@pytest.mark.parametrize("network_spacing", [1.0, 2.0])
@pytest.mark.parametrize("order", [0, 19, 46])
@pytest.mark.parametrize("slab", [600, 10**6])
def test_restoring_few_voxels_gives_what_comparing_all_does(monkeypatch, spacing, network_spacing, order, slab):
    """Eighths as shares, so that ties are many."""
    monkeypatch.setattr("KDNetLib.preprocessing._SLAB_VOXELS", slab)
    rng = np.random.default_rng(order)
    scan = np.zeros((19, 16, 17), dtype=np.float32)
    scan[2:16, 3:16, 1:14] = rng.uniform(1, 2, (14, 13, 13)) * (rng.random((14, 13, 13)) < 0.9)
    scan, affine = reoriented(scan, affine_of(spacing), *ORIENTATIONS[order])
    prepared = Preprocessing("whole-brain", network_spacing).prepare([scan], affine, 8)
    probabilities = np.moveaxis(rng.multinomial(8, (0.4, 0.2, 0.2, 0.2), prepared.array.shape[1:]) / 8, -1, 0).astype(np.float32, order="C")
    before = probabilities.copy()
    classes, kept = prepared.restore(probabilities, keep=True)
    expected, margin = restored_densely(prepared, probabilities, scan, affine)
    if set(spacing) == {network_spacing}:
        assert (margin == 0).mean() > 0.01
        np.testing.assert_array_equal(classes, expected)
    else:
        assert (margin > 1e-5).mean() > 0.8  # where two classes are equal, rounding decides
        np.testing.assert_array_equal(classes[margin > 1e-5], expected[margin > 1e-5])
    assert classes.dtype == np.uint8 and classes.shape == kept.shape[1:] == scan.shape
    np.testing.assert_array_equal(classes[margin > 2e-3], by_nested_regions(kept.astype(float))[0][margin > 2e-3])
    assert np.array_equal(probabilities, before), "what was given is left as it is"


@pytest.mark.parametrize("spacing", [(1, 1, 1), (1, 1, 3), (0.9, 1.3, 2), (3, 3, 3)])
@pytest.mark.parametrize("network_spacing", [1.0, 2.0])
@pytest.mark.parametrize("order", [0, 19, 46])
def test_a_tumour_amid_the_brain_is_brought_back_without_the_rest(spacing, network_spacing, order):
    """Where only labels are wanted nothing is computed beyond the tumour's box, wherever in the brain it lies."""
    rng = np.random.default_rng(order)
    scan = np.zeros((24, 21, 22), dtype=np.float32)
    scan[2:22, 1:20, 3:20] = rng.uniform(1, 2, (20, 19, 17))
    scan, affine = reoriented(scan, affine_of(spacing), *ORIENTATIONS[order])
    prepared = Preprocessing("whole-brain", network_spacing).prepare([scan], affine, 2)
    probabilities = np.zeros((4, *prepared.array.shape[1:]), dtype=np.float32)
    tumour = tuple(slice(start, start + 1 + side // 4) for start, side in zip((3, 2, 4), prepared.array.shape[1:]))
    shares = rng.dirichlet((0.5, 1, 1, 1), [side.stop - side.start for side in tumour])
    probabilities[(slice(1, None), *tumour)] = np.moveaxis(shares, -1, 0)[1:]
    probabilities[0] = 1 - probabilities[1:].sum(axis=0)
    classes, _ = prepared.restore(probabilities)
    expected, margin = restored_densely(prepared, probabilities, scan, affine)
    assert classes.any() and (margin > 1e-5).mean() > 0.9
    np.testing.assert_array_equal(classes[margin > 1e-5], expected[margin > 1e-5])
