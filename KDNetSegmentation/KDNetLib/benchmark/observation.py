"""What is seen of a network from outside while a contestant runs: its seconds, its field of view, its operations."""

import math
import time
from collections.abc import Callable

import torch
from torch.nn.modules import module as modules
from torch.utils.flop_counter import FlopCounterMode

from KDNetLib.runners import openvino_runner


class NetworkWatch:
    """Context that adds up by how much ``meter`` rises within calls of networks of ``kind``.

    ``total`` is the sum, ``calls`` the number of calls, ``voxels`` the spatial shape of the largest input. A network within
    a network, such as a member of an ensemble, is part of the outer one's call. Global hooks, because a program under test
    may build its network wherever it likes.
    """

    def __init__(self, kind: type, meter: Callable[[], float]):
        self._kind, self._meter, self._before, self._depth = kind, meter, 0, 0
        self.total, self.calls, self.voxels = 0, 0, None

    def __enter__(self) -> "NetworkWatch":
        self._handles = [
            modules.register_module_forward_pre_hook(self._enter),
            modules.register_module_forward_hook(self._leave, always_call=True),  # also where a call ran out of memory
        ]
        return self

    def __exit__(self, *_) -> None:
        for handle in self._handles:
            handle.remove()

    def _enter(self, module, arguments) -> None:
        if not isinstance(module, self._kind):
            return
        if self._depth == 0:
            shape = tuple(arguments[0].shape[2:])
            if self.voxels is None or math.prod(shape) > math.prod(self.voxels):
                self.voxels = shape
            self._before = self._meter()
        self._depth += 1

    def _leave(self, module, arguments, output) -> None:
        if not isinstance(module, self._kind):
            return
        self._depth -= 1
        if self._depth == 0:
            self.total += self._meter() - self._before
            self.calls += 1


class OpenVINOWatch:
    """The same of networks in OpenVINO, in seconds."""

    def __init__(self):
        self.total, self.calls, self.voxels = 0.0, 0, None

    def __enter__(self) -> "OpenVINOWatch":
        self._original = openvino_runner.run_network
        openvino_runner.run_network = self._timed
        return self

    def __exit__(self, *_) -> None:
        openvino_runner.run_network = self._original

    def _timed(self, network, batch, step):
        started = time.perf_counter()
        try:
            return self._original(network, batch, step)
        finally:
            self.total += time.perf_counter() - started
            self.calls, self.voxels = self.calls + 1, batch.shape[2:]


def clock(device: torch.device) -> Callable[[], float]:
    """A meter of seconds that first waits for what ``device`` has in hand."""

    def now() -> float:
        finish(device)
        return time.perf_counter()

    return now


def finish(device: torch.device) -> None:
    """Wait until ``device`` has done what was queued: a GPU's calls return before."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def counting() -> FlopCounterMode:
    """A context whose ``get_total_flops()`` counts convolutions and matrix products, two operations per product."""
    # Called by name, oneDNN's convolution is an operator of its own that torch's table does not hold.
    return FlopCounterMode(display=False, custom_mapping={torch.ops.aten.mkldnn_convolution: _convolution})


def _convolution(_input, weight, *_arguments, out_shape=None, **_options) -> int:
    return 2 * out_shape[0] * math.prod(out_shape[2:]) * math.prod(weight)
