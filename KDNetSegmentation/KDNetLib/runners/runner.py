"""What every runner is, and which one takes a set of models."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from KDNetLib.device import OPENVINO
from KDNetLib.manifest import Manifest

#: Axes of a volume (C, X, Y, Z) in RAS order to mirror, for each of the copies that are averaged: the scan alone, with its
#: left and right exchanged too, and all 8 flips.
ONCE = [()]
MIRRORED = [(), (1,)]
FLIPS = [axes for count in range(4) for axes in itertools.combinations((1, 2, 3), count)]


class Runner(ABC):
    """The networks of one or several model files, loaded; several are averaged.

    ``divisor``: every side of a volume must be a multiple of it.
    """

    divisor: int

    @abstractmethod
    def predict(
        self, volume: np.ndarray, flips: Sequence[tuple[int, ...]], step: Callable[[float], None], on_message: Callable[[str], None]
    ) -> tuple[np.ndarray, str]:
        """Class probabilities (classes, X, Y, Z) float32 of ``volume`` (C, X, Y, Z) float32, and the device used.

        Args:
            flips: average over copies, each mirrored along some axes (ONCE, MIRRORED or FLIPS).
            step: called with shares of the whole work, which sum to 1, and with 0 while it lasts; raising in it ends the work.
            on_message: told in a sentence of every fallback (smaller tiles, another device).
        Raises:
            DeviceError: not even the smallest tile fits into the CPU's memory.
        """


def new_runner(paths: list[Path], manifests: list[Manifest], device: str) -> Runner:
    """The models in ``paths``, whose ``manifests`` are given, on ``device`` (a name that ``segmentation_device`` gives).

    What OpenVINO has no graph for runs in torch on the CPU. Raises ModelError.
    """
    if device == OPENVINO:
        from KDNetLib.runners.openvino_graph import is_known

        if all(map(is_known, manifests)):
            from KDNetLib.runners.openvino_runner import OpenVINORunner

            return OpenVINORunner(paths)
        device = "cpu"
    from KDNetLib.runners.torch_runner import TorchRunner

    return TorchRunner(paths, device)
