"""ProtoKD's losses against numbers worked out by hand and an independent computation in float64."""

import numpy as np
import pytest
import torch
from scipy.special import rel_entr, softmax

from KDNetTrainingLib import protokd_losses

SHAPE = (3, 4, 5)


def logits(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 3


def reference(seed, count=2, classes=4):
    return torch.randint(classes, (count, *SHAPE), generator=torch.Generator().manual_seed(seed))


def two_voxels(*values):
    """(1, channels, 1, 1, 2): per channel the first and the second voxel's value."""
    return torch.tensor(values).reshape(1, len(values), 1, 1, 2)


def test_dice_by_hand():
    """p = ½ everywhere, y = (0, 1): both classes have 2 · ½ / (1 + ½) = ⅔, so the loss is ⅓."""
    found = protokd_losses.class_dice_loss(torch.tensor([[[[0, 1]]]]), torch.zeros(1, 2, 1, 1, 2))
    assert found.item() == pytest.approx(1 / 3, abs=1e-5)


def test_dice_counts_the_background_and_is_the_mean_over_samples_and_classes():
    student, y = logits(0, 2, 4, *SHAPE), reference(1)
    p = softmax(student.double().numpy(), axis=1)
    parts = []
    for sample in range(2):
        for index in range(4):
            true = y[sample].numpy() == index
            parts.append((2 * p[sample, index][true].sum() + 1e-5) / (true.sum() + (p[sample, index] ** 2).sum() + 1e-5))
    assert protokd_losses.class_dice_loss(y, student).item() == pytest.approx(1 - np.mean(parts), rel=1e-5)


def test_weighted_cross_entropy_by_hand():
    """Three voxels of class 0 (p = ½) and one of class 1 (p = ⅘): (3 · ¼ ln 2 + ¾ ln 1.25) / (3 · ¼ + ¾)."""
    student = torch.tensor([[[0.0, 0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, np.log(4.0)]]]).reshape(1, 2, 1, 1, 4).float()
    found = protokd_losses.weighted_cross_entropy(torch.tensor([[[[0, 0, 0, 1]]]]), student)
    assert found.item() == pytest.approx((0.75 * np.log(2) + 0.75 * np.log(1.25)) / 1.5, rel=1e-6)


def test_weighted_cross_entropy_is_torchs_with_these_weights():
    student, y = logits(2, 2, 4, *SHAPE), reference(3)
    expected = []
    for sample in range(2):
        weights = 1 - np.bincount(y[sample].ravel(), minlength=4) / y[sample].numel()
        expected.append(torch.nn.functional.cross_entropy(student[[sample]].double(), y[[sample]], torch.tensor(weights)).item())
    assert protokd_losses.weighted_cross_entropy(y, student).item() == pytest.approx(np.mean(expected), rel=1e-6)


def test_a_sample_of_one_class_has_no_cross_entropy_to_weigh():
    student = logits(4, 1, 4, *SHAPE).requires_grad_()
    found = protokd_losses.weighted_cross_entropy(torch.zeros(1, *SHAPE, dtype=torch.int64), student)
    found.backward()
    assert found.item() == 0 and student.grad.abs().max() == 0


def test_pixel_distillation_by_hand():
    """Margin 10 at T = 10: q = e / (1 + e) = .7311 against ½; ln 2 + Σ q ln q = .11094, halved by the mean over two classes."""
    teacher, student = two_voxels([10.0, 10.0], [0.0, 0.0]), torch.zeros(1, 2, 1, 1, 2)
    assert protokd_losses.pixel_distillation(teacher, student, 10.0).item() == pytest.approx(0.1109443 / 2, rel=1e-5)


def test_pixel_distillation_is_scipys_relative_entropy():
    teacher, student = logits(5, 2, 4, *SHAPE), logits(6, 2, 4, *SHAPE)
    expected = rel_entr(*(softmax(each.double().numpy() / 10, axis=1) for each in (teacher, student))).mean()
    assert protokd_losses.pixel_distillation(teacher, student, 10.0).item() == pytest.approx(expected, rel=1e-4)
    assert protokd_losses.pixel_distillation(teacher, teacher, 10.0).item() == pytest.approx(0, abs=1e-7)


def test_prototypes_by_hand():
    """Features (1, 0) and (0, 1), a class each: a voxel is like its own prototype (1) and unlike the other's (0).

    With the teacher's features equal, all likenesses are 1: two of four differ by 1, so the loss is ½.
    """
    y = torch.tensor([[[[0, 1]]]])
    own, taught = two_voxels([1.0, 0.0], [0.0, 1.0]), two_voxels([1.0, 1.0], [1.0, 1.0])
    torch.testing.assert_close(protokd_losses.similarity_map(y, own), torch.eye(2))
    assert protokd_losses.prototype_loss(y, taught, own).item() == pytest.approx(0.5, rel=1e-5)
    # In one class the prototype is (½, ½): cosine √½ for both voxels.
    one = torch.zeros(1, 1, 1, 2, dtype=torch.int64)
    assert protokd_losses.similarity_map(one, own).ravel().tolist() == pytest.approx([0.5**0.5] * 2, rel=1e-5)


def numpy_similarities(y, features):
    maps = []
    for index in np.unique(y):
        prototype = features[:, y == index].mean(axis=1)
        lengths = np.linalg.norm(prototype) * np.linalg.norm(features, axis=0)
        maps.append(np.tensordot(prototype, features, axes=1) / lengths)
    return np.stack(maps)


def test_prototype_loss_is_numpys_over_the_classes_each_sample_has():
    y = reference(7)
    y[1][y[1] == 3] = 0  # the second sample lacks a class
    student, teacher = logits(8, 2, 6, *SHAPE), logits(9, 2, 5, *SHAPE)
    expected = [
        np.mean((numpy_similarities(*pair) - numpy_similarities(pair[0], taught)) ** 2)
        for pair, taught in zip(zip(y.numpy(), student.double().numpy()), teacher.double().numpy())
    ]
    assert protokd_losses.prototype_loss(y, teacher, student).item() == pytest.approx(np.mean(expected), rel=1e-4)
    assert protokd_losses.prototype_loss(y, 3 * student, student).item() == pytest.approx(0, abs=1e-9)  # cosines know no length


def test_the_teacher_gets_no_gradient_and_features_of_0_break_nothing():
    y, student, teacher = reference(10), logits(11, 2, 4, *SHAPE), logits(12, 2, 4, *SHAPE)
    student[:, :, 0] = 0
    student.requires_grad_(), teacher.requires_grad_()
    (protokd_losses.prototype_loss(y, teacher, student) + protokd_losses.pixel_distillation(teacher, student, 10.0)).backward()
    assert teacher.grad is None and torch.isfinite(student.grad).all() and student.grad.abs().max() > 0


def test_half_precision_around_it_changes_nothing():
    y, student, teacher = reference(13), logits(14, 2, 4, *SHAPE), logits(15, 2, 4, *SHAPE)
    expected = protokd_losses.prototype_loss(y, teacher, student)
    with torch.autocast("cpu", torch.bfloat16):
        assert protokd_losses.prototype_loss(y, teacher, student).item() == expected.item()
