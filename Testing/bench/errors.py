"""Record of what the application would only have printed: exceptions in slots and observers, VTK errors.

In Slicer such a failure is a traceback in the console and the program goes on; in a test it must not pass unseen.
"""

import sys
import traceback

import vtk


class ErrorRecord:
    """Collects failures from :meth:`install` on. `entries` is a list of texts, oldest first."""

    def __init__(self):
        self.entries = []
        self._tag = None

    def install(self):
        """Observe exceptions that reach no caller (in Qt slots, in VTK observers) and VTK's error messages."""
        self._previousHook = sys.excepthook
        sys.excepthook = self._onException
        self._tag = vtk.vtkOutputWindow.GetInstance().AddObserver("ErrorEvent", self._onVtkError)

    def take(self):
        """Return the failures so far and forget them; for a test that provokes one on purpose."""
        entries, self.entries = self.entries, []
        return entries

    def add(self, text):
        self.entries.append(text)

    def _onException(self, kind, value, trace):
        self.add("".join(traceback.format_exception(kind, value, trace)))
        self._previousHook(kind, value, trace)

    @vtk.calldata_type(vtk.VTK_STRING)
    def _onVtkError(self, window, event, text):
        self.add(text)
