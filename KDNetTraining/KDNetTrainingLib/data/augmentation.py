"""Random changes of a training sample: what is drawn for its geometry, and the changes of each image's intensities."""

from dataclasses import dataclass

import torch
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """Strengths; what is 0 or False is left out. ``elastic`` is a standard deviation in steps of the cached grid, ``weighting`` and ``skull`` are shares of the samples.

    ``exchange``: the axes in any order, after all else. With it and large rotations a network that has seen a dozen brains
    cannot learn by heart where their tumours lay, and must look at the tissue (KDNetTraining/TRYOUTS.md).
    """

    flips: bool = True
    exchange: bool = False
    rotation_degrees: float = 0.0
    scale: float = 0.0
    elastic: float = 0.0
    intensity: bool = False
    weighting: float = 0.0
    skull: float = 0.0


PRESETS = {
    "paper": Augmentation(),
    "strong": Augmentation(exchange=True, rotation_degrees=45.0, scale=0.15, elastic=3.0, intensity=True, weighting=0.5, skull=0.15),
}

#: Mean over standard deviation of a brain's brightness, 2 to 5 in BraTS's scans: so far below the mean's z-score lies 0.
_BRAIN_MEAN = 3.0


@dataclass(frozen=True)
class Geometry:
    """What was drawn: the axes (0 to 2) to flip; the rotation with scaling (3, 3) or None; the displacements or None.

    Displacements are (3, knots, knots, knots) in steps of the cached grid, to be interpolated over the sample.
    """

    flipped: tuple[int, ...]
    linear: torch.Tensor | None
    knots: torch.Tensor | None


