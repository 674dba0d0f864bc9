"""From a cached case to what the network is shown: a random, augmented part for training, a fixed one for validation.

Positions are counted in steps of the cached grid, of which ``fine`` go into a voxel of the network. Image voxel i of
the cache already averages the steps i to i + fine − 1 along each axis, so that every fine-th one is the area average
that inference computes. A sample that is neither turned, scaled nor bent is therefore an exact choice of voxels. A
network voxel's class is the one that fills most of it, the lower one where two fill it equally, as in
:meth:`KDNetLib.preprocessing.PreparedInput.labels_like_input`.
"""

import math

import numpy as np
import torch
from torch.nn import functional

from KDNetLib.bounding_box import bounding_box
from KDNetLib.labels import LABELS
from KDNetLib.networks.limits import padded_side
from KDNetTrainingLib.data.augmentation import Augmentation, Geometry, chance, draw_geometry, leave_skull, uniform, vary_intensities, vary_weighting
from KDNetTrainingLib.data.cache import CachedCase
from KDNetTrainingLib.data.transplantation import transplanted


def training_sample(
    case: CachedCase, size: tuple[int, int, int], augmentation: Augmentation, seed: int, device: torch.device, donor: CachedCase | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """A random part of ``case``, changed at random; everything that is drawn depends on ``seed`` alone.

    Args:
        size: sides of the sample in network voxels; along an axis where the case is smaller, it lies in the middle of
            zeros.
        donor: a piece with its tumour is transplanted into the sample.
    Returns:
        images (4, *size) float32 and classes (*size) int64 on ``device``, one geometry for all of them.
    """
    generator = torch.Generator().manual_seed(seed)
    images, classes = _random_part(case, size, augmentation, generator, device)
    if donor is not None:
        # Before the intensities vary, which would tell the two apart.
        images, classes = transplanted(images, classes, *_random_part(donor, size, augmentation, generator, device), generator)
    if chance(generator, augmentation.weighting):
        images = vary_weighting(images, generator)
    if chance(generator, augmentation.skull):
        images = leave_skull(images, generator)
    return vary_intensities(images, generator) if augmentation.intensity else images, classes


def _random_part(case, size, augmentation, generator, device):
    if not augmentation.exchange:
        return _part(case, size, augmentation, generator, device)
    order = torch.randperm(3, generator=generator).tolist()  # axis i of the sample is axis order[i] of the part
    sides = [size[order.index(axis)] for axis in range(3)]
    images, classes = _part(case, sides, augmentation, generator, device)
    return images.permute(0, *[axis + 1 for axis in order]).contiguous(), classes.permute(order).contiguous()


def _part(case, size, augmentation, generator, device):
    shape, extent = case.classes.shape, tuple(case.fine * side for side in size)
    geometry = draw_geometry(augmentation, extent, generator)
    # Anywhere inside the case, or the case in the middle.
    slack, central = (torch.tensor(each) for each in (np.subtract(shape, extent), _central_start(shape, extent)))
    start = torch.where(slack > 0, slack * uniform(generator, 0, 1, 3), central)
    if geometry.linear is None and geometry.knots is None:
        axes = [axis - 3 for axis in geometry.flipped]
        images, classes = _aligned(case, start.round().int().tolist(), size, device)
        return images.flip(axes), classes.flip(axes)
    return _warped(case, start, size, geometry, device)


def plain_sample(case: CachedCase, size: tuple[int, int, int] | None, divisor: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The central part of ``size`` network voxels as it is, or, where ``size`` is None, the whole case.

    The whole case is padded with zeros as inference pads it: to multiples of ``divisor``, at least twice it.
    Returns images (4, *size) float32 and classes (*size) int64 on the CPU.
    """
    shape = case.classes.shape
    size = size or tuple(padded_side(full / case.fine, divisor) for full in shape)
    return _aligned(case, _central_start(shape, [case.fine * side for side in size]), size, torch.device("cpu"))


def _central_start(shape, extent):
    """First step of a central sample, rounded as :mod:`KDNetLib.preprocessing` does."""
    return [math.floor((full - side) / 2) for full, side in zip(shape, extent)]


def _aligned(case, start, size, device):
    """Network voxels as they are, the first of them beginning at step ``start``; beyond the case 0."""
    images = _zero_padded(case.images, start, size, case.fine)
    steps = _zero_padded(case.classes, start, [case.fine * side for side in size], 1)
    classes = steps if case.fine == 1 else _most_frequent(steps)
    return torch.from_numpy(images).to(device).float(), torch.from_numpy(classes).to(device).long()


def _zero_padded(array, start, count, step):
    """``array[..., start::step]`` of ``count`` voxels on each of the last three axes, 0 where there are none."""
    target, source = [], []
    for first, number, full in zip(start, count, array.shape[-3:]):
        begin = max(0, -(first // step))  # first position that is not below 0
        end = max(begin, min(number, -((first - full) // step)))  # first one that is not below full
        target.append(slice(begin, end))
        source.append(slice(first + begin * step, first + end * step, step))
    padded = np.zeros((*array.shape[:-3], *count), dtype=array.dtype)
    padded[(..., *target)] = array[(..., *source)]
    return padded


def _most_frequent(steps):
    """The class that fills most of each 2×2×2 block of ``steps`` (2X, 2Y, 2Z) uint8: (X, Y, Z).

    In numpy, because torch takes 40 to 180 ms to count 128³ bytes and this takes 7.
    """
    counts = []
    for index in range(len(LABELS) + 1):
        count = (steps == index).view(np.uint8)
        count = count[::2] + count[1::2]
        count = count[:, ::2] + count[:, 1::2]
        counts.append(count[..., ::2] + count[..., 1::2])
    return np.argmax(counts, axis=0)


def _warped(case, start, size, geometry: Geometry, device):
    """Turned, scaled and bent about the sample's centre, every array interpolated once; beyond the case 0."""
    axes = [(torch.arange(side, dtype=torch.float32, device=device) - (side - 1) / 2) * case.fine for side in size]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    if geometry.knots is not None:
        points += functional.interpolate(geometry.knots[None].to(device), size=tuple(size), mode="trilinear", align_corners=True)[0]
    mirror = torch.diag(torch.tensor([-1.0 if axis in geometry.flipped else 1.0 for axis in range(3)]))
    linear = mirror if geometry.linear is None else mirror @ geometry.linear
    centre = start + (case.fine * torch.tensor(size) - 1) / 2
    points = (linear.to(device) @ points.flatten(1) + centre[:, None].to(device)).unflatten(1, size)
    # Modalities side by side in memory: grid_sample takes two thirds of the time.
    images = _interpolated(case.images, points - (case.fine - 1) / 2, lambda part: part.movedim(0, -1).contiguous().movedim(-1, 0).float())
    return images, _warped_classes(case.classes, points)


def _warped_classes(classes, points):
    """The class with the largest share at ``points`` (3, X, Y, Z): int64 (X, Y, Z). Computed about the tumour only."""
    found = torch.zeros(points.shape[1:], dtype=torch.int64, device=points.device)
    tumour = bounding_box(classes)
    low, high = (torch.tensor(ends, device=points.device)[:, None, None, None] for ends in zip(*[(side.start - 1, side.stop) for side in tumour]))
    box = bounding_box(((points > low) & (points < high)).all(dim=0).cpu().numpy())
    if found[box].numel():
        shares = _interpolated(classes[None], points[(slice(None), *box)], lambda part: torch.cat([part == label.index for label in LABELS]).float())
        found[box] = _largest(shares)
    return found


def _interpolated(array, points, prepare):
    """``prepare(array)``, (C, X, Y, Z), at ``points`` (3, ...), its voxel indices; linear, 0 beyond the array.

    Only the box of ``array`` that the points need is read.
    """
    lowest, highest = points.flatten(1).aminmax(dim=1)
    full = torch.tensor(array.shape[1:])
    low = torch.minimum(lowest.cpu().floor().long().clamp(min=0), full - 1)
    high = torch.minimum(torch.maximum(highest.cpu().floor().long() + 2, low + 1), full)
    box = np.array(array[(slice(None), *[slice(*ends) for ends in zip(low.tolist(), high.tolist())])])
    volume = prepare(torch.from_numpy(box).to(points.device))
    scale, offset = 2 / (high - low), (1 - 2 * low) / (high - low) - 1  # −1 and 1 are the box's faces
    normalised = [points[axis] * float(scale[axis]) + float(offset[axis]) for axis in (2, 1, 0)]  # the last axis first
    return functional.grid_sample(volume[None], torch.stack(normalised, dim=-1)[None], mode="bilinear", padding_mode="zeros", align_corners=False)[0]


def _largest(shares):
    """The class with the largest share: ``shares`` (C − 1, ...) are those of the classes from 1 on, 0 has the rest.

    The argmax over the first axis; torch's own takes 30 ms for 64³.
    """
    classes, best = torch.zeros(shares.shape[1:], dtype=torch.int64, device=shares.device), 1 - shares.sum(dim=0)
    for index, share in enumerate(shares, start=1):
        classes.masked_fill_(share > best, index)
        best = torch.maximum(best, share)
    return classes
