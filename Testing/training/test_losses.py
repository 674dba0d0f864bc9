"""Every equation of the paper against numbers worked out by hand and an independent computation in float64."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, rel_entr, softmax

from KDNetTrainingLib import losses


def logits(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 3


def reference_dice(target, probabilities):
    parts = []
    for t, p in zip(target, probabilities):
        for c in range(1, t.shape[0]):
            parts.append((2 * (t[c] * p[c]).sum() + 1) / ((t[c] ** 2).sum() + (p[c] ** 2).sum() + 1))
    return np.mean(parts)


def reference_bce(target, probabilities):
    return -np.mean(target * np.log(probabilities) + (1 - target) * np.log1p(-probabilities))


def numpy_one_hot(classes, count=4):
    return np.moveaxis(np.eye(count)[classes], -1, 1)


def test_eq_1_by_hand():
    """Two classes, margin 10, T = 5: e² / (1 + e²) = 0.8808."""
    teacher = torch.tensor([10.0, 0.0]).reshape(1, 2, 1, 1, 1)
    found = losses.soft_targets(teacher, 5.0).ravel().tolist()
    assert found == pytest.approx([0.8807970779778823, 0.11920292202211755])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 5.0, 20.0])
def test_eq_1_is_scipys_softmax(temperature):
    teacher = logits(0, 2, 4, 3, 4, 5)
    np.testing.assert_allclose(losses.soft_targets(teacher, temperature).numpy(), softmax(teacher.double().numpy() / temperature, axis=1), atol=1e-6)


def test_binary_prediction_is_the_one_hot_argmax():
    teacher = logits(1, 2, 4, 3, 4, 5)
    np.testing.assert_array_equal(losses.binary_prediction(teacher).numpy(), numpy_one_hot(teacher.numpy().argmax(axis=1)))


def test_soft_dice_by_hand():
    """Foreground t = (1, 0), p = (0.5, 0.5): (2·0.5 + 1) / (1 + 0.5 + 1) = 0.8; the background does not count."""
    target = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]).reshape(1, 2, 1, 1, 2)
    probabilities = torch.tensor([[[0.5, 0.5], [0.5, 0.5]]]).reshape(1, 2, 1, 1, 2)
    assert losses.soft_dice(target, probabilities).item() == pytest.approx(0.8)


def test_soft_dice_of_anything_with_itself_is_one():
    p = torch.softmax(logits(2, 2, 4, 3, 3, 3), dim=1)
    assert losses.soft_dice(p, p).item() == pytest.approx(1)
    absent = losses.one_hot(torch.zeros(1, 3, 3, 3), 4)
    assert losses.soft_dice(absent, absent).item() == 1


def test_bce_by_hand():
    """t = 1, p = 0.8 and t = 0, p = 0.1: −(ln 0.8 + ln 0.9) / 2 = 0.16425."""
    found = losses.binary_cross_entropy(torch.tensor([1.0, 0.0]), torch.tensor([0.8, 0.1]))
    assert found.item() == pytest.approx(0.164252033486018)


def test_bce_of_a_certain_mistake_is_finite():
    found = losses.binary_cross_entropy(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))
    assert torch.isfinite(found)


def test_eq_4_is_one_minus_dice_plus_bce():
    student, classes = logits(3, 2, 4, 4, 5, 3), torch.randint(4, (2, 4, 5, 3), generator=torch.Generator().manual_seed(4))
    p, y = softmax(student.double().numpy(), axis=1), numpy_one_hot(classes.numpy())
    assert losses.segmentation_loss(classes, student).item() == pytest.approx(1 - reference_dice(y, p) + reference_bce(y, p), rel=1e-5)


def test_eq_4_by_hand():
    """One voxel of class 1 of two, logits equal: p = ½; Dice = (2·½ + 1) / (1 + ¼ + 1) = 8/9; BCE = ln 2."""
    found = losses.segmentation_loss(torch.ones(1, 1, 1, 1), torch.zeros(1, 2, 1, 1, 1))
    assert found.item() == pytest.approx(1 / 9 + np.log(2))


@pytest.mark.parametrize("temperature", [1.0, 5.0])
def test_eq_2_uses_soft_targets_for_dice_and_hard_ones_for_bce(temperature):
    teacher, student = logits(5, 2, 4, 4, 5, 3), logits(6, 2, 4, 4, 5, 3)
    p, s = softmax(student.double().numpy(), axis=1), softmax(teacher.double().numpy() / temperature, axis=1)
    hard = numpy_one_hot(teacher.numpy().argmax(axis=1))
    expected = 1 - reference_dice(s, p) + reference_bce(hard, p)
    assert losses.distillation_loss(teacher, student, temperature).item() == pytest.approx(expected, rel=1e-5)


def test_eq_3_is_scipys_relative_entropy_of_teacher_to_student():
    teacher, student = logits(7, 3, 8, 2, 3, 2), logits(8, 3, 8, 2, 3, 2)
    q, p = (softmax(x.double().numpy().reshape(3, -1), axis=1) for x in (teacher, student))
    assert losses.bottleneck_divergence(teacher, student).item() == pytest.approx(rel_entr(q, p).sum(axis=1).mean(), rel=1e-5)
    by_logs = (q * (log_softmax(teacher.double().numpy().reshape(3, -1), axis=1) - np.log(p))).sum(axis=1).mean()
    assert losses.bottleneck_divergence(teacher, student).item() == pytest.approx(by_logs, rel=1e-5)


def test_eq_3_by_hand():
    """q = (¾, ¼), p = (½, ½): ¾ ln 1.5 + ¼ ln 0.5 = 0.13081; nothing where both agree, and not symmetric."""
    teacher = torch.log(torch.tensor([3.0, 1.0])).reshape(1, 2, 1, 1, 1)
    student = torch.zeros(1, 2, 1, 1, 1)
    assert losses.bottleneck_divergence(teacher, student).item() == pytest.approx(0.13081203594113697)
    assert losses.bottleneck_divergence(student, teacher).item() == pytest.approx(0.14384103622589042)
    assert losses.bottleneck_divergence(teacher, teacher).item() == pytest.approx(0, abs=1e-7)


def test_eq_5_by_hand():
    """0.75·2 + 0.25·4 + 10·0.3 = 5.5."""
    kd, gt, kl = (torch.tensor(value) for value in (2.0, 4.0, 0.3))
    assert losses.objective(kd, gt, kl, imitation=0.75, alpha=10.0).item() == pytest.approx(5.5)
    assert losses.objective(kd, gt, kl, imitation=0.0, alpha=0.0).item() == pytest.approx(4.0)


def test_no_gradient_reaches_the_teacher_and_the_students_is_right():
    teacher, student = logits(9, 1, 4, 2, 2, 2).requires_grad_(), logits(10, 1, 4, 2, 2, 2).double().requires_grad_()
    (losses.distillation_loss(teacher, student, 5.0) + losses.bottleneck_divergence(teacher, student)).backward()
    assert teacher.grad is None and student.grad.abs().max() > 0
    step = 1e-2
    for place in ((0, 0, 0, 0, 0), (0, 3, 1, 0, 1)):
        values = []
        for sign in (1, -1):
            moved = student.detach().clone()
            moved[place] += sign * step
            values.append((losses.distillation_loss(teacher, moved, 5.0) + losses.bottleneck_divergence(teacher, moved)).item())
        assert student.grad[place].item() == pytest.approx((values[0] - values[1]) / (2 * step), abs=2e-3)


def test_half_precision_logits_are_computed_in_float32():
    student, classes = logits(11, 1, 4, 4, 4, 4).half(), torch.zeros(1, 4, 4, 4)
    found = losses.segmentation_loss(classes, student)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(losses.segmentation_loss(classes, student.float()).item())


@pytest.mark.parametrize("kind", ["foreground", "reliable"])
def test_masked_distillation_against_a_loop_over_voxels(kind):
    """Each sample's Dice and BCE over the voxels that the definition names, one voxel at a time, in float64."""
    teacher, student = logits(12, 2, 4, 3, 4, 3), logits(13, 2, 4, 3, 4, 3)
    teacher[:, 0] += 3  # otherwise hardly any voxel is background
    classes = torch.where(torch.rand(2, 3, 4, 3, generator=torch.Generator().manual_seed(14)) < 0.7, teacher.argmax(dim=1), 0)
    mask = losses.distillation_mask(kind, classes, teacher, student)
    q, p = softmax(teacher.double().numpy(), axis=1), softmax(student.double().numpy(), axis=1)
    s = softmax(teacher.double().numpy() / 5, axis=1)
    totals = []
    for b in range(2):
        overlap, size, entropy, count = np.zeros(4), np.zeros(4), 0.0, 0
        for place in np.ndindex(3, 4, 3):
            true, best = classes[(b, *place)].item(), q[(b, slice(None), *place)].argmax()
            wanted = true > 0 or best > 0 if kind == "foreground" else best == true and q[(b, true, *place)] > p[(b, true, *place)]
            assert mask[(b, *place)].item() == wanted
            if wanted:
                count += 1
                for c in range(4):
                    target, soft, found = float(c == best), s[(b, c, *place)], p[(b, c, *place)]
                    overlap[c] += soft * found
                    size[c] += soft**2 + found**2
                    entropy -= (target * np.log(found) + (1 - target) * np.log(1 - found)) / 4
        assert 0 < count < 36
        totals.append(1 - np.mean((2 * overlap[1:] + 1) / (size[1:] + 1)) + entropy / count)
    assert losses.distillation_loss(teacher, student, 5.0, mask).item() == pytest.approx(np.mean(totals), rel=1e-5)


