"""The losses of KD-Net, Eq. 1 to 5 of Hu et al., MICCAI 2020, each in its own function.

Logits and probabilities are (B, C, D, H, W) with class 0 the background; everything is computed in float32, because
the logarithms do not survive half precision. Where the paper is silent the reading is stated with the function.
"""

import torch
from torch.nn import functional


def soft_targets(teacher_logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Eq. 1: s = softmax(f_t(x) / T), T > 0. Detached: the student's error never reaches the teacher."""
    return torch.softmax(teacher_logits.detach().float() / temperature, dim=1)


def binary_prediction(teacher_logits: torch.Tensor) -> torch.Tensor:
    """The teacher's binary prediction s* of Eq. 2: the one-hot argmax, which does not depend on T."""
    return one_hot(teacher_logits.detach().argmax(dim=1), teacher_logits.shape[1])


def one_hot(classes: torch.Tensor, count: int) -> torch.Tensor:
    """Class indices (B, D, H, W) to float32 (B, count, D, H, W)."""
    return functional.one_hot(classes.long(), count).movedim(-1, 1).float()


def soft_dice(target: torch.Tensor, probabilities: torch.Tensor) -> torch.Tensor:
    """Mean soft Dice over samples and foreground classes, in 0 to 1.

    2 Σ t p / (Σ t² + Σ p²): squared denominators make Dice(p, p) = 1 for soft targets too. The constant 1 in numerator
    and denominator makes a class that is absent from both a perfect match.
    """
    target, probabilities = target[:, 1:].flatten(2), probabilities[:, 1:].flatten(2)
    overlap = (target * probabilities).sum(dim=2)
    size = target.square().sum(dim=2) + probabilities.square().sum(dim=2)
    return ((2 * overlap + 1) / (size + 1)).mean()


def binary_cross_entropy(target: torch.Tensor, probabilities: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """BCE of every class channel on the softmax probabilities, mean over all elements, each times its ``weight``."""
    if probabilities.isnan().any():  # torch would raise an error of its own; whoever trains looks at the loss
        return probabilities.mean()
    return functional.binary_cross_entropy(probabilities.clamp(0, 1), target, weight)


def segmentation_loss(reference: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Eq. 4, L_GT: 1 − Dice(y, σ(f_s)) + BCE(y, σ(f_s)); ``reference`` holds class indices (B, D, H, W)."""
    probabilities = torch.softmax(logits.float(), dim=1)
    target = one_hot(reference, logits.shape[1])
    return 1 - soft_dice(target, probabilities) + binary_cross_entropy(target, probabilities)


def distillation_loss(teacher_logits: torch.Tensor, logits: torch.Tensor, temperature: float, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Eq. 2, L_KD: 1 − Dice(s, σ(f_s)) + BCE(s*, σ(f_s)). The student's own temperature stays 1.

    Both terms are over the voxels of ``mask``, (B, D, H, W) bool; None is all of them, as the paper has it. A sample
    without a voxel in the mask adds 0 to the mean over the batch.
    """
    probabilities = torch.softmax(logits.float(), dim=1)
    soft, hard = soft_targets(teacher_logits, temperature), binary_prediction(teacher_logits)
    if mask is None:
        return 1 - soft_dice(soft, probabilities) + binary_cross_entropy(hard, probabilities)
    inside = mask[:, None].float()
    # Of mean 1 in every sample, so that the mean over the batch is that of its samples.
    weight = inside * mask[0].numel() / inside.sum(dim=(1, 2, 3, 4), keepdim=True).clamp(min=1)
    return 1 - soft_dice(soft * inside, probabilities * inside) + binary_cross_entropy(hard, probabilities, weight)


def distillation_mask(kind: str, reference: torch.Tensor, teacher_logits: torch.Tensor, logits: torch.Tensor) -> torch.Tensor | None:
    """The voxels that the teacher teaches: (B, D, H, W) bool, or None for all of them.

    Args:
        kind: ``none``, the paper; ``foreground``, where the reference or the teacher sees tumour; ``reliable``, where
            the teacher is right and gives the true class a higher probability than the student does, after PMKL (Chen
            et al., IEEE TMI 2022), which weakens what the teacher gets wrong.
        reference: class indices (B, D, H, W).
    """
    if kind == "none":
        return None
    predicted = teacher_logits.detach().argmax(dim=1)
    if kind == "foreground":
        return (reference > 0) | (predicted > 0)
    true = reference.long()[:, None]
    teacher, student = (torch.softmax(each.detach().float(), dim=1).gather(1, true)[:, 0] for each in (teacher_logits, logits))
    return (predicted == reference) & (teacher > student)


def bottleneck_divergence(teacher: torch.Tensor, student: torch.Tensor) -> torch.Tensor:
    """Eq. 3, L_KL = Σ_j q(j) log(q(j) / p(j)), q the teacher's and p the student's bottleneck.

    Each sample's bottleneck (C, D, H, W) is flattened and normalised by a softmax; summed over the vector and averaged
    over the batch (a mean over elements would make the paper's α = 10 meaningless). The teacher is detached.
    """
    q = functional.log_softmax(teacher.detach().float().flatten(1), dim=1)
    p = functional.log_softmax(student.float().flatten(1), dim=1)
    return functional.kl_div(p, q, reduction="batchmean", log_target=True)


def objective(kd: torch.Tensor, gt: torch.Tensor, kl: torch.Tensor, imitation: float, alpha: float) -> torch.Tensor:
    """Eq. 5: L = λ L_KD + (1 − λ) L_GT + α L_KL, with the imitation parameter λ in 0 to 1 and α ≥ 0."""
    return imitation * kd + (1 - imitation) * gt + alpha * kl
