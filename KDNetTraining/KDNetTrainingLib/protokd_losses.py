"""The losses of ProtoKD (Wang et al., ICASSP 2023), each in its own function, as their public code computes them.

Source: arXiv 2303.09830 and github.com/SakurajimaMaiii/ProtoKD, code/loss.py and code/trainer.py. Their sums run over the
whole batch; here they run over a sample and the mean over the batch is taken, so that a batch may be split over processes
(see :class:`System`). With one sample per batch, as KD-Net's settings have it, both are the same.

Logits and features are (B, channels, D, H, W), class indices (B, D, H, W); everything is computed in float32.
"""

import torch
from torch.nn import functional

from KDNetTrainingLib.losses import one_hot

#: Added to numerator and denominator of Dice; to the size of a class's region; the least length of a feature vector.
_EPSILON = 1e-5


def class_dice_loss(reference: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """1 − mean over all classes, background included, of (2 Σ y p + ε) / (Σ y² + Σ p² + ε), ε = 1e-5, p = σ(logits)."""
    p, y = torch.softmax(logits.float(), dim=1).flatten(2), one_hot(reference, logits.shape[1]).flatten(2)
    dice = (2 * (y * p).sum(dim=2) + _EPSILON) / (y.square().sum(dim=2) + p.square().sum(dim=2) + _EPSILON)
    return 1 - dice.mean()


def weighted_cross_entropy(reference: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Σ_v w(y_v) (−log p_v(y_v)) / Σ_v w(y_v) over the voxels v of a sample.

    w(c) = 1 − n_c / Σ n, where n_c is the number of the sample's voxels of class c: what is rare weighs more. 0 for a
    sample of one class, all of whose weights are 0.
    """
    y = one_hot(reference, logits.shape[1]).flatten(2)
    surprise = -(y * functional.log_softmax(logits.float(), dim=1).flatten(2)).sum(dim=1)
    weight = ((1 - y.mean(dim=2, keepdim=True)) * y).sum(dim=1)
    total = weight.sum(dim=1)
    return ((weight * surprise).sum(dim=1) / torch.where(total > 0, total, 1)).mean()


def pixel_distillation(teacher_logits: torch.Tensor, logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """KL(q ‖ p), q = σ(teacher / T), p = σ(student / T), per voxel over the classes.

    The mean is over voxels and classes, as in their code, so that it is the voxels' mean divided by the number of
    classes; there is no factor T². The teacher is detached.
    """
    q = functional.log_softmax(teacher_logits.detach().float() / temperature, dim=1)
    p = functional.log_softmax(logits.float() / temperature, dim=1)
    return functional.kl_div(p, q, reduction="none", log_target=True).mean()


def prototype_loss(reference: torch.Tensor, teacher_features: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """Mean over voxels v and classes c of (M_t(v, c) − M_s(v, c))², M(v, c) the cosine of a voxel's and a class's features.

    A class's features, its prototype, are their mean over the class's voxels of the reference. M holds the variation
    within a class (v of class c) and between the classes (v of another). Only classes that a sample has count. The
    teacher is detached. Features may differ in number, not in grid.
    """
    samples = [
        (similarity_map(one, own[None]) - similarity_map(one, taught[None])).square().mean()
        for one, own, taught in zip(reference.split(1), features.float(), teacher_features.detach().float())
    ]
    return torch.stack(samples).mean()


def similarity_map(reference: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """M of :func:`prototype_loss` for one sample: (classes that ``reference`` has, number of voxels), −1 to 1."""
    voxels = features.flatten(2)[0]
    regions = torch.stack([(reference == index).flatten() for index in reference.unique()]).float()
    with torch.autocast(voxels.device.type, enabled=False):  # else these products would be in half precision
        prototypes = regions @ voxels.T / (regions.sum(dim=1, keepdim=True) + _EPSILON)
        overlap = prototypes @ voxels
    return overlap / (prototypes.norm(dim=1, keepdim=True).clamp(min=_EPSILON) * voxels.norm(dim=0).clamp(min=_EPSILON))
