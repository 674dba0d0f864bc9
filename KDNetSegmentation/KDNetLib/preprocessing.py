"""From a scan on its own grid to the network's input, and from the network's output back, voxel for voxel.

Two presets. ``whole-brain`` takes the box of non-zero voxels, so that no tumour falls outside; it is what ships.
``paper`` takes the central 128 mm cube at 2 mm (128³ subsampled to 64³ on BraTS's 1 mm grid), as the paper says.
Both: axes turned to the nearest of RAS, z-score over the non-zero voxels, isotropic ``spacing``.
"""

import functools
import math
from dataclasses import dataclass

import nibabel.orientations as orientations
import numpy as np

from KDNetLib.bounding_box import bounding_box, extent
from KDNetLib.errors import InputError
from KDNetLib.labels import decided, most_probable
from KDNetLib.networks.limits import padded_side
from KDNetLib.resampling import axis_weights, resample
from KDNetLib.voxel_size import voxel_spacing

PRESETS = ("whole-brain", "paper")
_PAPER_SIDE_MM = 128.0
#: Voxels of the native grid brought back at once, which bounds the memory of fine grids (4 classes, float32: 64 MB).
_SLAB_VOXELS = 4_000_000
#: Shares sum to 1, so that a voxel with this much of background is background: few are left to bring back and compare.
_BACKGROUND = 0.6


