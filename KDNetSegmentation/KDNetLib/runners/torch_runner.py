"""Networks in torch, on the CPU or a GPU: the runner that takes every architecture and every size of memory."""

from pathlib import Path

from KDNetLib.device import choose_device
from KDNetLib.errors import ModelError
from KDNetLib.inference import predict
from KDNetLib.model_file import load_model
from KDNetLib.runners.runner import Runner


class TorchRunner(Runner):
    """The models in ``paths`` on ``device``. Raises ModelError where one is unsound, DeviceError where there is no such device."""

    def __init__(self, paths: list[Path], device: str):
        self._device = choose_device(device)
        loaded = [load_model(path) for path in paths]
        self._networks = [network for network, _ in loaded]
        self.divisor = self._networks[0].divisor
        for network, manifest in loaded:
            if network.divisor != self.divisor:
                raise ModelError(f"The models {loaded[0][1].name} and {manifest.name} differ in their number of levels; average folds of one training only.")

    def predict(self, volume, flips, step, on_message):
        probabilities, device = predict(self._networks, volume, self._device, flips, step, on_message)
        return probabilities, str(device)
