"""How much memory a forward pass needs, and how much there is. Imports torch only where a GPU is asked about."""

import sys

#: Values per input voxel and unit of base width that are alive at the peak: the first level's skip, the upsampled
#: features, their concatenation and the convolution's output; ``kdnet benchmark`` tells the peak.
_PEAK_VALUES_PER_WIDTH = 8

#: What torch, Python and OpenVINO say.
_REFUSALS = ("out of memory", "not enough memory", "can't allocate memory", "bad_alloc", "failed to allocate")
#: All that oneDNN says; a kind of convolution that it does not have fails earlier, at its "primitive descriptor".
_REFUSAL_OF_ONEDNN = "could not create a primitive"


def needed_bytes(voxels: int, width: int, bytes_per_value: int) -> int:
    """Estimated peak of one forward pass over ``voxels`` with base ``width``."""
    return voxels * width * _PEAK_VALUES_PER_WIDTH * bytes_per_value


def fits(voxels: int, width: int, device: str) -> bool:
    """Whether a forward pass over ``voxels`` with base ``width`` is to be tried on ``device``, for which a fifth of what is free stays free."""
    available = available_bytes(device)
    bytes_per_value = 2 if device.startswith("cuda") else 4  # half precision there, see inference.py
    return available is None or needed_bytes(voxels, width, bytes_per_value) < 0.8 * available


def available_bytes(device: str) -> int | None:
    """Free memory of ``device`` (its kind: cpu, cuda or mps; a GPU's number may follow), or None where this platform does not tell."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.mem_get_info(device)[0]
    if device == "cpu" and sys.platform == "linux":
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` is a refusal to give memory: all devices raise RuntimeError with a text, of which CUDA's is a kind of its own."""
    if isinstance(error, MemoryError):
        return True
    text = str(error)
    refused = type(error).__name__ == "OutOfMemoryError" or text == _REFUSAL_OF_ONEDNN or any(part in text.lower() for part in _REFUSALS)
    return isinstance(error, RuntimeError) and refused
