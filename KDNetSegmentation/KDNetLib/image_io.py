"""Reading images and label maps from files, and writing label maps, through nibabel."""

import gzip
import math
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np

from KDNetLib.atomic_file import replacing
from KDNetLib.errors import InputError
from KDNetLib.labels import from_classes

#: More voxels than any brain scan has: a header claiming more is damaged or hostile (4096 × 512 × 512).
MAX_VOXELS = 2**30
#: How many bytes one byte on disk can become, by the file's ending: deflate packs at most 1032 into one.
_EXPANSION = {".nii": 1, ".gz": 1032, ".mgz": 1032}


@dataclass(frozen=True)
class Image:
    """A 3-D scan: ``array`` (I, J, K) of any real type, ``affine`` 4×4 from voxel index to RAS mm, ``path`` or None."""

    array: np.ndarray
    affine: np.ndarray
    path: Path | None = None

    @property
    def name(self) -> str:
        """How messages call it: the file's name, or "the image" where it came from memory."""
        return self.path.name if self.path else "The image"


def read_image(path) -> Image:
    """Read a 3-D scan (NIfTI, or whatever else nibabel reads); a 4-D file with one volume counts as 3-D.

    Raises InputError for a file that is missing, unreadable, truncated, not 3-D, complex or colour, or has no affine.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}; check the name and the folder.")
    try:
        file = nibabel.load(path)
        shape = file.shape
    except Exception as error:  # nibabel's readers raise many kinds for damaged headers
        raise InputError(f"{path.name} cannot be read as a NIfTI image ({_first_line(error)}); convert or export it again.") from error
    if set(shape[3:]) == {1}:
        shape = shape[:3]
    check_shape(path.name, shape)
    _check_type(path.name, file.get_data_dtype())
    _check_affine_is_set(path.name, file)
    _check_size(path, math.prod(shape) * file.get_data_dtype().itemsize)
    try:
        array = _voxels(path, file).reshape(shape)
    except Exception as error:  # a truncated gzip stream raises EOFError, zlib.error, OSError or ValueError
        raise InputError(f"{path.name} is truncated or damaged ({_first_line(error)}); copy or export it again.") from error
    return Image(array, np.asarray(file.affine, dtype=float), path)


def read_labelmap(path) -> Image:
    """Read a label map as integers of its own values. Raises InputError as :func:`read_image`, and for fractions."""
    image = read_image(path)
    with np.errstate(invalid="ignore"):  # values too large for the type differ below
        rounded = np.rint(np.nan_to_num(image.array)).astype(np.int32)
    if not np.array_equal(rounded, image.array):
        raise InputError(f"{image.name} holds values that are not whole numbers, so it is not a label map; choose the segmentation file.")
    return Image(rounded, image.affine, image.path)


def write_labelmap(path, classes: np.ndarray, affine: np.ndarray) -> None:
    """Write class indices 0 to 3 (I, J, K) as a NIfTI of BraTS values 0, 1, 2, 4. See :func:`write_array`."""
    write_array(path, from_classes(classes), affine)


def write_array(path, array: np.ndarray, affine: np.ndarray) -> None:
    """Write ``array`` as NIfTI, atomically: a kill or a full disk leaves the old file or none, never half a one.

    Raises InputError where the folder cannot be written.
    """
    path = Path(path)
    if not path.name.endswith((".nii", ".nii.gz")):
        raise InputError(f"The output {path.name} must end in .nii or .nii.gz; choose such a name.")
    image = nibabel.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    try:
        with replacing(path) as partial:
            nibabel.save(image, partial)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror or error}); choose another folder or free some space.") from error


def check_shape(name: str, shape: tuple[int, ...]) -> None:
    """Raise InputError where ``shape`` is not that of one 3-D scan."""
    if len(shape) > 3:
        raise InputError(f"{name} is {len(shape)}-D ({math.prod(shape[3:])} volumes); extract the post-contrast T1 volume and give that alone.")
    if len(shape) != 3 or min(shape) == 1:
        raise InputError(f"{name} is not a 3-D volume (its shape is {'×'.join(map(str, shape))}); give the whole scan, not one slice.")
    if min(shape) == 0:
        raise InputError(f"{name} has no voxels (its shape is {'×'.join(map(str, shape))}); export it again.")
    if np.prod([float(side) for side in shape]) > MAX_VOXELS:
        raise InputError(f"{name} claims {'×'.join(map(str, shape))} voxels, more than any brain scan has; its header is damaged, export it again.")


def _check_type(name: str, dtype: np.dtype) -> None:
    if dtype.fields is not None or dtype.kind not in "iuf":
        kind = "complex" if dtype.kind == "c" else "colour or compound"
        raise InputError(f"{name} holds {kind} values; export the magnitude image as plain numbers.")


def _check_affine_is_set(name: str, file) -> None:
    header, why = file.header, None
    if hasattr(header, "get_sform"):
        if not header["sform_code"] and not header["qform_code"]:
            why = "its sform and qform codes are 0"
    elif isinstance(file, nibabel.AnalyzeImage):
        why = "the Analyze format stores none"
    if why:
        raise InputError(f"{name} has no affine ({why}), so left and right cannot be told; convert it from DICOM again.")


def _check_size(path: Path, needed: int) -> None:
    """Refuse a header that claims more bytes than the file can hold before memory is set aside for them."""
    expansion = _EXPANSION.get(path.suffix.lower())
    if expansion and path.stat().st_size * expansion < needed:
        raise InputError(f"{path.name} is truncated or damaged (it is too small for the {needed} bytes its header claims); copy or export it again.")


def _voxels(path: Path, file) -> np.ndarray:
    """The voxels of ``file``; a compressed one is read to its end, where alone gzip compares its checksum."""
    if path.suffix.lower() not in (".gz", ".mgz") or not hasattr(file, "from_stream"):
        return np.asanyarray(file.dataobj)
    with gzip.open(path) as stream:
        array = np.asanyarray(type(file).from_stream(stream).dataobj)
        while stream.read(2**20):
            pass
    return array


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")[:120]
