"""The encoder-decoder of :mod:`KDNetLib.networks.encoder_decoder` in OpenVINO's operations, made from a model file's weights.

The same layers in the same order under the same names; a test holds the two against each other. OpenVINO is imported
only where a graph is made.
"""

import numpy as np

from KDNetLib.errors import ModelError
from KDNetLib.manifest import Manifest
from KDNetLib.networks.limits import MAX_MEMBERS, check_levelled, check_whole_numbers

_ENSEMBLE, _ENCODER_DECODER = "Ensemble", "EncoderDecoder"


def is_known(manifest: Manifest) -> bool:
    """Whether there is a graph for the architecture that ``manifest`` names."""
    return _ENCODER_DECODER in (manifest.architecture.get("name"), _member(manifest.architecture))


def members(architecture: dict, weights: dict[str, np.ndarray]) -> list[tuple[dict, dict[str, np.ndarray]]]:
    """Arguments and weights of every network in a file of ``architecture``, for which :func:`is_known` holds: one, or an ensemble's.

    Raises ValueError, TypeError or KeyError where the arguments are none.
    """
    given = dict(architecture["parameters"])
    if architecture["name"] == _ENCODER_DECODER:
        return [(check_levelled(**given), weights)]
    del given["of"]
    count = given.pop("members")
    check_whole_numbers({"members": count}, {"members": (2, MAX_MEMBERS)})
    if not all(key.startswith(tuple(f"members.{place}." for place in range(count))) for key in weights):
        raise ValueError("its weights are not those of its members")
    return [(check_levelled(**given), {key.split(".", 2)[2]: value for key, value in weights.items() if key.startswith(f"members.{place}.")}) for place in range(count)]


def encoder_decoder(weights: dict[str, np.ndarray], given: dict, shape: tuple[int, int, int]):
    """An ``openvino.Model`` that maps (1, channels, *shape) float32 to class probabilities (1, classes, *shape).

    Raises ModelError where ``weights`` are not those of a network with the arguments ``given``.
    """
    import openvino
    from openvino import opset13 as operations

    rest = dict(weights)
    widths = [given["width"] * 2**level for level in range(given["levels"])]
    one, two, none = [1] * 3, [2] * 3, [0] * 3
    space = operations.constant(np.array([2, 3, 4]))

    def take(name: str, *expected: int):
        value = rest.pop(name, None)
        if value is None or value.shape != expected:
            raise ModelError(f"The weights do not fit the architecture (at {name}); get the file again.")
        return operations.constant(value.astype(np.float32))

    def per_channel(name: str, channels: int):
        return operations.reshape(take(name, channels), operations.constant(np.array([1, channels, 1, 1, 1])), False)

    def block(x, name: str, entering: int, leaving: int):
        x = operations.convolution(x, take(f"{name}.0.weight", leaving, entering, 3, 3, 3), one, one, one, one)
        x = operations.mvn(x, space, True, 1e-5, "inside_sqrt")
        x = operations.add(operations.multiply(x, per_channel(f"{name}.1.weight", leaving)), per_channel(f"{name}.1.bias", leaving))
        return operations.prelu(x, operations.constant(np.float32([0.01])))

    entry = operations.parameter([1, given["channels"], *shape], np.float32)
    x, features = entry, []
    for level, width in enumerate(widths):
        if level:
            x = operations.max_pool(x, two, one, none, none, two).output(0)
        below = given["channels"] if level == 0 else widths[level - 1]
        x = block(x, f"encoder.{level}.0", below, width)
        x = block(x, f"encoder.{level}.1", width, widths[level - 1] if level == given["levels"] - 1 else width)
        features.append(x)
    for place, level in enumerate(reversed(range(given["levels"] - 1))):
        x = operations.interpolate(
            x, operations.constant(np.float32([2, 2, 2])), "linear_onnx", "scales", coordinate_transformation_mode="half_pixel", axes=space
        )
        skipped = level >= given["levels"] - 1 - given["skips"]
        if skipped:
            x = operations.concat([features[level], x], 1)
        x = block(x, f"decoder.{place}.0", widths[level] * (2 if skipped else 1), widths[level])
        x = block(x, f"decoder.{place}.1", widths[level], widths[max(level - 1, 0)])
    x = operations.convolution(x, take("head.weight", given["classes"], given["width"], 1, 1, 1), one, none, none, one)
    x = operations.add(x, per_channel("head.bias", given["classes"]))
    if rest:
        raise ModelError(f"The weights do not fit the architecture (there is {next(iter(rest))} besides); get the file again.")
    return openvino.Model([operations.softmax(x, 1)], [entry], _ENCODER_DECODER)


def _member(architecture: dict):
    parameters = architecture.get("parameters")
    return parameters.get("of") if architecture.get("name") == _ENSEMBLE and isinstance(parameters, dict) else None
