"""What is drawn for a sample's geometry, and the changes of intensity: strengths, distributions, and the background at zero."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from engine.generated import brain
from KDNetTrainingLib.data import augmentation
from KDNetTrainingLib.data.augmentation import PRESETS, draw_geometry, vary_intensities

EXTENT = (128, 160, 128)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def scan(modalities=2):
    """A z-scored brain (M, X, Y, Z) with zeros around."""
    array = brain((32, 40, 24), (4.0, 4.0, 4.0))[0]
    inside = array != 0
    array = np.where(inside, (array - array[inside].mean()) / array[inside].std(), 0)
    return torch.from_numpy(np.stack([array] * modalities)).float()


def test_paper_preset_draws_flips_only_each_for_half_of_the_samples():
    drawn = [draw_geometry(PRESETS["paper"], EXTENT, seeded(seed)) for seed in range(400)]
    assert all(each.linear is None and each.knots is None for each in drawn) and not PRESETS["paper"].intensity
    counts = [sum(axis in each.flipped for each in drawn) for axis in range(3)]
    assert all(160 < count < 240 for count in counts)  # 4 standard deviations
    assert len({each.flipped for each in drawn}) == 8


def test_strong_preset_turns_scales_and_bends_within_its_strengths():
    drawn = [draw_geometry(PRESETS["strong"], EXTENT, seeded(seed)) for seed in range(400)]
    linear = np.array([each.linear.numpy() for each in drawn if each.linear is not None], dtype=float)
    scales = np.cbrt(np.linalg.det(linear))
    rotations = linear / scales[:, None, None]
    np.testing.assert_allclose(rotations @ rotations.transpose(0, 2, 1), np.broadcast_to(np.eye(3), rotations.shape), atol=1e-5)
    assert 0.85 <= scales.min() < 0.87 and 1.13 < scales.max() <= 1.15
    degrees = np.rad2deg(np.arccos(np.clip((np.trace(rotations, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert 45 < degrees.max() <= 45 * np.sqrt(3) + 0.01, "each of three axes up to 45 degrees"
    assert 0.67 < len(linear) / 400 < 0.83, "three of four are turned, scaled or both"
    knots = [each.knots for each in drawn if each.knots is not None]
    assert 0.2 < len(knots) / 400 < 0.4 and knots[0].shape == (3, 5, 6, 5)
    assert torch.cat([each.flatten() for each in knots]).std().item() == pytest.approx(3, rel=0.02)


def test_bending_does_not_fold_the_brain():
    """Two voxels that lie side by side keep their order along every axis: displacements change by less than a step per step."""
    worst = 0.0
    for seed in range(30):
        knots = draw_geometry(augmentation.Augmentation(elastic=3.0), EXTENT, seeded(seed)).knots
        if knots is not None:
            field = torch.nn.functional.interpolate(knots[None], size=EXTENT, mode="trilinear", align_corners=True)[0]
            worst = max(worst, *(float(field[axis].diff(dim=axis).abs().max()) for axis in range(3)))
    assert 0.1 < worst < 1


def test_every_change_of_intensity_leaves_the_background_at_zero_and_differs_between_modalities():
    images = scan()
    brain_voxels = images != 0
    for seed in range(30):
        varied = vary_intensities(images, seeded(seed))
        assert torch.isfinite(varied).all() and not varied[~brain_voxels].any()
        assert not torch.equal(varied[0], varied[1]) and not torch.equal(varied, images)
        assert torch.equal(varied, vary_intensities(images, seeded(seed)))


def test_a_bias_field_varies_brightness_smoothly_and_keeps_mean_and_spread():
    image = scan(1)[0]
    inside = image != 0
    changed = augmentation._biased(image, inside, seeded(1))
    assert changed[inside].mean().item() == pytest.approx(0, abs=1e-4) and changed[inside].std(correction=0).item() == pytest.approx(1, abs=1e-3)
    # Brightness divided by brightness is the field, up to the factor and the offset of the second z-score.
    field = augmentation._smooth(image.shape, 3, seeded(1), image.device)
    expected = (image[inside] + 3) * (0.25 * field[inside]).exp()
    assert torch.corrcoef(torch.stack([changed[inside], expected]))[0, 1].item() == pytest.approx(1, abs=1e-5)
    assert field.diff(dim=0).abs().max() < 0.5 and field.std() > 0.2


def test_another_weighting_mixes_what_the_agent_did_and_t2_into_the_t1ce_alone():
    rng = np.random.default_rng(0)
    inside = scan(1)[0].numpy() != 0
    images = torch.from_numpy(np.where(inside, rng.normal(size=(4, *inside.shape)), 0)).float()
    mixtures = []
    for seed in range(200):
        varied = augmentation.vary_weighting(images, seeded(seed))
        assert torch.equal(varied[[0, 2, 3]], images[[0, 2, 3]]) and not varied[1][~inside].any()
        values = varied[1].numpy()[inside].astype(float)
        assert values.mean() == pytest.approx(0, abs=1e-4) and values.std() == pytest.approx(1, abs=1e-3)
        t1, t1ce, t2, flair, shift = np.linalg.lstsq(np.column_stack([*images.numpy()[:, inside], np.ones(inside.sum())]), values, rcond=None)[0]
        assert flair == pytest.approx(0, abs=1e-5)
        mixtures.append((t1ce / (t1 + t1ce), -t2 / (t1 + t1ce)))  # the z-score's factor is the sum
    dose, weighting = np.transpose(mixtures)
    assert 0.5 <= dose.min() < 0.52 and 1.48 < dose.max() < 1.501 and dose.mean() == pytest.approx(1, abs=0.1)
    assert -0.201 < weighting.min() < -0.18 and 0.48 < weighting.max() < 0.501 and weighting.mean() == pytest.approx(0.15, abs=0.07)


def test_pieces_of_skull_lie_outside_the_brain_alike_in_every_modality():
    images = torch.nn.functional.pad(scan(3), [6] * 6)
    inside = (images != 0).any(dim=0)
    left = augmentation.leave_skull(images, seeded(0))
    pieces = (left != 0).any(dim=0) & ~inside
    assert 0.1 < pieces.sum() / (augmentation._dilated(inside, 4) & ~augmentation._dilated(inside, 1)).sum() < 0.5
    distances = ndimage.distance_transform_cdt(~inside.numpy(), metric="chessboard")[pieces.numpy()]
    assert set(distances) == {2, 3, 4}
    for before, after in zip(images, left):
        assert len(after[pieces].unique()) == 1
        both = after[pieces | inside]
        assert both.mean().item() == pytest.approx(0, abs=1e-3) and both.std(correction=0).item() == pytest.approx(1, abs=1e-3)
        assert torch.corrcoef(torch.stack([before[inside], after[inside]]))[0, 1].item() == pytest.approx(1, abs=1e-5)
    assert torch.equal(left, augmentation.leave_skull(images, seeded(0))) and not augmentation.leave_skull(torch.zeros(2, 8, 8, 8), seeded(0)).any()


def test_images_without_a_voxel_stay_so():
    assert all(not vary_intensities(torch.zeros(4, 8, 8, 8), seeded(seed)).any() for seed in range(20))


def test_gamma_keeps_order_mean_and_spread():
    image = scan(1)[0]
    inside = image != 0
    changed = augmentation._gamma(image, inside, 1.3)[inside]
    assert changed.mean().item() == pytest.approx(0, abs=1e-4) and changed.std(correction=0).item() == pytest.approx(1, abs=1e-3)
    assert (changed[image[inside].argsort()].diff() > -1e-5).all()
    assert (changed - image[inside]).abs().max() > 0.05


@pytest.mark.parametrize("sigma", [0.4, 0.8])
def test_blur_is_scipys_gaussian(sigma):
    image = torch.randn(12, 14, 10, generator=seeded(0))
    expected = ndimage.gaussian_filter(image.double().numpy(), sigma, mode="constant", radius=2)
    np.testing.assert_allclose(augmentation._blur(image, sigma).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_low_resolution_takes_detail_of_one_axis_only(axis):
    """What is constant along the axis stays; what changes from voxel to voxel along it is lost."""
    image = torch.randn(16, 16, 16, generator=seeded(1))
    constant = image.mean(dim=axis, keepdim=True).expand_as(image)
    torch.testing.assert_close(augmentation._low_resolution(constant, axis, 2.0), constant)
    shape = [16 if each == axis else 1 for each in range(3)]
    alternating = torch.tensor([1.0, -1.0]).repeat(8).reshape(shape).expand_as(image)
    assert augmentation._low_resolution(alternating, axis, 2.0).abs().max() < 1e-6
