"""Model files: safetensors weights with the manifest inside (see manifest.py). Never pickle."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import save

from KDNetLib.atomic_file import replacing
from KDNetLib.errors import ModelError
from KDNetLib.manifest import FORMAT_VERSION, METADATA_KEY, Manifest, parse_manifest, read_header, weights_hash
from KDNetLib.model_weights import check_use, damaged, in_eight_bits, read_weights, shapes_of
from KDNetLib.networks.base import Network
from KDNetLib.networks.registry import ARCHITECTURES, architecture


#: numpy's types as safetensors names them.
_KINDS = {np.dtype(np.float16): "F16", np.dtype(np.float32): "F32", np.dtype(np.int8): "I8"}


def save_model(path, network: Network, description: dict, eight_bits: bool = False) -> Manifest:
    """Write ``network`` in half precision, or its kernels in 8 bits, with its manifest, atomically; returns the manifest written.

    ``description`` gives the manifest's ``name``, ``title``, ``modalities``, ``preprocessing``, ``classes``,
    ``training``, ``measured``, ``licence`` and ``citation``, and may give ``calibration``, ``least_enhancing_ml`` and
    ``mirrored``; the rest is added here. Half precision halves the file, and ``eight_bits`` (see :func:`in_eight_bits`) halve it again;
    trained weights lie well inside the range of both. Raises ModelError where the description is incomplete or the file
    cannot be written.
    """
    path = Path(path)
    weights = {key: np.ascontiguousarray(value.detach().cpu().half().numpy()) for key, value in network.state_dict().items()}
    if not all(np.isfinite(value).all() for value in weights.values()):
        raise ModelError(f"The weights for {path.name} are no numbers in half precision; train with a lower learning rate.")
    if eight_bits:
        weights = in_eight_bits(weights)
    content = {
        **description,
        "format_version": FORMAT_VERSION,
        "architecture": {"name": type(network).__name__, "parameters": network.parameters_given},
        "sha256": weights_hash((key, _KINDS[weights[key].dtype], weights[key].shape, weights[key].tobytes()) for key in sorted(weights)),
    }
    metadata = {METADATA_KEY: json.dumps(content, ensure_ascii=False)}
    manifest = parse_manifest({"__metadata__": metadata}, path.name)
    try:
        with replacing(path) as partial:
            partial.write_bytes(save(weights, metadata))  # save_file would let nobody but the owner read it
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be written ({error}); choose another folder or free some space.") from error
    return manifest


def load_model(path, device="cpu") -> tuple[Network, Manifest]:
    """The network in float32 and evaluation mode on ``device``, and its manifest.

    Raises ModelError for a truncated, altered, foreign, newer or hostile file. Nothing is allocated before the
    header's shapes agree with the architecture's, which is limited in size.
    """
    name = Path(path).name
    header = read_header(path)
    manifest = parse_manifest(header, name)
    network = _empty_network(manifest, name)
    _check_shapes(network, header, name)
    weights = read_weights(path, header, manifest)
    network.load_state_dict({key: torch.from_numpy(value).float() for key, value in weights.items()}, assign=True)
    return network.eval().requires_grad_(False).to(device), manifest


def write_calibration(path, calibration: dict) -> Manifest:
    """Put ``calibration`` (see :class:`Manifest`) into the model file at ``path``, atomically, its weights untouched.

    Returns the manifest written. Raises ModelError where the file is no sound model or cannot be written, or where the
    calibration is not as it must be.
    """
    path = Path(path)
    header = read_header(path)
    parse_manifest(header, path.name)
    content = json.loads(header["__metadata__"][METADATA_KEY]) | {"calibration": calibration}
    header["__metadata__"][METADATA_KEY] = json.dumps(content, ensure_ascii=False)
    manifest = parse_manifest(header, path.name)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the weights so
    try:
        whole = path.read_bytes()
        with replacing(path) as partial:
            partial.write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + int.from_bytes(whole[:8], "little") :])
    except OSError as error:
        raise ModelError(f"{path} cannot be written ({error.strerror or error}); choose another folder or free some space.") from error
    return manifest


def _empty_network(manifest: Manifest, name: str) -> Network:
    """The architecture without memory for its weights (torch's meta device), all of the manifest checked against it."""
    kind = str(manifest.architecture.get("name"))
    if kind not in ARCHITECTURES:
        raise ModelError(f"{name} has an architecture that this KDNet does not know; update KDNet.")
    try:
        with torch.device("meta"):
            network = architecture(kind)(**manifest.architecture["parameters"])
        check_use(manifest, network.parameters_given["channels"], network.parameters_given["classes"])
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        raise damaged(name, error) from error
    return network


def _check_shapes(network: Network, header: dict, name: str) -> None:
    expected = {key: list(value.shape) for key, value in network.state_dict().items()}
    if expected != shapes_of(header):
        raise ModelError(f"The weights of {name} do not fit its architecture; get the file again.")
