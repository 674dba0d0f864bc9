"""Choosing where the network runs. Imports torch only where a GPU may be at hand or one of its devices is asked for.

Besides torch's devices there is ``openvino`` where that package is installed: the CPU too, but faster and without importing torch.
"""

import os
import platform
import sys
from importlib.util import find_spec
from pathlib import Path

from KDNetLib.errors import DeviceError

OPENVINO = "openvino"


def available_devices() -> list[str]:
    """Names that :func:`segmentation_device` takes on this machine, ``auto`` first."""
    own = _torchs_own()
    return ["auto", *own[:-1], *([OPENVINO] if has_openvino() else []), "cpu"]


def segmentation_device(name: str = "auto") -> str:
    """The name of the device that segments where ``name`` is asked for: ``auto`` is CUDA, else MPS, else OpenVINO, else CPU.

    Raises DeviceError where there is none such.
    """
    if name == OPENVINO and not has_openvino():
        raise DeviceError("The package openvino is not installed; install it with pip install openvino, or choose another device.")
    if name in (OPENVINO, "cpu"):
        return name
    if name == "auto" and has_openvino() and not _may_have_gpu():
        return OPENVINO
    found = str(choose_device(name))
    return OPENVINO if (name, found) == ("auto", "cpu") and has_openvino() else found


def choose_device(name: str = "auto"):
    """The ``torch.device`` called ``name``; ``auto`` is CUDA, else MPS, else CPU. Raises DeviceError where torch has none such."""
    import torch

    available = _torchs_own()
    if name == "auto":
        return torch.device(available[0])
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in available:
        raise DeviceError(f"There is no device {name} here; choose one of {', '.join(['auto', *available])}.")
    return torch.device(wanted)


def has_openvino() -> bool:
    """Whether OpenVINO is installed; not whether it works, which takes its import to know."""
    return find_spec("openvino") is not None


def _torchs_own() -> list[str]:
    import torch

    names = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def _may_have_gpu() -> bool:
    """Whether torch is worth asking: importing it takes longer than a segmentation on the CPU."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    drivers = [Path("/dev/nvidiactl"), Path("/dev/kfd"), Path("/dev/dxg")]  # NVIDIA, AMD, and either of them under WSL
    if sys.platform == "win32":
        system = Path(os.environ.get("SystemRoot", "C:/Windows")) / "System32"
        drivers = [system / "nvcuda.dll", *system.glob("amdhip64*.dll")]  # AMD's name ends with its version
    return any(driver.exists() for driver in drivers)