def draw_geometry(augmentation: Augmentation, extent: tuple[int, int, int], generator: torch.Generator) -> Geometry:
    """Draw the geometry of a sample that extends over ``extent`` steps of the cached grid."""
    flipped = tuple(axis for axis in range(3) if augmentation.flips and chance(generator, 0.5))
    linear = None
    if augmentation.rotation_degrees and chance(generator, 0.5):
        limit = torch.deg2rad(torch.tensor(augmentation.rotation_degrees))
        skew = torch.zeros(3, 3)
        skew[0, 1], skew[0, 2], skew[1, 2] = uniform(generator, -1, 1, 3) * limit
        linear = torch.linalg.matrix_exp(skew - skew.T)
    if augmentation.scale and chance(generator, 0.5):
        linear = (torch.eye(3) if linear is None else linear) * uniform(generator, 1 - augmentation.scale, 1 + augmentation.scale, 1)
    knots = None
    if augmentation.elastic and chance(generator, 0.3):
        # 24 steps between knots: smooth enough for 3 steps of displacement not to fold the brain.
        knots = augmentation.elastic * torch.randn(3, *[max(3, side // 24) for side in extent], generator=generator)
    return Geometry(flipped, linear, knots)


def vary_intensities(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Contrast, brightness, bias field, gamma, low resolution, blur and noise of ``images`` (M, X, Y, Z), each modality on its own.

    Zero voxels, the background, stay zero. ``generator`` is on the CPU, wherever the images are.
    """
    return torch.stack([_vary(image, generator) for image in images])


def _vary(image, generator):
    brain = image != 0
    image = image * float(uniform(generator, 0.85, 1.15, 1)) + float(uniform(generator, -0.15, 0.15, 1))
    if chance(generator, 0.3):
        image = _biased(image, brain, generator)
    if chance(generator, 0.3):
        image = _gamma(image, brain, float(uniform(generator, 0.7, 1.5, 1)))
    if chance(generator, 0.25):
        image = _low_resolution(image, int(torch.randint(3, (1,), generator=generator)), float(uniform(generator, 1.3, 2.5, 1)))
    if chance(generator, 0.2):
        image = _blur(image, float(uniform(generator, 0.4, 0.8, 1)))
    if chance(generator, 0.3):
        # Drawn where the image is: of a 128³ sample the CPU would need 0.1 s for it.
        noise = torch.Generator(image.device).manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        image = image + float(uniform(generator, 0, 0.2, 1)) * torch.randn(image.shape, generator=noise, device=image.device)
    return image * brain


def _gamma(image, brain, exponent):
    """Power law on z-scores −4 to 8, z-scored again over the brain."""
    low, high = -4.0, 8.0
    return _z_scored(((image - low) / (high - low)).clamp(0, 1).pow(exponent), brain)


def _biased(image, brain, generator):
    """Coil sensitivity: brightness, not its z-score, varies by a factor exp(0.25 n), n normal, over half of the sample; z-scored again."""
    field = (0.25 * _smooth(image.shape, 3, generator, image.device)).exp()
    return _z_scored((image + _BRAIN_MEAN) * field, brain)


def _smooth(shape, knots, generator, device):
    """Normal numbers at ``knots`` places along each axis of ``shape``, linear in between."""
    numbers = torch.randn(1, 1, knots, knots, knots, generator=generator).to(device)
    return functional.interpolate(numbers, size=tuple(shape), mode="trilinear", align_corners=True)[0, 0]


def _z_scored(image, brain):
    count = brain.sum().clamp(min=1)
    mean = (image * brain).sum() / count
    deviation = (((image - mean) * brain).square().sum() / count).sqrt()
    return (image - mean) / deviation.clamp(min=1e-4)


def vary_weighting(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """``images`` (4, X, Y, Z; in the order of MODALITIES) with the T1ce of another protocol, z-scored again; the others as they are.

    Half to one and a half of the contrast agent's effect, which is the difference of T1ce and T1; and a stronger or
    weaker T1 weighting, which darkens or brightens what has a long T1, and with it a long T2: edema and fluid.
    """
    enhancement, weighting = (float(uniform(generator, low, high, 1)) for low, high in ((-0.5, 0.5), (-0.2, 0.5)))
    t1, t1ce, t2, flair = images
    brain = t1ce != 0
    mixed = _z_scored(t1ce + enhancement * (t1ce - t1) - weighting * t2, brain)
    return torch.stack([t1, torch.where(brain, mixed, 0.0), t2, flair])


def leave_skull(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """``images`` (M, X, Y, Z) with pieces of skull that brain extraction might have left, in the same places in all of them.

    They lie 2 to 4 voxels outside the brain, as bright as it or brighter, and count in the z-scores as they would in a scan's.
    """
    brain = (images != 0).any(dim=0)
    near, far = (_dilated(brain, voxels) for voxels in (1, 4))
    pieces = far & ~near & (_smooth(brain.shape, 6, generator, images.device) > 0.5)
    levels = uniform(generator, 0, 4, len(images)).tolist()
    return torch.stack([torch.where(pieces | brain, _z_scored(torch.where(pieces, level, image), pieces | brain), 0.0) for image, level in zip(images, levels)])


def _dilated(mask, voxels):
    """``mask`` (X, Y, Z) and all within a cube of ``voxels`` to each side."""
    grown = mask[None].float()
    for axis in range(3):
        kernel = [2 * voxels + 1 if each == axis else 1 for each in range(3)]
        grown = functional.max_pool3d(grown, kernel, stride=1, padding=[side // 2 for side in kernel])
    return grown[0] > 0


def _low_resolution(image, axis, factor):
    """As if acquired in slices ``factor`` times as thick along ``axis``."""
    coarse = list(image.shape)
    coarse[axis] = max(2, int(coarse[axis] / factor))
    small = functional.interpolate(image[None, None], size=coarse, mode="trilinear", align_corners=False)
    return functional.interpolate(small, size=image.shape, mode="trilinear", align_corners=False)[0, 0]


def _blur(image, sigma):
    """Gaussian of ``sigma`` voxels, five voxels wide, axis by axis."""
    weights = torch.exp(-0.5 * (torch.arange(-2.0, 3.0, device=image.device) / sigma).square())
    weights = weights / weights.sum()
    for axis in range(3):
        kernel = weights.reshape([5 if each == axis else 1 for each in range(3)])[None, None]
        image = functional.conv3d(image[None, None], kernel, padding=[2 if each == axis else 0 for each in range(3)])[0, 0]
    return image


def uniform(generator: torch.Generator, low: float, high: float, count: int) -> torch.Tensor:
    """``count`` numbers from ``low`` to ``high``."""
    return low + (high - low) * torch.rand(count, generator=generator)


def chance(generator: torch.Generator, probability: float) -> bool:
    """True in a share of ``probability`` (0 to 1) of the draws."""
    return bool(torch.rand(1, generator=generator) < probability)
