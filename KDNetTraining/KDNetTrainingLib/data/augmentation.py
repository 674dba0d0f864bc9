"""Random transforms of one training case, the same geometry for every modality and the reference.

Flips, rotation, scaling, elastic deformation and cropping are one resampling; intensity changes follow per modality.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional

#: Steps of the fine grid (half the network's spacing) per voxel of the network's grid.
FINE = 2


@dataclass(frozen=True)
class Augmentation:
    """Strengths. The default is what the first student was trained with; ``flips`` alone is the paper's."""

    flips: bool = True
    rotation_degrees: float = 15.0
    scale: float = 0.15
    elastic_mm: float = 3.0
    intensity: bool = True


PAPER = Augmentation(rotation_degrees=0, scale=0, elastic_mm=0, intensity=False)


def random_crop(images, classes, size, augmentation: Augmentation, generator: torch.Generator):
    """One augmented training sample.

    Args:
        images: (M, X, Y, Z) float, z-scored, at half the network's spacing, averaged over 2×2×2 neighbours, so that
            taking every second voxel is the area average that inference uses.
        classes: (X, Y, Z) uint8 on the same fine grid, not averaged.
        size: sides of the crop in network voxels.
        generator: source of all randomness, so that a resumed run repeats it.
    Returns:
        images (M, *size) float32 and classes (*size) int64.
    """
    grid = _fine_coordinates(classes.shape, size, augmentation, generator)
    place = grid.flip(-1)[None]  # grid_sample wants (z, y, x) order, last axis first

    def sample(volume, offset, mode):
        extent = (torch.tensor(volume.shape[-3:], dtype=torch.float32) - 1).flip(0)
        normalised = 2 * (place - offset) / extent - 1
        return functional.grid_sample(volume[None], normalised, mode=mode, padding_mode="zeros", align_corners=True)[0]

    sampled = sample(images.float(), 0.5, "bilinear")
    labels = sample(classes[None].float(), 0.0, "nearest")[0].long()
    if augmentation.intensity:
        sampled = torch.stack([_vary_intensity(image, generator) for image in sampled])
    return sampled, labels


def _uniform(generator, low, high, *shape):
    return low + (high - low) * torch.rand(*shape, generator=generator)


def _chance(generator, probability) -> bool:
    return bool(torch.rand(1, generator=generator) < probability)


def _fine_coordinates(shape, size, augmentation, generator):
    """Where in the fine grid (voxel indices) each voxel of the crop is taken from: (*size, 3)."""
    axes = [(torch.arange(n, dtype=torch.float32) - (n - 1) / 2) * FINE for n in size]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    if augmentation.elastic_mm and _chance(generator, 0.3):
        knots = torch.randn(1, 3, *[max(3, n // 12) for n in size], generator=generator)
        field = functional.interpolate(knots, size=tuple(size), mode="trilinear", align_corners=True)[0]
        points = points + augmentation.elastic_mm * field.movedim(0, -1)
    points = points @ _linear_map(augmentation, generator)
    slack = torch.tensor([max(0.0, (full - FINE * n) / 2) for full, n in zip(shape, size)])
    centre = (torch.tensor(shape, dtype=torch.float32) - 1) / 2
    return points + centre + slack * _uniform(generator, -1, 1, 3)


def _linear_map(augmentation, generator):
    linear = torch.eye(3)
    if augmentation.rotation_degrees and _chance(generator, 0.5):
        limit = torch.deg2rad(torch.tensor(augmentation.rotation_degrees))
        skew = torch.zeros(3, 3)
        skew[0, 1], skew[0, 2], skew[1, 2] = _uniform(generator, -1, 1, 3) * limit
        linear = torch.linalg.matrix_exp(skew - skew.T)
    if augmentation.scale and _chance(generator, 0.5):
        linear = linear * _uniform(generator, 1 - augmentation.scale, 1 + augmentation.scale, 1)
    if augmentation.flips:
        linear = linear * torch.where(torch.rand(3, generator=generator) < 0.5, -1.0, 1.0)
    return linear


def _vary_intensity(image, generator):
    """Contrast, brightness, gamma, noise and blurred slices of one modality; the background stays 0."""
    brain = image != 0
    image = image * _uniform(generator, 0.85, 1.15, 1) + _uniform(generator, -0.15, 0.15, 1)
    if _chance(generator, 0.3):
        low, high = -4.0, 8.0
        unit = ((image - low) / (high - low)).clamp(0, 1)
        image = unit.pow(_uniform(generator, 0.75, 1.35, 1)) * (high - low) + low
        image = (image - image[brain].mean()) / image[brain].std().clamp(min=1e-3) if brain.any() else image
    if _chance(generator, 0.25):
        axis = int(torch.randint(3, (1,), generator=generator))
        coarse = list(image.shape)
        coarse[axis] = max(2, int(coarse[axis] / float(_uniform(generator, 1.3, 2.5, 1))))
        small = functional.interpolate(image[None, None], size=coarse, mode="trilinear", align_corners=False)
        image = functional.interpolate(small, size=image.shape, mode="trilinear", align_corners=False)[0, 0]
    if _chance(generator, 0.3):
        image = image + _uniform(generator, 0, 0.2, 1) * torch.randn(image.shape, generator=generator)
    return image * brain
