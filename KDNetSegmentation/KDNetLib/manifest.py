"""The manifest inside a model file: read and checked with the standard library alone.

A model file is a safetensors file: 8 bytes with the header's length, a JSON header, the weights. The manifest is the
JSON text under ``kdnet`` in the header's ``__metadata__``. Slicer's own process reads it to show a model's card before
torch is installed; nothing in a file is executed, and nothing is read or allocated beyond what the limits here allow.
"""

import hashlib
import json
import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from KDNetLib.errors import ModelError

#: The newest manifest this version writes and understands.
FORMAT_VERSION = 1
METADATA_KEY = "kdnet"
_MAX_HEADER_BYTES = 4 * 2**20
_MAX_WEIGHT_BYTES = 2**31
_BYTES_PER_VALUE = {"I8": 1, "F16": 2, "F32": 4}
_MAX_TEXT = 200_000
#: What each measured result says; Dice in 0 to 1.
_RESULT = {"dataset": str, "cases": int, "space": str, "dice": dict, "command": str}
_REQUIRED = {
    "format_version": int, "name": str, "title": str, "architecture": dict, "modalities": list, "preprocessing": dict,
    "classes": list, "training": dict, "measured": list, "licence": str, "citation": str, "sha256": str,
}
#: Of the optional field ``calibration``. A reader that does not know the field passes it over, so it needs no new format.
_CALIBRATION = {"map": dict, "curve": dict, "cases": int, "data": str, "command": str}
_CALIBRATED = ("ET", "TC", "WT")
#: ml; more is no speck. ``least_enhancing_ml`` and ``mirrored`` are optional like ``calibration``: no version without them was ever released.
LARGEST_SPECK_ML = 2.0


@dataclass(frozen=True)
class Manifest:
    """What a model file says of itself.

    ``name`` is short and unique among a user's models, ``title`` for people. ``architecture`` has ``name`` and
    ``parameters``; ``modalities`` are the input channels in order; ``preprocessing`` has ``preset`` and ``spacing``
    (mm); ``classes`` are the output channels in order, background first. ``training`` maps headings to text;
    ``measured`` lists results, each with ``dataset``, ``cases``, ``space``, ``dice`` (ET, TC, WT in 0 to 1) and the
    ``command`` that makes it again. ``sha256`` is that of the weights.

    ``calibration`` is None in files that give no confidence (see confidence.py). Else its ``map`` has for ET, TC and WT
    [a, b, c], b ≥ 0, 0 ≤ c ≤ 1; its ``curve`` for each the points [mean confidence, mean Dice, number of predictions] of the
    reliability curve; ``cases`` is the number of cases that both are from, ``data`` says which, ``command`` makes them
    again.

    ``least_enhancing_ml``: enhancing tumour of less than that in all counts as necrotic core (see postprocessing.py).
    ``mirrored``: the probabilities are the mean of those of the scan and of its mirror image, left and right exchanged.
    """

    format_version: int
    name: str
    title: str
    architecture: dict
    modalities: list
    preprocessing: dict
    classes: list
    training: dict
    measured: list
    licence: str
    citation: str
    sha256: str
    calibration: dict | None = None
    least_enhancing_ml: float = 0.0
    mirrored: bool = False

    @property
    def use(self) -> tuple:
        """What is the same in models that can be averaged, or calibrated together: all that is done before and after the network."""
        return self.modalities, self.preprocessing, self.classes, self.least_enhancing_ml, self.mirrored


def read_manifest(path) -> Manifest:
    """The manifest of the model file at ``path``, its weights not read.

    Raises ModelError where the file is missing, truncated, altered, foreign or of a newer format.
    """
    return parse_manifest(read_header(path), Path(path).name)


