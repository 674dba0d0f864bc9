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


def read_weights(path, header: dict, manifest: Manifest) -> dict[str, np.ndarray]:
    """The arrays of the file whose checked ``header`` and ``manifest`` are given, as they are stored (float16 or float32).

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
    return weights
