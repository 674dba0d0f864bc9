"""Networks in OpenVINO on the CPU, in one pass over the whole brain; torch takes over where memory does not suffice or OpenVINO does not work."""

import itertools
import math
import os
from pathlib import Path

import numpy as np

from KDNetLib.device import OPENVINO
from KDNetLib.errors import KDNetError, ModelError
from KDNetLib.manifest import parse_manifest, read_header
from KDNetLib.memory import fits, is_out_of_memory
from KDNetLib.model_weights import check_use, damaged, read_weights
from KDNetLib.runners.openvino_graph import encoder_decoder, members
from KDNetLib.runners.runner import Runner
from KDNetLib.tracker import Tracker

_WAIT_MS = 50


class _BrokenError(Exception):
    """OpenVINO is there but does not work; the text says why."""


class OpenVINORunner(Runner):
    """The models in ``paths``, all of architectures that ``openvino_graph`` knows. Raises ModelError where one is unsound."""

    def __init__(self, paths: list[Path]):
        self._paths = paths
        files = [_read(path) for path in paths]
        self._networks = [network for networks in files for network in networks]
        self._shares = [1 / (len(files) * len(networks)) for networks in files for _ in networks]  # as in torch, files count alike
        divisors = {2 ** (given["levels"] - 1) for given, _ in self._networks}
        if len(divisors) > 1:
            raise ModelError("The models differ in their number of levels; average folds of one training only.")
        (self.divisor,) = divisors
        self._compiled, self._shape = [], None
        self._torch: Runner | None = None

    def predict(self, volume, flips, step, on_message):
        tracker = Tracker(step)
        if fits(math.prod(volume.shape[1:]), max(given["width"] for given, _ in self._networks), "cpu"):
            try:
                self._compile(volume.shape[1:])
                return self._predict(volume, flips, tracker), OPENVINO
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                on_message("OpenVINO did not get enough memory; going on with torch.")
                tracker.undo()
            except _BrokenError as error:
                on_message(f"OpenVINO cannot be used here ({error}); going on with torch, which is slower. Install the package openvino again or remove it.")
        self._compiled, self._shape = [], None
        if self._torch is None:
            from KDNetLib.runners.torch_runner import TorchRunner

            self._torch = TorchRunner(self._paths, "cpu")
        return self._torch.predict(volume, flips, step, on_message)

    def _predict(self, volume, flips, step) -> np.ndarray:
        total = None
        for (network, of_network), axes in itertools.product(zip(self._compiled, self._shares), flips):
            found = np.flip(run_network(network, np.ascontiguousarray(np.flip(volume, axes))[None], step)[0], axes)
            share = of_network / len(flips)
            step(share)
            part = np.multiply(found, np.float32(share), order="C")
            total = part if total is None else np.add(total, part, out=total)
        return total

    def _compile(self, shape) -> None:
        """Make the graphs for volumes of ``shape``, unless those made last are: a third of the time of a segmentation.

        Raises _BrokenError where OpenVINO cannot make any.
        """
        if shape == self._shape:
            return
        self._compiled, self._shape = [], None  # their memory first
        try:
            self._compiled = self._graphs(shape)
        except (KDNetError, MemoryError):
            raise
        except Exception as error:  # a package that is installed halfway or too old, or has no plugin for this processor
            if is_out_of_memory(error):
                raise
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]  # the last one has the reason
            raise _BrokenError((lines or [type(error).__name__])[-1][:200]) from error
        self._shape = shape

    def _graphs(self, shape) -> list:
        import openvino

        core = openvino.Core()
        # Unpinned, because the machine is not ours alone.
        wishes = {"INFERENCE_PRECISION_HINT": precision(core), "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
        threads = os.environ.get("OMP_NUM_THREADS", "")
        if threads.isdecimal() and int(threads):  # what torch obeys too, and job schedulers set
            wishes["INFERENCE_NUM_THREADS"] = int(threads)
        return [core.compile_model(encoder_decoder(weights, given, shape), "CPU", wishes) for given, weights in self._networks]


def precision(core) -> str:
    """What networks are computed in by ``core`` (an ``openvino.Core``): ``bf16`` or ``f32``.

    bfloat16 where that is OpenVINO's own choice, so on processors with instructions for it: twice as fast, and of a trained
    network's labels one in 25,000 changes (Testing/tools/compare_precisions.py). Else float32, also where OpenVINO
    would choose float16, which nobody has checked.
    """
    from openvino import Type

    return "bf16" if core.get_property("CPU", "INFERENCE_PRECISION_HINT") == Type.bf16 else "f32"


def _read(path: Path) -> list[tuple[dict, dict[str, np.ndarray]]]:
    """Arguments and weights of the networks in a model file, all of it checked but the weights' shapes."""
    header, name = read_header(path), Path(path).name
    manifest = parse_manifest(header, name)
    weights = read_weights(path, header, manifest)
    try:
        networks = members(manifest.architecture, weights)
        for given, _ in networks:
            check_use(manifest, given["channels"], given["classes"])
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        raise damaged(name, error) from error
    return networks


def run_network(network, batch: np.ndarray, step) -> np.ndarray:
    """The answer of the compiled ``network``; ``step`` is called with 0 meanwhile, so that it can end the work."""
    request = network.create_infer_request()
    request.start_async([batch])
    try:
        while not request.wait_for(_WAIT_MS):
            step(0.0)
    except BaseException:
        request.cancel()
        raise
    return request.get_output_tensor(0).data
