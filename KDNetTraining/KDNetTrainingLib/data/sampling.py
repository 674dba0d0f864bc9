"""From a cached case to what the network is shown: a random, augmented part for training, a fixed one for validation.

Positions are counted in steps of the cached grid, of which ``fine`` go into a voxel of the network. Image voxel i of
the cache already averages the steps i to i + fine − 1 along each axis, so that every fine-th one is the area average
that inference computes. A sample without rotation, scaling and bending is therefore an exact choice of voxels.
"""

import math

import numpy as np
import torch
from torch.nn import functional

from KDNetTrainingLib.data.augmentation import Augmentation, Geometry, draw_geometry, uniform, vary_intensities
from KDNetTrainingLib.data.cache import CachedCase


def training_sample(
    case: CachedCase, size: tuple[int, int, int], augmentation: Augmentation, seed: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """A random part of ``case``, changed at random; everything that is drawn depends on ``seed`` alone.

    Args:
        size: sides of the sample in network voxels; where the case is smaller, it lies centrally among zeros.
    Returns:
        images (4, *size) float32 and classes (*size) int64 on ``device``, one geometry for all of them.
    """
    generator = torch.Generator().manual_seed(seed)
    extent = tuple(case.fine * side for side in size)
    geometry = draw_geometry(augmentation, extent, generator)
    slack = torch.tensor([max(0, full - side) for full, side in zip(case.classes.shape, extent)])
    start = torch.tensor(_central_start(case, size)) + slack * uniform(generator, -0.5, 0.5, 3)
    if geometry.linear is None and geometry.knots is None:
        images, classes = (part.flip([axis - 3 for axis in geometry.flipped]) for part in _aligned(case, start.round().int().tolist(), size, device))
    else:
        images, classes = _warped(case, start, size, geometry, device)
    return vary_intensities(images, generator) if augmentation.intensity else images, classes


def plain_sample(case: CachedCase, size: tuple[int, int, int] | None, divisor: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The central part of ``size`` network voxels as it is, or, where ``size`` is None, the whole case.

    The whole case is padded with zeros as inference pads it: to multiples of ``divisor``, at least twice it.
    Returns images (4, *size) float32 and classes (*size) int64 on the CPU.
    """
    size = size or tuple(max(2, math.ceil(full / (case.fine * divisor))) * divisor for full in case.classes.shape)
    return _aligned(case, _central_start(case, size), size, torch.device("cpu"))


def _central_start(case, size):
    """First step of a central sample; rounded as :mod:`KDNetLib.preprocessing` does."""
    return [math.floor((full - case.fine * side) / 2) for full, side in zip(case.classes.shape, size)]


def _aligned(case, start, size, device):
    """Every fine-th voxel from ``start`` on; beyond the case 0."""
    images = np.zeros((len(case.images), *size), dtype=case.images.dtype)
    places = [_overlap(first, side, case.fine, full) for first, side, full in zip(start, size, case.images.shape[1:])]
    images[(slice(None), *[inside for inside, _ in places])] = case.images[(slice(None), *[source for _, source in places])]
    steps = np.zeros([case.fine * side for side in size], dtype=np.uint8)
    places = [_overlap(first, case.fine * side, 1, full) for first, side, full in zip(start, size, case.classes.shape)]
    steps[tuple(inside for inside, _ in places)] = case.classes[tuple(source for _, source in places)]
    return torch.from_numpy(images).to(device).float(), _most_frequent(torch.from_numpy(steps).to(device), case.fine)


def _overlap(start, count, step, full):
    """Which of ``count`` positions ``start + k * step`` lie in 0 to ``full`` − 1: the slice of k and that of positions."""
    first = max(0, -(start // step))
    end = max(first, min(count, -((start - full) // step)))
    return slice(first, end), slice(start + first * step, max(start + first * step, start + (end - 1) * step + 1), step)


def _most_frequent(steps, fine):
    """The class that fills most of each block of ``fine``³ steps, the lower one where two are equal: int64."""
    if fine == 1:
        return steps.long()
    shares = functional.one_hot(steps.long(), 4).movedim(-1, 0).float()
    return functional.avg_pool3d(shares[None], fine)[0].argmax(dim=0)


def _warped(case, start, size, geometry: Geometry, device):
    """Rotated, scaled and bent about the sample's centre: each array resampled once; beyond the case 0."""
    # Network voxel k covers the steps k·fine to k·fine + fine − 1, so its centre lies (fine − 1) / 2 further on.
    axes = [(torch.arange(side, dtype=torch.float32) - (side - 1) / 2) * case.fine for side in size]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).to(device)
    if geometry.knots is not None:
        field = functional.interpolate(geometry.knots[None].to(device), size=tuple(size), mode="trilinear", align_corners=True)[0]
        points = points + field.movedim(0, -1)
    linear = torch.eye(3) if geometry.linear is None else geometry.linear
    mirror = torch.tensor([-1.0 if axis in geometry.flipped else 1.0 for axis in range(3)])
    centre = start + (case.fine * torch.tensor(size) - 1) / 2
    points = points @ (linear * mirror).to(device) + centre.to(device)
    images = _interpolated(torch.from_numpy(np.array(case.images)).to(device).float(), points - (case.fine - 1) / 2)
    shares = functional.one_hot(torch.from_numpy(np.array(case.classes)).to(device).long(), 4).movedim(-1, 0).float()
    return images, _interpolated(shares, points).argmax(dim=0)


def _interpolated(volume, points):
    """``volume`` (C, X, Y, Z) at ``points`` (..., 3), voxel indices; linear, 0 beyond the volume."""
    extent = torch.tensor(volume.shape[1:], dtype=torch.float32, device=points.device)
    normalised = (2 * points + 1) / extent - 1
    # grid_sample wants the last axis first.
    return functional.grid_sample(volume[None], normalised.flip(-1)[None], mode="bilinear", padding_mode="zeros", align_corners=False)[0]
