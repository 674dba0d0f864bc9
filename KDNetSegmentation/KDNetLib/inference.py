"""Running networks over a prepared volume: in one pass, in tiles where memory does not suffice, on the CPU at last."""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from KDNetLib.errors import DeviceError
from KDNetLib.memory import fits, is_out_of_memory
from KDNetLib.networks.base import Network
from KDNetLib.tracker import Tracker

_SMALLEST_TILE = 64
_OVERLAP = 0.5


def predict(
    networks: list[Network],
    volume: np.ndarray,
    device: torch.device,
    flips: Sequence[tuple[int, ...]],
    step: Callable[[float], None],
    on_message: Callable[[str], None],
) -> tuple[np.ndarray, torch.device]:
    """Class probabilities (classes, X, Y, Z) float32, mean over networks and flips; and the device used.

    Args:
        networks: on any device; moved to ``device``.
        volume: (C, X, Y, Z) float32, each side a multiple of the networks' divisor.
        flips: average over copies, each mirrored along some axes (see runners/runner.py).
        step: called with shares of the whole work, which sum to 1; raising in it ends the work.
        on_message: told in a sentence of every fallback (smaller tiles, CPU).
    Raises:
        DeviceError: not even the smallest tile fits into the CPU's memory.
    """
    sizes = list(_tile_sizes(tuple(volume.shape[1:]), networks[0].divisor))
    width = max(network.parameters_given["width"] for network in networks)
    places = [device] if device.type == "cpu" else [device, torch.device("cpu")]
    for place in places:
        lack = "has not enough memory"
        for tile in sizes:
            if tile != sizes[-1] and not fits(math.prod(tile), width, str(place)):
                continue
            if tile != sizes[0]:
                on_message(f"Memory of {place} does not suffice for the whole brain at once; working in tiles of {'×'.join(map(str, tile))}.")
            tracker = Tracker(step)
            try:
                return _predict_on(networks, torch.from_numpy(volume), tile, place, flips, tracker).numpy(), place
            except (RuntimeError, MemoryError) as error:
                tracker.undo()
                if isinstance(error, NotImplementedError) and place.type != "cpu":  # MPS before torch 2.9 knows no max_pool3d
                    lack = f"cannot compute this network with torch {torch.__version__}"
                    break
                if not is_out_of_memory(error):
                    raise
        if place.type != "cpu":
            on_message(f"The device {place} {lack}; going on with the CPU, which is slower.")
    raise DeviceError("There is not enough memory, even in small tiles; close other programs and try again.")


def _tile_sizes(shape, divisor):
    """The whole shape first, then ever smaller tiles: the longest side halved, down to a cube of 64 or so."""
    size = list(shape)
    smallest = max(_SMALLEST_TILE, 2 * divisor)  # InstanceNorm needs two voxels at the bottleneck
    yield tuple(size)
    while max(size) > smallest:
        axis = size.index(max(size))
        half = -(-size[axis] // 2 // divisor) * divisor
        size[axis] = max(smallest, half)
        yield tuple(size)


@torch.inference_mode()
def _predict_on(networks, volume, tile, device, flips, step) -> torch.Tensor:
    starts = [_starts(side, length) for side, length in zip(volume.shape[1:], tile)]
    corners = list(itertools.product(*starts))
    if len(corners) == 1:
        return _mean_probabilities(networks, volume.to(device), flips, step).cpu()
    weight = _weight(tile)
    total, weights = None, torch.zeros(volume.shape[1:])
    for corner in corners:
        place = (slice(None), *(slice(begin, begin + length) for begin, length in zip(corner, tile)))
        found = _mean_probabilities(networks, volume[place].to(device), flips, lambda share: step(share / len(corners))).cpu()
        if total is None:
            total = torch.zeros((found.shape[0], *volume.shape[1:]))
        total[place] += found * weight
        weights[place[1:]] += weight
    return total.div_(weights)


def _mean_probabilities(networks, part, flips, step) -> torch.Tensor:
    """Over ``networks`` and over ``part`` mirrored along each of ``flips``; stays on its device."""
    count = len(networks) * len(flips)
    total = None
    for network, axes in itertools.product(networks, flips):
        turned = part.flip(axes) if axes else part  # torch copies also where there is nothing to flip
        found = _probabilities(network.to(part.device), turned, lambda share: step(share / count))
        found = found.flip(axes) if axes else found
        total = found if total is None else total.add_(found)
    return total if count == 1 else total.div_(count)


def _probabilities(network, part, step) -> torch.Tensor:
    # CUDA gains from half precision; on the CPU it changes labels and is slow without the instructions for it.
    batch = part[None].contiguous(memory_format=torch.channels_last_3d)
    with torch.autocast("cuda", dtype=torch.float16, enabled=part.device.type == "cuda"):
        logits = network.to(memory_format=torch.channels_last_3d)(batch, step)[0]
    return torch.softmax(logits.float(), dim=0)


def _starts(side: int, tile: int) -> list[int]:
    if tile >= side:
        return [0]
    count = -(-(side - tile) // int(tile * _OVERLAP)) + 1
    return [round(index * (side - tile) / (count - 1)) for index in range(count)]


def _weight(tile) -> torch.Tensor:
    """Highest in a tile's middle, falling linearly to its faces, where the network sees least context."""
    ramps = [torch.minimum(torch.arange(1, n + 1), torch.arange(n, 0, -1)).float() / n for n in tile]
    return ramps[0][:, None, None] * ramps[1][:, None] * ramps[2]
