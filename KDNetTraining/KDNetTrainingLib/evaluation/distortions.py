"""What clinics send instead of a tidy research scan: each distortion is one function of a scan and its reference.

Thick slices, a turned head, another contrast, coil sensitivity, noise, other number types, other grids and backgrounds,
left-over pieces of skull. The reference goes along, so that Dice is measured on the distorted scan's own grid. A
distortion draws from the generator it is given and from nothing else.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import nibabel.orientations as orientations
import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from KDNetLib.resampling import axis_weights
from KDNetLib.voxel_size import voxel_spacing
from KDNetTrainingLib.phantom.fields import along, smooth_noise

_CLASSES = 4
#: Axis of RAS space across which the slices of each orientation lie.
_ACROSS = {"sagittal": 0, "coronal": 1, "axial": 2}
_SPACINGS_MM = (3.0, 4.5, 6.0)
_DEGREES = 15.0
#: How far a voxel of a head, 100 mm from its centre at most, moves by the rotation: what the grid grows by on each side.
_ROTATION_MARGIN_MM = 27.0


@dataclass(frozen=True)
class Scan:
    """``array`` (I, J, K) with background 0, ``classes`` (I, J, K) uint8 indices 0 to 3, ``affine`` 4×4 to RAS mm."""

    array: np.ndarray
    classes: np.ndarray
    affine: np.ndarray

    @property
    def brain(self) -> np.ndarray:
        """Where the scan is not background, (I, J, K) bool."""
        return self.array != 0


Distortion = Callable[[Scan, np.random.Generator], Scan]


def thick_slices(scan: Scan, rng: np.random.Generator, orientation: str, spacing: float) -> Scan:
    """Slices of ``spacing`` mm in ``orientation``: means over the slice of what is brain, as of a brain extracted afterwards.

    A slice's voxel is brain where half of it or more is; its label is the class that fills most of it. A scan that is
    as coarse already stays as it is.
    """
    axis = int(np.flatnonzero(orientations.io_orientation(scan.affine)[:, 0] == _ACROSS[orientation])[0])
    step = spacing / voxel_spacing(scan.affine)[axis]
    if step <= 1:
        return scan
    side = scan.array.shape[axis]
    weights = axis_weights(side, int(np.ceil(side / step)), (step - 1) / 2, step)
    array = _mean_of_brain(scan, lambda volume: along(volume, weights, axis))
    shares = np.stack([along((scan.classes == index).astype(np.float32), weights, axis) for index in range(_CLASSES)])
    affine = scan.affine.copy()
    affine[:3, 3] += affine[:3, axis] * (step - 1) / 2
    affine[:3, axis] *= step
    return Scan(array, shares.argmax(axis=0).astype(np.uint8), affine)


def rotated(scan: Scan, rng: np.random.Generator) -> Scan:
    """The head turned by 15° about a random axis through its centre: linear interpolation, labels of the nearest voxel."""
    spacing = voxel_spacing(scan.affine)
    scan = _padded(scan, [(margin, margin) for margin in np.ceil(_ROTATION_MARGIN_MM / spacing).astype(int)])
    axis = rng.normal(size=3)
    turn = Rotation.from_rotvec(np.deg2rad(_DEGREES) * axis / np.linalg.norm(axis)).as_matrix()
    matrix = turn * spacing / spacing[:, None]  # in millimetres, between voxel indices
    centre = np.array([index.mean() for index in np.nonzero(scan.brain)])
    offset = centre - matrix @ centre
    array = _mean_of_brain(scan, lambda volume: ndimage.affine_transform(volume, matrix, offset, order=1))
    return replace(scan, array=array, classes=ndimage.affine_transform(scan.classes, matrix, offset, order=0))


def bias_field(scan: Scan, rng: np.random.Generator) -> Scan:
    """Coil sensitivity: brightness varies by a factor exp(0.25 n), n normal, over about 70 mm."""
    length = max(2.0, 70 / voxel_spacing(scan.affine).mean())
    return replace(scan, array=scan.array * np.exp(np.float32(0.25) * smooth_noise(rng, scan.array.shape, length)))


def noise(scan: Scan, rng: np.random.Generator) -> Scan:
    """Rician noise (magnitude of a complex signal) whose standard deviation is a tenth of the brain's median."""
    sigma = np.float32(0.1 * np.median(scan.array[scan.brain]))
    real, imaginary = (sigma * rng.standard_normal(scan.array.shape, dtype=np.float32) for _ in range(2))
    return replace(scan, array=np.where(scan.brain, np.hypot(scan.array + real, imaginary), np.float32(0)))


def gamma(scan: Scan, rng: np.random.Generator, exponent: float) -> Scan:
    """Another contrast: the brain's brightness, from 0 to 1, to the power of ``exponent``."""
    return _in_brain(scan, 1 + 999 * _brightness(scan) ** exponent)


def stored_as(scan: Scan, rng: np.random.Generator, kind: str, first: float, last: float) -> Scan:
    """The brain's brightness in numbers of the type ``kind`` from ``first`` to ``last``, rounded where it has whole numbers."""
    values = first + (last - first) * _brightness(scan)
    scan = _in_brain(scan, np.rint(values) if np.dtype(kind).kind in "iu" else values)
    return replace(scan, array=scan.array.astype(kind))