def test_reliable_mask_by_hand():
    """True class 1 of two: teacher right and surer; right but less sure; wrong; and of the background, right and surer."""
    teacher = torch.tensor([[0.0, 2.0], [0.0, 1.0], [2.0, 0.0], [2.0, 0.0]]).T.reshape(1, 2, 1, 1, 4)
    student = torch.tensor([[0.0, 1.0], [0.0, 2.0], [3.0, 0.0], [0.0, 0.0]]).T.reshape(1, 2, 1, 1, 4)
    reference = torch.tensor([1, 1, 1, 0]).reshape(1, 1, 1, 4)
    assert losses.distillation_mask("reliable", reference, teacher, student).ravel().tolist() == [True, False, False, True]
    assert losses.distillation_mask("foreground", reference, teacher, student).ravel().tolist() == [True, True, True, False]
    assert losses.distillation_mask("none", reference, teacher, student) is None


def test_a_mask_of_everything_is_none_and_of_nothing_gives_0_without_gradient():
    teacher, student = logits(15, 2, 4, 3, 4, 5), logits(16, 2, 4, 3, 4, 5).requires_grad_()
    everything, nothing = torch.ones(2, 3, 4, 5, dtype=torch.bool), torch.zeros(2, 3, 4, 5, dtype=torch.bool)
    whole = losses.distillation_loss(teacher, student, 5.0)
    assert losses.distillation_loss(teacher, student, 5.0, everything).item() == pytest.approx(whole.item(), rel=1e-6)
    found = losses.distillation_loss(teacher, student, 5.0, nothing)
    found.backward()
    assert found.item() == 0 and not student.grad.any()
    # A sample without a voxel counts as 0 in the batch's mean, and only the others' voxels are taught.
    student.grad = None
    half = everything.clone()
    half[1] = False
    found = losses.distillation_loss(teacher, student, 5.0, half)
    found.backward()
    assert found.item() == pytest.approx(losses.distillation_loss(teacher[:1], student[:1], 5.0).item() / 2, rel=1e-6)
    assert student.grad[0].any() and not student.grad[1].any()


@pytest.mark.parametrize("kind", ["foreground", "reliable"])
def test_masks_pass_no_gradient_to_the_teacher(kind):
    teacher, student = logits(17, 1, 4, 3, 3, 3).requires_grad_(), logits(18, 1, 4, 3, 3, 3).requires_grad_()
    mask = losses.distillation_mask(kind, torch.ones(1, 3, 3, 3), teacher, student)
    losses.distillation_loss(teacher, student, 5.0, mask).backward()
    assert teacher.grad is None and student.grad.any() and not mask.requires_grad


@pytest.mark.parametrize(("imitation", "alpha", "expected"), [
    (0.0, 0.0, (0, 1, 0)), (1.0, 0.0, (1, 0, 0)), (0.0, 10.0, (0, 1, 10)), (0.75, 10.0, (0.75, 0.25, 10)),
])
def test_lambda_and_alpha_switch_terms_off(imitation, alpha, expected):
    """What a term gets of the total's gradient is its factor."""
    kd, gt, kl = (torch.tensor(value, requires_grad=True) for value in (2.0, 4.0, 0.3))
    losses.objective(kd, gt, kl, imitation, alpha).backward()
    assert (kd.grad.item(), gt.grad.item(), kl.grad.item()) == expected
