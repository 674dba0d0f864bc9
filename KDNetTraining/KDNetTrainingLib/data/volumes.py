"""Reading single volumes of a 4-D file, as the Medical Segmentation Decathlon packs the modalities."""

import zlib
from pathlib import Path

import nibabel
import numpy as np

from KDNetLib.errors import InputError
from KDNetLib.image_io import Image, check_shape, read_image


def read_volume(path: Path, volume: int | None) -> Image:
    """The 3-D scan in ``path``, or the ``volume``-th (from 0) of a 4-D file. Raises InputError as ``read_image``."""
    if volume is None:
        return read_image(path)
    affine, shape = grid_of(path)
    if len(shape) != 4 or not 0 <= volume < shape[3]:
        sides = "×".join(map(str, shape))
        raise InputError(f"{path.name} has the shape {sides}, where volume {volume + 1} of four modalities is needed; unpack it again.")
    check_shape(path.name, shape[:3])
    try:
        array = np.asanyarray(nibabel.load(path).dataobj[..., volume])
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"{path.name} is truncated or damaged ({error}); copy or unpack it again.") from error
    return Image(array, affine, path)


def grid_of(path: Path) -> tuple[np.ndarray, tuple[int, ...]]:
    """Affine and shape in the header of ``path``, without reading its voxels. Raises InputError where there is none."""
    if not path.is_file():
        raise InputError(f"There is no file {path}; check the name and the folder.")
    try:
        file = nibabel.load(path)
        return np.asarray(file.affine, dtype=float), tuple(file.shape)
    except Exception as error:  # nibabel's readers raise many kinds for damaged headers
        raise InputError(f"{path.name} cannot be read as a NIfTI image ({type(error).__name__}); copy or unpack it again.") from error
