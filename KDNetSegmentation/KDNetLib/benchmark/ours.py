"""KDNet as ``kdnet segment`` runs it."""

import time
from pathlib import Path

from KDNetLib.benchmark.contestant import Contestant
from KDNetLib.device import OPENVINO
from KDNetLib.errors import DeviceError


class Ours(Contestant):
    """KDNet's segmenter; the weights are read within the time that is taken."""

    title = "KDNet as kdnet segment runs it: what its preprocessing keeps (the box around the brain) in one forward"

    def load(self, device: str, model: Path) -> None:
        from KDNetLib.manifest import read_manifest
        from KDNetLib.networks.base import Network
        from KDNetLib.segmenter import Segmenter

        self._network_type = Network
        self._spacing = float(read_manifest(model).preprocessing["spacing"])
        self._segmenter, self._device = Segmenter([model], device), device

    def segment(self, source: Path, target: Path) -> dict[str, float]:
        from KDNetLib.image_io import read_image, write_labelmap

        started = time.perf_counter()
        image = read_image(source)
        read = time.perf_counter()
        result = self._segmenter.segment(image)
        segmented = time.perf_counter()
        if self._device == OPENVINO != result.device:  # torch's times must not be taken for OpenVINO's
            raise DeviceError(" ".join([*result.warnings, "Torch took over from OpenVINO; choose the device cpu."]))
        write_labelmap(target, result.classes, result.affine)
        written = time.perf_counter()
        inner = {stage: seconds for stage, seconds in result.seconds.items() if stage != "total"}
        return {"Reading the file": read - started, **inner, "Writing the file": written - segmented}

    @property
    def network_type(self) -> type:
        return self._network_type

    @property
    def spacing(self) -> tuple[float, float, float]:
        return (self._spacing,) * 3
