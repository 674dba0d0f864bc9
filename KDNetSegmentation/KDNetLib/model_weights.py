"""The weights of a model file as numpy arrays, with everything checked that needs no network. Imports no torch."""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from KDNetLib.errors import ModelError
from KDNetLib.labels import LABELS
from KDNetLib.manifest import Manifest, check_weights
from KDNetLib.preprocessing import Preprocessing

#: What the output channels must be, since everything after the network relies on their order.
CLASSES = ["background", *(label.key for label in LABELS)]
#: Ends the name of the tensor that an 8-bit one is multiplied with, a number for each place of its first axis.
_SCALE = ".scale"


def check_use(manifest: Manifest, channels: int, classes: int) -> None:
    """Raise ValueError or TypeError where a network of so many channels and classes cannot be what ``manifest`` describes."""
    Preprocessing(**manifest.preprocessing)
    if (channels, classes) != (len(manifest.modalities), len(manifest.classes)):
        raise ValueError("its modalities or classes do not match its architecture")
    if manifest.classes != CLASSES:
        raise ValueError(f"its classes are not {', '.join(CLASSES)}")


def damaged(name: str, error: Exception) -> ModelError:
    """The error to raise where the manifest of the file ``name`` does not describe a network."""
    return ModelError(f"The manifest of {name} is damaged ({str(error)[:200]}); get the file again.")


def in_eight_bits(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """``weights`` (floating point) as they are stored in half the bytes: kernels as whole numbers to 127 with a float32 scale per first axis.

    The scale makes the largest absolute value of each part 127, so that a weight is off by at most a 254th of that.
    What has one axis, such as a bias, stays as it is.
    """
    stored = {}
    for key, value in weights.items():
        if value.ndim < 2:
            stored[key] = value
            continue
        parts = value.astype(np.float32).reshape(len(value), -1)
        largest = np.abs(parts).max(axis=1)
        scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
        stored[key] = np.rint(parts / scale[:, None]).astype(np.int8).reshape(value.shape)
        stored[key + _SCALE] = scale
    return stored


def shapes_of(header: dict) -> dict[str, list[int]]:
    """The shapes of the weights, by name, that :func:`read_weights` would give, from the file's checked ``header``."""
    tensors = {key: entry for key, entry in header.items() if key != "__metadata__"}
    scales = {key + _SCALE for key, entry in tensors.items() if entry["dtype"] == "I8"}
    return {key: entry["shape"] for key, entry in tensors.items() if key not in scales}


def read_weights(path, header: dict, manifest: Manifest) -> dict[str, np.ndarray]:
    """The arrays of the file whose checked ``header`` and ``manifest`` are given, float16 or float32 (see :func:`in_eight_bits`).

    Raises ModelError where they are truncated, not the manifest's or no numbers.
    """
    name = Path(path).name
    check_weights(path, header, manifest)
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{name} is truncated or damaged ({error}); get the file again.") from error
    if not all(np.isfinite(value).all() for value in weights.values()):
        raise ModelError(f"{name} holds weights that are no numbers, so it cannot tell anything; train it again or choose another model.")
    return {key: _scaled(key, weights, name) for key in shapes_of(header)}


def _scaled(key: str, weights: dict[str, np.ndarray], name: str) -> np.ndarray:
    value = weights[key]
    if value.dtype != np.int8:
        return value
    scale = weights.get(key + _SCALE)
    if scale is None or scale.dtype != np.float32 or scale.shape != value.shape[:1]:
        raise ModelError(f"{name} is damaged (the scale of {key[:80]!r} is missing or of a wrong shape); get the file again.")
    return value * scale.reshape(-1, *[1] * (value.ndim - 1))
