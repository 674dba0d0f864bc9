"""Choosing where the network runs."""

import torch

from KDNetLib.errors import DeviceError


def available_devices() -> list[str]:
    """Names that :func:`choose_device` takes on this machine, ``auto`` first."""
    names = ["auto"]
    names += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return names + ["cpu"]


def choose_device(name: str = "auto") -> torch.device:
    """The device called ``name``; ``auto`` is CUDA, else MPS, else CPU. Raises DeviceError where there is none such."""
    available = available_devices()
    if name == "auto":
        return torch.device(available[1])
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in available:
        raise DeviceError(f"There is no device {name} here; choose one of {', '.join(available)}.")
    return torch.device(wanted)
