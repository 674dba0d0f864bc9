"""A line for a folder: tells once when its user has stopped typing or has chosen one."""

import ctk
import qt

#: Long enough to type the next letter of a path.
_PAUSE_MS = 600


class PathRow:
    """Drives a ``ctkPathLineEdit``; ``onChosen(path)`` is called when the user has entered another path."""

    def __init__(self, edit, onChosen):
        self._edit, self._onChosen = edit, onChosen
        self._shown = ""
        edit.filters = ctk.ctkPathLineEdit.Dirs
        edit.focusPolicy = qt.Qt.StrongFocus  # CTK's own is none, which takes it out of the keyboard's order
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.connect("timeout()", self._onPause)
        edit.connect("currentPathChanged(QString)", self._onChanged)

    def show(self, path: str) -> None:
        """Show another path without telling anyone."""
        if path != self._shown:
            self._shown = path
            self._timer.stop()
            self._edit.setCurrentPath(path)

    def stop(self) -> None:
        """Tell nothing any more."""
        self._timer.stop()

    def _onChanged(self, path):
        if path != self._shown:
            self._timer.start()

    def _onPause(self):
        path = self._edit.currentPath.strip()
        if path != self._shown:
            self._shown = path
            self._onChosen(path)
