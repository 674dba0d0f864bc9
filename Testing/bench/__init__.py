"""A strict stand-in for the 3D Slicer application, for tests.

MRML is the real thing (the ``slicer-core`` wheel); what the wheel lacks (``qt``, ``ctk``, the qMRML widgets,
``slicer.app``, the scripted-module base classes) is stood in for on PySide6, as strictly as PythonQt.
Start with :func:`bench.session.start`, or with the fixtures of :mod:`bench.fixtures`.

What it does not imitate:

- Enumeration values have PySide6's ``value`` attribute, which an int has not (their ``name`` is hidden), and a plain
  int is refused where Qt wants one, which PythonQt takes.
- Lists that Qt *methods* return (``QDir.entryList()``) are lists, not tuples; of properties, ``children()`` and
  ``findChildren()`` they are tuples.
- A Qt property takes what QVariant converts to its type; text and number rules are PythonQt's, the rest is Qt's.
- Parameter packs, dictionaries, tuples and unions in parameter nodes; the developer section of a panel; the menus of
  the node selector; Segment Editor, DICOM, CLI modules and the Segment Statistics module (not in the wheel).
- The subject hierarchy's Qt plugins: items come and go with their nodes, but segments have no items of their own.
- ``sys.executable`` is the interpreter, not the PythonSlicer launcher (which is on PATH).
- The views' windows: cameras move only in :mod:`bench.views`.
- Qt is PySide6's Qt 6; what Qt 5 had besides (``QProcess.finished(int)``, ``QRegExp``) is missing.
"""

from .environment import prepare as _prepare

# The one thing done on import: PySide6 reads these variables when something imports it, and anything below may.
_prepare()
