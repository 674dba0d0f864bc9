"""What is refused and what is only warned of, for an image from any source (file, Slicer, console).

A refusal is an InputError with one sentence; a warning is one sentence in a list, and the work goes on.
"""

import numpy as np

from KDNetLib.bounding_box import bounding_box
from KDNetLib.errors import InputError
from KDNetLib.image_io import Image, check_shape
from KDNetLib.voxel_size import voxel_spacing

#: A skull-stripped brain with a tumour fills 1.2 to 2.0 l; a head fills 3 to 6.
LARGEST_BRAIN_ML = 2300.0
#: Share of voxels that are background in a skull-stripped scan is 78 to 88 % in BraTS; a tight crop keeps over 30 %.
LEAST_BACKGROUND = 0.05
THICK_SLICE_MM = 4.0
SMALLEST_FIELD_MM = 100.0
LARGEST_FIELD_MM = 1000.0


def usable_image(image: Image, brain_mask: np.ndarray | None = None) -> tuple[Image, list[str]]:
    """The image with float32 voxels, NaN and an odd background set to zero, masked; and the warnings.

    Args:
        image: any real voxel type, any orientation.
        brain_mask: (I, J, K) of the same shape; non-zero is brain. Voxels outside are set to zero.
    Raises:
        InputError: not 3-D, not real numbers, affine singular, empty, constant, or without a finite voxel.
    """
    array, name = np.asarray(image.array), image.name
    check_shape(name, array.shape)
    if array.dtype.kind not in "iufb":
        raise InputError(f"{name} holds {array.dtype} values; export the magnitude image as plain numbers.")
    spacing = _spacing(image)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        low, high = np.array([array.min(), array.max()], dtype=np.float32)  # of small integers faster than of float32
        array = array.astype(np.float32)
    warnings, lost = [], None
    if not np.isfinite([low, high]).all():  # min and max pass NaN on
        lost = ~np.isfinite(array)
        if lost.all():
            raise InputError(f"{name} has no finite voxel (all are NaN or infinite); export it again.")
        warnings.append(f"{100 * lost.mean():.2g} % of the voxels are NaN or infinite; they count as background.")
        array[lost] = 0
        low, high = array.min(), array.max()
    if low == high:
        what = "empty (every voxel is 0)" if array.flat[0] == 0 else f"constant (every voxel is {array.flat[0]:g})"
        raise InputError(f"{name} is {what}; choose the post-contrast T1 scan.")
    array, background_warning = _with_zero_background(array, lost)
    warnings += background_warning
    if brain_mask is not None:
        array = _masked(array, brain_mask, image.path.name if image.path else "the scan")
    warnings += _geometry_warnings(array, spacing, brain_mask is not None)
    return Image(array, np.asarray(image.affine, dtype=float), image.path), warnings


def result_warnings(classes: np.ndarray) -> list[str]:
    """Warnings about a finished label map (class indices 0 to 3)."""
    if not classes.any():
        return ["No tumour was found."]
    if not (classes == 3).any():
        return ["No enhancing tumour was found; that is usual in low-grade glioma, but check that the scan is post-contrast."]
    return []


def _spacing(image: Image) -> np.ndarray:
    affine = np.asarray(image.affine, dtype=float)
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise InputError(f"{image.name} has no valid affine; convert it from DICOM again.")
    spacing = voxel_spacing(affine)
    if spacing.min() < 1e-3 or abs(np.linalg.det(affine[:3, :3] / spacing)) < 0.1:
        raise InputError(f"{image.name} has a degenerate affine (its axes do not span space); convert it from DICOM again.")
    if spacing.max() > 50:
        raise InputError(f"{image.name} has a voxel spacing of {spacing.max():g} mm, which no brain scan has; correct its header.")
    field = (spacing * image.array.shape).max()
    if field > LARGEST_FIELD_MM:  # its grid at the network's spacing might need any amount of memory
        raise InputError(f"{image.name} covers {field:.0f} mm, more than any brain scan; correct the voxel spacing in its header.")
    return spacing


def _with_zero_background(array: np.ndarray, lost: np.ndarray | None) -> tuple[np.ndarray, list[str]]:
    """Some tools write background as −1 or −1024: where all corners hold one such value, it becomes the zero.

    Voxels in the mask ``lost`` are 0 before and after, and say nothing of the background.
    """
    at_corners = np.ix_(*[(0, -1)] * 3)
    corners = array[at_corners] if lost is None else array[at_corners][~lost[at_corners]]
    if corners.size == 0 or corners.flat[0] == 0 or (corners != corners.flat[0]).any() or (array == corners.flat[0]).mean() < 0.1:
        return array, []
    value = corners.flat[0]
    array = array - value
    if lost is not None:
        array[lost] = 0
    return array, [f"The background is {value:g} instead of 0; it was taken as 0."]


def _masked(array: np.ndarray, brain_mask: np.ndarray, name: str) -> np.ndarray:
    if brain_mask.shape != array.shape:
        raise InputError(
            f"The brain mask has {'×'.join(map(str, brain_mask.shape))} voxels and {name} has "
            f"{'×'.join(map(str, array.shape))}; make the mask on the scan's own grid."
        )
    masked = np.where(np.asarray(brain_mask) != 0, array, np.float32(0))
    if not masked.any():
        raise InputError(f"The brain mask covers no voxel of {name} that is not zero; choose the mask made for this scan.")
    return masked


def _geometry_warnings(array: np.ndarray, spacing: np.ndarray, masked: bool) -> list[str]:
    warnings = []
    foreground = array != 0
    voxels = np.count_nonzero(foreground)
    volume_ml = voxels * spacing.prod() / 1000
    if not masked and (voxels > (1 - LEAST_BACKGROUND) * foreground.size or volume_ml > LARGEST_BRAIN_ML):
        warnings.append(
            "The scan does not look skull-stripped, so the result is unreliable: "
            "extract the brain first (HD-BET) or give a brain mask."
        )
    if spacing.max() > THICK_SLICE_MM:
        warnings.append(f"The slices are thick ({spacing.max():.1f} mm); small parts may be missed and volumes are coarse.")
    extent = [side.stop - side.start for side in bounding_box(foreground)]
    field = (np.array(extent) * spacing).min()
    if field < SMALLEST_FIELD_MM:
        warnings.append(f"The scan covers only {field:.0f} mm in one direction, less than a brain; the result may be incomplete.")
    return warnings
