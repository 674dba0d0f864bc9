"""A strict stand-in for the 3D Slicer application, for tests.

MRML is the real thing (the ``slicer-core`` wheel); what the wheel lacks (``qt``, ``ctk``, the qMRML widgets,
``slicer.app``, the scripted-module base classes) is stood in for on PySide6, as strictly as PythonQt.
Start with :func:`bench.session.start`, or with the fixtures of :mod:`bench.fixtures`.
"""

from .environment import prepare as _prepare

# The one thing done on import: PySide6 reads these variables when something imports it, and anything below may.
_prepare()