@dataclass(frozen=True)
class Preprocessing:
    """A preset and the network's isotropic voxel ``spacing`` in mm; part of every model file."""

    preset: str = "whole-brain"
    spacing: float = 2.0

    def __post_init__(self):
        if self.preset not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, not {self.preset!r}")
        if type(self.spacing) not in (int, float) or not 0.5 <= self.spacing <= 8:
            raise ValueError(f"spacing must be from 0.5 to 8 mm, not {self.spacing!r}")

    def prepare(self, channels: list[np.ndarray], affine: np.ndarray, divisor: int = 1) -> "PreparedInput":
        """Prepare co-registered ``channels``, each (I, J, K) float32 with background 0, for the network.

        ``affine`` is 4×4, voxel index to RAS mm; ``divisor`` is what each side of the result must be a multiple of,
        and at least twice.
        Raises InputError where the box holds no voxel that is not zero.
        """
        to_ras = orientations.io_orientation(affine)
        turned = [orientations.apply_orientation(channel, to_ras) for channel in channels]
        spacing = np.empty(3)
        spacing[to_ras[:, 0].astype(int)] = voxel_spacing(affine)
        box = self._box(turned, spacing)
        grid = _Grid.over(box, spacing, self.spacing, divisor)
        cropped = _cropped(turned, box)
        used = [channel != 0 for channel in cropped]
        foreground = _any(used)
        if not foreground.any():
            raise InputError("The part of the scan that the network looks at is empty; check the scan's position and its background.")
        for channel, of_channel in zip(cropped, used):
            _z_score(channel, of_channel)
        array = np.ascontiguousarray(resample(cropped, grid.weights_in()))
        return PreparedInput(array, channels[0].shape, to_ras, box, grid, foreground)

    def _box(self, turned: list[np.ndarray], spacing: np.ndarray) -> tuple[slice, slice, slice]:
        shape = turned[0].shape
        if self.preset == "paper":
            sides = [max(1, round(_PAPER_SIDE_MM / step)) for step in spacing]
            starts = [(size - side) // 2 for size, side in zip(shape, sides)]
            return tuple(slice(max(0, start), min(size, start + side)) for start, side, size in zip(starts, sides, shape))
        return bounding_box(_any([channel != 0 for channel in turned]))


@dataclass(frozen=True)
class _Grid:
    """The network's grid over a box: per axis its voxels, the box's voxels, and where sample 0 lies in the box."""

    size: tuple[int, ...]
    box_size: tuple[int, ...]
    start: tuple[float, ...]
    step: tuple[float, ...]

    @classmethod
    def over(cls, box, spacing, target: float, divisor: int) -> "_Grid":
        size, box_size, start, step = [], [], [], []
        for side, native in zip(box, spacing):
            count = side.stop - side.start
            needed = max(1, math.ceil(count * native / target - 1e-6))
            padded = padded_side(needed, divisor)
            ratio = float(target / native)
            size.append(padded)
            box_size.append(count)
            step.append(ratio)
            # Centres coincide up to half a voxel: cell edges meet, so that 1 mm on a 1 mm grid is a pure crop.
            centred = (count - ratio * padded) / 2
            edge = math.floor(centred + 1e-6)
            if edge + ratio * padded < count - 1e-6:  # rounding down would leave the box's last voxel outside
                edge = centred
            start.append(edge + (ratio - 1) / 2)
        return cls(tuple(size), tuple(box_size), tuple(start), tuple(step))

    def weights_in(self):
        return tuple(axis_weights(*axis) for axis in zip(self.box_size, self.size, self.start, self.step))

    def weights_back(self):
        return tuple(
            axis_weights(size, box_size, -start / step, 1 / step)
            for box_size, size, start, step in zip(self.box_size, self.size, self.start, self.step)
        )


@dataclass(frozen=True)
class PreparedInput:
    """The network's input ``array`` (C, X, Y, Z) float32 in RAS axis order, with the record of how to go back."""

    array: np.ndarray
    _shape: tuple[int, int, int]
    _to_ras: np.ndarray
    _box: tuple[slice, slice, slice]
    _grid: _Grid
    _foreground: np.ndarray

    def labels_like_input(self, classes: np.ndarray) -> np.ndarray:
        """A label map (I, J, K) uint8 of the scan's own grid, on the network's grid: the class that fills most of a voxel."""
        turned = orientations.apply_orientation(classes, self._to_ras)[self._box]
        shares = np.stack([turned == index for index in range(int(turned.max()) + 1)]).astype(np.float32)
        return most_probable(resample(shares, self._grid.weights_in()))

    def restore(self, probabilities: np.ndarray, keep: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
        """Bring class ``probabilities`` (classes, X, Y, Z) float32 on the network's grid back to the input's own grid.

        Returns the classes (I, J, K) uint8 (:func:`KDNetLib.labels.decided`), and the probabilities (classes, I, J, K) float16 where ``keep``, else None.
        Both lie in memory as NIfTI files hold them, first axis fastest.
        Voxels that are zero in every channel, and all outside the box, are background: no reference of BraTS 2021's
        24 open cases labels a zero voxel, and interpolation would carry labels over the brain's edge.
        """
        classes = np.zeros(self._shape, dtype=np.uint8, order="F")
        in_box = orientations.apply_orientation(classes, self._to_ras)[self._box]
        kept = kept_in_box = None
        if keep:
            kept = np.zeros((*self._shape, len(probabilities)), dtype=np.float16, order="F").transpose(3, 0, 1, 2)
            kept[0] = 1
            kept_in_box = [orientations.apply_orientation(share, self._to_ras)[self._box] for share in kept]
        weights = self._grid.weights_back()
        rows = [slice(0, size) for size in self._grid.box_size] if keep else _rows_that_see(probabilities[0] < _BACKGROUND, weights)
        planes = max(1, _SLAB_VOXELS // max(1, (rows[1].stop - rows[1].start) * (rows[2].stop - rows[2].start)))
        for begin in range(rows[0].start, rows[0].stop, planes):
            slab = (slice(begin, min(begin + planes, rows[0].stop)), *rows[1:])
            part = resample(probabilities, tuple(of_axis[used] for of_axis, used in zip(weights, slab)))
            inside = self._foreground[slab]
            found = np.unravel_index(np.flatnonzero(inside & (part[0] < _BACKGROUND)), inside.shape)
            in_box[slab][found] = decided(part[(slice(None), *found)])
            if keep:
                for share, of_class in zip(kept_in_box, part.astype(np.float16)):
                    np.copyto(share[slab], of_class, where=inside)
        return classes, kept


def _rows_that_see(mask: np.ndarray, weights: tuple[np.ndarray, np.ndarray, np.ndarray]) -> list[slice]:
    """Per axis the samples, rows of ``weights``, that take anything from the box of ``mask``: all others are means of voxels outside it."""
    return [extent(of_axis[:, seen].any(axis=1)) for of_axis, seen in zip(weights, bounding_box(mask))]


def _cropped(channels: list[np.ndarray], box: tuple[slice, slice, slice]) -> np.ndarray:
    """The ``box`` of all ``channels`` as (C, X, Y, Z) float32, last axis fastest.

    Copied by planes, which stay in the cache: files hold the first axis fastest, and a copy in one go takes twice as long.
    """
    cropped = np.empty((len(channels), *channels[0][box].shape), dtype=np.float32)
    for target, channel in zip(cropped, channels):
        source = channel[box]
        for plane in range(source.shape[1]):
            target[:, plane] = source[:, plane]
    return cropped


def _z_score(channel: np.ndarray, foreground: np.ndarray) -> None:
    """Make ``channel`` (x − mean) / sd over ``foreground``, which alone is changed; without spread it is only centred."""
    values = channel[foreground]
    if len(values):
        mean, deviation = values.mean(dtype=np.float64), values.std(dtype=np.float64)
        channel[foreground] = (values - np.float32(mean)) / np.float32(deviation or 1)


def _any(masks) -> np.ndarray:
    """Where any of ``masks`` is true. Not logical_or.reduce, which first copies them into one array."""
    return functools.reduce(np.logical_or, masks)
