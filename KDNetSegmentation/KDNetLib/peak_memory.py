"""How much memory this process has taken at most, told by the operating system. Needs no torch."""

import ctypes
import sys

if sys.platform == "win32":
    from ctypes import wintypes

    class _Counters(ctypes.Structure):
        """Windows' PROCESS_MEMORY_COUNTERS: only the peak of the working set is read."""

        _fields_ = [
            ("size", wintypes.DWORD), ("faults", wintypes.DWORD), ("peak", ctypes.c_size_t), ("rest", ctypes.c_size_t * 7)
        ]

    def process_peak() -> int | None:
        """Bytes; None where the system does not tell."""
        counters = _Counters(size=ctypes.sizeof(_Counters))
        kernel = ctypes.WinDLL("kernel32")
        kernel.GetCurrentProcess.restype = wintypes.HANDLE
        kernel.K32GetProcessMemoryInfo.argtypes = [wintypes.HANDLE, ctypes.POINTER(_Counters), wintypes.DWORD]
        told = kernel.K32GetProcessMemoryInfo(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.size)
        return counters.peak if told else None
elif sys.platform == "linux":

    def process_peak() -> int | None:
        """Bytes; None where the system does not tell."""
        # Not getrusage: its peak is inherited from the program that started this one, and Slicer is large.
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            peaks = [int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:")]
        return peaks[0] if peaks else None
else:
    import resource

    def process_peak() -> int | None:
        """Bytes; None where the system does not tell."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts bytes
