"""Whether this machine can render (without a GL library VTK's first Render() ends the process), and pictures of windows."""

import ctypes
import sys


def missing_library():
    """Name of the graphics library that is missing here, None if rendering works.

    On Linux without a display VTK draws with EGL; Windows and macOS bring what it needs.
    """
    if not sys.platform.startswith("linux"):
        return None
    for name, package in (("libEGL.so.1", "libegl1"), ("libGL.so.1", "libgl1")):
        try:
            ctypes.CDLL(name)
        except OSError:
            return f"{name} (Debian package {package})"
    return None


def require():
    """Raise RuntimeError with what to install where rendering cannot work."""
    missing = missing_library()
    if missing:
        raise RuntimeError(f"Rendering needs {missing}.")


def save_png(window, path):
    """Render a VTK ``window`` and write it as PNG; returns the vtkImageData."""
    import vtk

    window.Render()
    grabber = vtk.vtkWindowToImageFilter()
    grabber.SetInput(window)
    grabber.ReadFrontBufferOff()
    grabber.Update()
    writer = vtk.vtkPNGWriter()
    writer.SetFileName(str(path))
    writer.SetInputConnection(grabber.GetOutputPort())
    writer.Write()
    return grabber.GetOutput()