def zero_padding(scan: Scan, rng: np.random.Generator) -> Scan:
    """A larger field of view, the head off its centre: zeros at five of the six faces, 10 to 40 voxels."""
    return _padded(scan, [(40, 10), (0, 30), (20, 10)])


def other_background(scan: Scan, rng: np.random.Generator, value: float) -> Scan:
    """The background is ``value`` instead of 0."""
    return replace(scan, array=np.where(scan.brain, scan.array, np.float32(value)))


def skull_pieces(scan: Scan, rng: np.random.Generator) -> Scan:
    """Pieces that brain extraction left over: about a fifth of a shell 2 to 8 mm outside the brain, bright as fat on T1."""
    spacing = voxel_spacing(scan.affine)
    outside = ndimage.distance_transform_edt(~scan.brain, sampling=spacing)
    pieces = (outside > 2) & (outside < 8) & (smooth_noise(rng, scan.array.shape, max(2.0, 25 / spacing.mean())) > 0.8)
    bright = np.float32(1.8 * np.median(scan.array[scan.brain])) * rng.uniform(0.7, 1.3, int(pieces.sum()))
    array = scan.array.copy()
    array[pieces] = bright
    return replace(scan, array=array)


def smaller_field(scan: Scan, rng: np.random.Generator) -> Scan:
    """A fifth of the brain's height is not in the scan: at its lower end, or at the upper where the tumour lies lower."""
    to_ras = orientations.io_orientation(scan.affine)
    axis = int(np.flatnonzero(to_ras[:, 0] == 2)[0])
    others = tuple({0, 1, 2} - {axis})
    brain, tumour = (np.flatnonzero(mask.any(axis=others)) for mask in (scan.brain, scan.classes != 0))
    first, last = int(brain[0]), int(brain[-1]) + 1
    cut = round((last - first) / 5)
    lower_end_is_first = to_ras[axis, 1] > 0
    tumour_is_near_first = len(tumour) and tumour.mean() < (first + last) / 2
    from_first = lower_end_is_first if not len(tumour) else not tumour_is_near_first
    kept = slice(first + cut, None) if from_first else slice(None, last - cut)
    place = tuple(kept if each == axis else slice(None) for each in range(3))
    affine = scan.affine.copy()
    affine[:3, 3] += affine[:3, axis] * (kept.start or 0)
    return Scan(scan.array[place], scan.classes[place], affine)


def undistorted(scan: Scan, rng: np.random.Generator) -> Scan:
    """The scan as it is: what the others are compared with."""
    return scan


UNDISTORTED = "undistorted"
#: Name -> distortion, in the order of the table.
DISTORTIONS: dict[str, Distortion] = {
    UNDISTORTED: undistorted,
    **{
        f"{orientation}-{spacing:g}mm": partial(thick_slices, orientation=orientation, spacing=spacing)
        for orientation in ("axial", "coronal", "sagittal")
        for spacing in _SPACINGS_MM
    },
    "rotated-15": rotated,
    "bias-field": bias_field,
    "noise": noise,
    "gamma-0.7": partial(gamma, exponent=0.7),
    "gamma-1.5": partial(gamma, exponent=1.5),
    "int16": partial(stored_as, kind="int16", first=1, last=1000),
    "uint8": partial(stored_as, kind="uint8", first=1, last=255),
    "tiny-floats": partial(stored_as, kind="float64", first=1e-6, last=1e-4),
    "zero-padding": zero_padding,
    "background-1024": partial(other_background, value=-1024),
    "skull-pieces": skull_pieces,
    "smaller-field": smaller_field,
}


def distort(scan: Scan, name: str, case: str, seed: int) -> Scan:
    """``scan`` of ``case`` after the distortion called ``name`` (key of DISTORTIONS): the same for the same three and ``seed``."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), zlib.crc32(case.encode())])
    return DISTORTIONS[name](scan, rng)


def _mean_of_brain(scan: Scan, mean: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The local ``mean`` over brain alone, so that its rim does not darken; 0 where less than half is brain."""
    share = mean(scan.brain.astype(np.float32))
    return np.where(share >= 0.5, mean(scan.array) / np.maximum(share, np.float32(0.5)), np.float32(0))


def _padded(scan: Scan, margins: list[tuple[int, int]]) -> Scan:
    affine = scan.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ [before for before, _ in margins]
    return Scan(np.pad(scan.array, margins), np.pad(scan.classes, margins), affine)


def _brightness(scan: Scan) -> np.ndarray:
    """The brain from 0 (its darkest voxel) to 1 (its 99.9th percentile, and what is brighter)."""
    values = scan.array[scan.brain]
    low, high = values.min(), np.percentile(values, 99.9)
    return np.clip((scan.array - low) / (high - low), 0, 1)


def _in_brain(scan: Scan, values: np.ndarray) -> Scan:
    return replace(scan, array=np.where(scan.brain, values, np.float32(0)))
