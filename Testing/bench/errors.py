"""Record of what the application would only have printed: exceptions in slots and observers, VTK errors, Qt warnings.

In Slicer such a failure is a traceback in the console and the program goes on; in a test it must not pass unseen.
"""

import sys
import traceback

import vtk
from PySide6 import QtCore

# Said by the offscreen platform and about it.
_NOISE = ("This plugin does not support",)


class ErrorRecord:
    """Collects failures from :meth:`install` on. `entries` is a list of texts, oldest first."""

    def __init__(self):
        self.entries = []

    def install(self):
        """Observe exceptions that reach no caller (in Qt slots, in VTK observers), VTK's errors and Qt's warnings."""
        self._previousHook = sys.excepthook
        sys.excepthook = self._onException
        QtCore.qInstallMessageHandler(self._onQtMessage)
        vtk.vtkOutputWindow.GetInstance().AddObserver("ErrorEvent", self._onVtkError)

    def take(self):
        """Return the failures so far and forget them; for a test that provokes one on purpose."""
        entries, self.entries = self.entries, []
        return entries

    def add(self, text):
        self.entries.append(text)

    def _onException(self, kind, value, trace):
        self.add("".join(traceback.format_exception(kind, value, trace)))
        self._previousHook(kind, value, trace)

    def _onQtMessage(self, kind, context, text):
        sys.stderr.write(text + "\n")
        if kind not in (QtCore.QtMsgType.QtDebugMsg, QtCore.QtMsgType.QtInfoMsg) and not text.startswith(_NOISE):
            self.add(f"Qt: {text}")

    @vtk.calldata_type(vtk.VTK_STRING)
    def _onVtkError(self, window, event, text):
        self.add(text)
