"""What a run was made with: versions, machine, devices and the state of the program, for whoever reads it later."""

import ctypes
import os
import platform
import sys
from pathlib import Path

from KDNetLib import __version__
from KDNetLib.machine import output_of, package_version, processor_name, usable_cores

_PACKAGES = ("torch", "numpy", "scipy", "nibabel", "safetensors", "pillow")


def environment() -> dict:
    """Plain values; None where this platform does not tell. No names of users or hosts."""
    import torch

    return {
        "kdnet": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: package_version(name) for name in _PACKAGES},
        "cpu": processor_name(),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "memory_gb": _memory_gigabytes(),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "cuda": torch.version.cuda,
        "mps": torch.backends.mps.is_available(),
    }


def _commit() -> str | None:
    """The commit of the checkout that this program runs from, with ``+changes`` where it was changed; None outside one."""
    here = Path(__file__)
    # An installation may lie in the repository of something else, which then does not track this file.
    if output_of("git", "-C", str(here.parent), "ls-files", "--error-unmatch", here.name) is None:
        return None
    commit = output_of("git", "-C", str(here.parent), "rev-parse", "HEAD")
    changed = output_of("git", "-C", str(here.parent), "status", "--porcelain", "--untracked-files=no")
    return f"{commit}+changes" if changed else commit


class _MemoryStatus(ctypes.Structure):
    """Windows' MEMORYSTATUSEX: only the total is read."""

    _fields_ = [("length", ctypes.c_uint32), ("load", ctypes.c_uint32), ("total", ctypes.c_uint64), ("rest", ctypes.c_uint64 * 6)]


def _memory_gigabytes() -> float | None:
    if sys.platform == "win32":
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        total = status.total if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None
    else:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return round(total / 2**30, 1) if total else None