def read_header(path) -> dict:
    """The checked safetensors header: every tensor's type, shape and place, which must fill the file exactly.

    Raises ModelError. At most 4 MB are read, whatever the file claims.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= min(_MAX_HEADER_BYTES, size - 8):
                raise ModelError(f"{path.name} is not a KDNet model file, or it is truncated; get the file again.")
            header = _strict_json(file.read(length))
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read ({error.strerror}); check the name and the folder.") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path.name} is not a KDNet model file; choose a .safetensors file made by KDNet.") from error
    if not isinstance(header, dict):
        raise ModelError(f"{path.name} is not a KDNet model file; choose a .safetensors file made by KDNet.")
    _check_tensors(header, size - 8 - length, path.name)
    return header


def parse_manifest(header: dict, name: str) -> Manifest:
    """The manifest in a checked ``header``; ``name`` is the file's, for messages. Raises ModelError."""
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or not isinstance(metadata.get(METADATA_KEY), str):
        raise ModelError(f"{name} holds weights of another program, not a KDNet model; choose a file made by KDNet.")
    try:
        content = _strict_json(metadata[METADATA_KEY])
        version = content["format_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"The manifest of {name} is damaged; get the file again.") from error
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ModelError(f"{name} has model format {version} and this KDNet knows up to {FORMAT_VERSION}; update KDNet.")
    for field, kind in _REQUIRED.items():
        value = content.get(field)
        if not isinstance(value, kind) or isinstance(value, bool) or (kind is int and value < 1):
            raise ModelError(f"The manifest of {name} is damaged (its field {field} is missing or of a wrong kind); get the file again.")
    _check_texts(content, name)
    _check_calibration(content.get("calibration"), name)
    speck = content.get("least_enhancing_ml", 0.0)
    if type(speck) not in (int, float) or not 0 <= speck <= LARGEST_SPECK_ML:
        reason = f"its least_enhancing_ml is not a volume from 0 to {LARGEST_SPECK_ML:g}"
        raise ModelError(f"The manifest of {name} is damaged ({reason}); get the file again.")
    mirrored = content.get("mirrored", False)
    if type(mirrored) is not bool:
        raise ModelError(f"The manifest of {name} is damaged (its mirrored is neither true nor false); get the file again.")
    required = {field: content[field] for field in _REQUIRED}
    return Manifest(**required, calibration=content.get("calibration"), least_enhancing_ml=speck, mirrored=mirrored)


def weights_hash(tensors: Iterable[tuple[str, str, list[int], bytes]]) -> str:
    """SHA-256 over the (name, type, shape, bytes in C order) of every tensor, in the order of names; types as "F16"."""
    digest = hashlib.sha256()
    for key, kind, shape, content in tensors:
        digest.update(f"{key} {kind} {list(shape)}\n".encode("utf-8", "surrogatepass"))
        digest.update(content)
    return digest.hexdigest()


def check_weights(path, header: dict, manifest: Manifest) -> None:
    """Raise ModelError where the weights in the file are not those its manifest names. ``header`` is the file's."""
    entries = sorted((key, entry) for key, entry in header.items() if key != "__metadata__")

    def tensors(file):
        start = 8 + int.from_bytes(file.read(8), "little")
        for key, entry in entries:
            begin, end = entry["data_offsets"]
            file.seek(start + begin)
            yield key, entry["dtype"], entry["shape"], file.read(end - begin)

    with open(path, "rb") as file:
        if weights_hash(tensors(file)) != manifest.sha256:
            raise ModelError(f"The weights of {Path(path).name} are not the ones it was made with (their SHA-256 differs); get the file again.")


def _strict_json(text):
    """JSON without what readers understand differently: a key twice, NaN, text that is not Unicode."""

    def once(pairs):
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError("a key occurs twice")
        return result

    def refuse(constant):
        raise ValueError(f"{constant} is not a number")

    content = json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    json.dumps(content, ensure_ascii=False).encode()  # raises for half a character, which no file or terminal takes
    return content


def _check_tensors(header: dict, data_bytes: int, name: str) -> None:
    spans = []
    for key, entry in header.items():
        if key == "__metadata__":
            continue
        try:
            width, shape, (begin, end) = _BYTES_PER_VALUE[entry["dtype"]], entry["shape"], entry["data_offsets"]
            whole = all(type(n) is int and n >= 0 for n in (*shape, begin, end))
            fits = whole and len(shape) <= 8 and math.prod(shape) * width == end - begin and end <= data_bytes
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{name} is damaged (its tensor {key[:80]!r} is not described correctly); get the file again.") from error
        if not fits:
            raise ModelError(f"{name} is truncated or damaged (its tensor {key[:80]!r} does not lie inside the file); get the file again.")
        spans.append((begin, end))
    spans.sort()
    joined = all(before[1] == after[0] for before, after in zip(spans, spans[1:]))
    if not spans or spans[0][0] != 0 or spans[-1][1] != data_bytes or not joined:
        raise ModelError(f"{name} is truncated or damaged (its weights do not fill it exactly); get the file again.")
    if data_bytes > _MAX_WEIGHT_BYTES:
        raise ModelError(f"{name} holds {data_bytes / 2**30:.1f} GB of weights, more than any KDNet model; choose another file.")


def _check_texts(content: dict, name: str) -> None:
    for entry in content["measured"]:
        whole = isinstance(entry, dict) and all(isinstance(entry.get(key), kind) for key, kind in _RESULT.items())
        if not whole or type(entry["cases"]) is bool or entry["cases"] < 0 or not all(_is_share(value) for value in entry["dice"].values()):
            raise ModelError(f"The manifest of {name} is damaged (its measured results are not as they must be); get the file again.")
    if not all(isinstance(text, str) for text in content["training"].values()):
        raise ModelError(f"The manifest of {name} is damaged (its words on training are not text); get the file again.")
    if len(json.dumps(content)) > _MAX_TEXT:
        raise ModelError(f"The manifest of {name} is longer than any KDNet writes; choose a file made by KDNet.")
    for field in ("modalities", "classes"):
        if not content[field] or not all(isinstance(value, str) for value in content[field]):
            raise ModelError(f"The manifest of {name} is damaged (its {field} are not names); get the file again.")


def _check_calibration(calibration, name: str) -> None:
    if calibration is None:
        return
    try:
        kinds = all(type(calibration[key]) is kind for key, kind in _CALIBRATION.items()) and calibration["cases"] > 0
        kinds = kinds and set(calibration["map"]) == set(calibration["curve"]) == set(_CALIBRATED)
        lines = [calibration["map"][region] for region in _CALIBRATED]
        points = [point for region in _CALIBRATED for point in calibration["curve"][region]]
        sound = all(abs(offset) < 100 and 0 <= slope < 100 and _is_share(absent) for offset, slope, absent in lines)
        sound = sound and all(_is_share(mean) and _is_share(dice) and type(count) is int and count > 0 for mean, dice, count in points)
    except (TypeError, ValueError, KeyError):
        kinds = sound = False
    if not (kinds and sound):
        raise ModelError(f"The manifest of {name} is damaged (its calibration is not as it must be); get the file again.")


def _is_share(value) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1
