"""Whether this machine can render: without a GL library VTK's first Render() ends the process."""

import ctypes.util
import sys


def missing_library():
    """Name of the graphics library that is missing here, None if rendering works.

    On Linux without a display VTK wants EGL (or OSMesa); Windows and macOS bring what it needs.
    """
    if not sys.platform.startswith("linux"):
        return None
    for name in ("EGL", "OSMesa"):
        library = ctypes.util.find_library(name)
        if library:
            try:
                ctypes.CDLL(library)
                return None
            except OSError:
                continue
    return "libEGL (Debian packages libegl1 and libgl1)"


def require():
    """Raise RuntimeError with what to install where rendering cannot work."""
    missing = missing_library()
    if missing:
        raise RuntimeError(f"Rendering needs {missing}.")
