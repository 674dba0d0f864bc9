"""The best rate at which this machine convolves: the roof under which a network's own rate is judged."""

import time

import torch
from torch.nn import functional

from KDNetLib.benchmark.observation import finish

#: (channels in and out, side of the cube): what segmentation networks are made of, large enough to keep all threads busy.
SHAPES = ((16, 128), (32, 64), (32, 96), (64, 48), (64, 64), (128, 32), (256, 16), (320, 16))
_SECONDS_EACH = 0.5
_LAYOUTS = {"channels last": torch.channels_last_3d, "channels first": torch.contiguous_format}


@torch.inference_mode()
def sweep(device: str, precision: str, shapes=SHAPES) -> list[dict]:
    """The best rate of a 3³ convolution of one sample by shape: ``channels``, ``side``, ``layout``, ``gflops``.

    ``precision`` is the name of a torch.dtype: what the networks run in there. The better of two memory layouts counts.
    """
    place, kind = torch.device(device), getattr(torch, precision)
    rates = []
    for channels, side in shapes:
        volume = torch.randn(1, channels, side, side, side, device=place, dtype=kind)
        weight = torch.randn(channels, channels, 3, 3, 3, device=place, dtype=kind)
        operations = 2 * 27 * channels**2 * side**3
        best = {name: operations / _best_seconds(volume, weight, layout) / 1e9 for name, layout in _LAYOUTS.items()}
        layout = max(best, key=best.get)
        rates.append({"channels": channels, "side": side, "layout": layout, "gflops": best[layout]})
    return rates


def _best_seconds(volume: torch.Tensor, weight: torch.Tensor, layout: torch.memory_format) -> float:
    volume, weight = volume.contiguous(memory_format=layout), weight.contiguous(memory_format=layout)
    taken, begin = [], time.perf_counter()
    while len(taken) < 3 or time.perf_counter() - begin < _SECONDS_EACH:
        started = time.perf_counter()
        functional.conv3d(volume, weight, padding=1)
        finish(volume.device)
        taken.append(time.perf_counter() - started)
    return min(taken)
