"""Generated scans for the engine's tests: a brain with a known tumour on any grid, and a network that must find it.

The network's weights are set by hand so that it tells the labels by intensity alone. It is a real EncoderDecoder in a
real model file, and what it must answer is known without any training.
"""

import itertools

import nibabel
import numpy as np
import torch

from KDNetLib.model_file import save_model
from KDNetLib.networks.encoder_decoder import EncoderDecoder

#: Intensity of healthy brain and of the classes 1 to 3 (NCR, ED, ET): far apart and in the order of the classes.
BRAIN, CLASS_LEVELS = 100.0, (200.0, 300.0, 400.0)

DESCRIPTION = {
    "name": "by-intensity",
    "title": "Tells labels by intensity",
    "modalities": ["t1ce"],
    "preprocessing": {"preset": "whole-brain", "spacing": 2.0},
    "classes": ["background", "NCR", "ED", "ET"],
    "training": {"summary": "Not trained; its weights were set by hand."},
    "measured": [],
    "licence": "MIT",
    "citation": "none",
}


def brain(shape=(70, 80, 64), spacing=(2.0, 2.0, 2.0), seed=0):
    """A skull-stripped brain (float32) and its labels (class indices, uint8), RAS.

    The tumour lies off centre on every axis, so that no turn or flip maps it onto itself: a necrotic core, a shell of
    enhancing tumour, edema around both.
    """
    rng = np.random.default_rng(seed)
    extent = np.array(shape) * spacing
    axes = [(np.arange(n) + 0.5) * step for n, step in zip(shape, spacing)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    inside = (((points - extent / 2) / (0.43 * extent)) ** 2).sum(axis=-1) < 1
    offset = np.linalg.norm(points - extent * (0.6, 0.42, 0.57), axis=-1) / extent.min()
    labels = np.select([offset < 0.07, offset < 0.13, offset < 0.2], [1, 3, 2], 0).astype(np.uint8)
    labels[~inside] = 0
    levels = np.array([BRAIN, *CLASS_LEVELS], dtype=np.float32)[labels]
    return np.where(inside, levels + rng.uniform(-5, 5, shape).astype(np.float32), np.float32(0)), labels


def affine_of(spacing=(2.0, 2.0, 2.0), origin=(-60.0, -70.0, -50.0)):
    """An RAS affine."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    return affine


def oblique(affine, degrees=(17.0, -11.0, 23.0)):
    """``affine`` turned about the three axes of space."""
    turn = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(degrees)):
        first, second = [a for a in range(3) if a != axis]
        step = np.eye(3)
        step[first, first] = step[second, second] = np.cos(angle)
        step[first, second], step[second, first] = -np.sin(angle), np.sin(angle)
        turn = step @ turn
    result = affine.copy()
    result[:3] = turn @ affine[:3]
    return result


#: All ways to store one volume along the axes of space: 6 permutations times 8 flips.
ORIENTATIONS = list(itertools.product(itertools.permutations(range(3)), itertools.product((False, True), repeat=3)))


def reoriented(array, affine, permutation, flips):
    """The same volume in space, stored with its axes permuted and flipped; and its affine."""
    turned = array.transpose(permutation)
    new_to_old = np.zeros((4, 4))
    new_to_old[3, 3] = 1
    for new, old in enumerate(permutation):
        new_to_old[old, new] = -1 if flips[new] else 1
        if flips[new]:
            new_to_old[old, 3] = array.shape[old] - 1
    turned = turned[tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)]
    return turned, affine @ new_to_old


def intensity_network(array, spacing, network_spacing=2.0, levels=3) -> EncoderDecoder:
    """A network that gives the classes of :func:`brain`'s ``array`` (voxel ``spacing`` in mm) by intensity alone.

    Only the first level's skip carries the image; InstanceNorm turns a z-score ``z`` into ``z / s + 5``, s the
    standard deviation over the network's grid, and each class is a line in that value, highest in its own interval.
    """
    foreground = array != 0
    mean, deviation = array[foreground].mean(dtype=float), array[foreground].std(dtype=float)
    divisor = 2 ** (levels - 1)
    cells = 1
    for axis in range(3):
        used = np.flatnonzero(foreground.any(axis=tuple({0, 1, 2} - {axis})))
        side = np.ceil((np.ptp(used) + 1) * spacing[axis] / network_spacing - 1e-6)
        cells *= np.ceil(side / divisor) * divisor
    share = foreground.sum() * np.prod(spacing) / network_spacing**3 / cells
    values = [(level - mean) / deviation / np.sqrt(share) + 5 for level in (BRAIN, *CLASS_LEVELS)]
    network = EncoderDecoder(width=2, levels=levels, skips=levels - 1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for block in (*network.encoder[0], *network.decoder[-1]):
            block[0].weight[0, 0, 1, 1, 1] = 1
            block[1].weight[0], block[1].bias[0] = 1, 5
        slope, bias = 40.0, 0.0
        for index in range(1, 4):
            bias -= slope * (values[index - 1] + values[index]) / 2
            network.head.weight[index, 0, 0, 0, 0] = slope * index
            network.head.bias[index] = bias
    return network.eval().requires_grad_(False)


def intensity_model(path, array, spacing, network_spacing=2.0, **changes):
    """Write :func:`intensity_network` as a model file; returns ``path``."""
    preprocessing = {"preset": "whole-brain", "spacing": network_spacing}
    save_model(path, intensity_network(array, spacing, network_spacing), DESCRIPTION | {"preprocessing": preprocessing} | changes)
    return path


def random_network(seed=0, **parameters) -> EncoderDecoder:
    """A network with random weights that depend on ``seed`` alone."""
    torch.manual_seed(seed)
    return EncoderDecoder(**{"width": 2, "levels": 3, "skips": 2} | parameters).eval().requires_grad_(False)


def random_model(path, seed=0, description=None, **parameters):
    """Write :func:`random_network` as a model file; returns ``path``."""
    save_model(path, random_network(seed, **parameters), DESCRIPTION | (description or {}))
    return path


def within_eight_bits(kept: torch.Tensor, exact: torch.Tensor) -> bool:
    """Whether ``kept`` is ``exact`` as 8 bits can hold it: off by half a step of its part along the first axis, and not at all where there is one axis."""
    step = exact.abs().amax(dim=tuple(range(1, exact.ndim)), keepdim=True) / 127 if exact.ndim > 1 else torch.zeros(())
    return bool(((kept - exact).abs() <= 0.501 * step).all())


def save(path, array, affine, kind=nibabel.Nifti1Image):
    """Write a NIfTI by nibabel alone; returns ``path``."""
    nibabel.save(kind(array, affine), path)
    return path


def by_nested_regions(probabilities) -> tuple[np.ndarray, np.ndarray]:
    """Classes of ``probabilities`` (4, ...) as :func:`KDNetLib.labels.decided` means them, and by how much each was decided: the closest of its decisions."""
    none, necrotic, edema, enhancing = np.asarray(probabilities, dtype=float)
    tumour, core, enhances = necrotic + edema + enhancing - none, necrotic + enhancing - edema, enhancing - necrotic
    classes = np.select([tumour <= 0, core <= 0, enhances <= 0], [0, 2, 1], 3).astype(np.uint8)
    closest = [np.abs(tumour), np.minimum(np.abs(tumour), np.abs(core)), np.abs([tumour, core, enhances]).min(axis=0)]
    return classes, np.select([classes == 0, classes == 2], closest[:2], closest[2])


def dice(first, second) -> float:
    """Dice of two boolean arrays."""
    return 2 * (first & second).sum() / max(1, first.sum() + second.sum())
