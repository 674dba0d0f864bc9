"""What must be true of the process before Qt and VTK are imported."""

import ctypes
import os
import stat
import sys
import tempfile
from pathlib import Path

# PySide6's bit for enumerations that are ints, as PythonQt's are.
_ENUMERATIONS_ARE_INTS = "0x2"


def prepare():
    """Set the environment variables that Qt and PySide6 read when they are imported.

    Raises RuntimeError if PySide6 was imported before: its enumerations can no longer be made ints.
    """
    if "PySide6" in sys.modules and os.environ.get("PYSIDE6_OPTION_PYTHON_ENUM") != _ENUMERATIONS_ARE_INTS:
        raise RuntimeError("The bench must be started before anything imports PySide6.")
    _keep_none_alive()
    os.environ["PYSIDE6_OPTION_PYTHON_ENUM"] = _ENUMERATIONS_ARE_INTS
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    # Without a session bus Qt's accessibility bridge only prints warnings.
    os.environ.setdefault("NO_AT_BRIDGE", "1")


def _keep_none_alive():
    # PySide6 6.12 gives one reference to None too many back per call of many void functions (processEvents, click).
    # Where None is not immortal (Python below 3.12) a long run would end with "deallocating None".
    if sys.version_info < (3, 12):
        ctypes.c_ssize_t.from_address(id(None)).value += 1 << 40


def make_settings_private(folder):
    """Send every QSettings of this process to `folder`, so that no test reads or writes a user's settings."""
    from PySide6.QtCore import QSettings

    QSettings.setDefaultFormat(QSettings.IniFormat)
    for scope in (QSettings.UserScope, QSettings.SystemScope):
        QSettings.setPath(QSettings.IniFormat, scope, str(folder))


def put_python_slicer_on_path():
    """Put a folder with a ``PythonSlicer`` launcher for this interpreter in front of ``PATH``; return the folder.

    Like Slicer's own launcher it starts the interpreter as a child of its own: killing the launcher leaves the
    interpreter alive until that notices, by end-of-file on its standard input, that nobody is left.
    """
    folder = Path(tempfile.mkdtemp(prefix="PythonSlicer-"))
    if os.name == "nt":
        launcher = folder / "PythonSlicer.bat"
        launcher.write_text(f'@"{sys.executable}" %*\r\n')
    else:
        launcher = folder / "PythonSlicer"
        # Not exec, and not the last command: either would make the launcher the interpreter itself.
        launcher.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\nexit $?\n')
        launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return folder
