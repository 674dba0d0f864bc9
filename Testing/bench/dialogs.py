"""Modal dialogs under test: each must be announced before it opens, because nobody is there to press a button.

A dialog that no test announced is refused at once and recorded as an error, instead of hanging.
"""

import collections

from PySide6 import QtWidgets


class UnexpectedDialog(AssertionError):
    """A modal dialog was opened that the test did not announce."""


class Dialogs:
    """Answers to the next modal dialogs. `shown` lists (title, text) of every dialog that was opened."""

    def __init__(self, errors):
        self._errors = errors
        self._answers = collections.deque()
        self.shown = []

    def press(self, button):
        """The next message box is answered by the button with this standard name or text (``"Yes"``, ``"Install"``)."""
        self._answers.append(("button", button))

    def choose(self, path):
        """The next file or folder dialog returns `path` (str or Path; ``""`` is Cancel; a list for several files)."""
        self._answers.append(("path", [str(p) for p in path] if isinstance(path, (list, tuple)) else str(path)))

    def type(self, value):
        """The next input dialog returns `value`."""
        self._answers.append(("value", value))

    def act(self, function):
        """The next dialog is handled by ``function(dialog) -> result of exec``."""
        self._answers.append(("function", function))

    def reset(self):
        """Forget everything; return how many announced dialogs never came."""
        left = len(self._answers)
        self._answers.clear()
        self.shown.clear()
        return left

    def _next(self, kinds, title, text):
        self.shown.append((title, text))
        if not self._answers or self._answers[0][0] not in kinds:
            expected = f"the test announced {self._answers[0]!r}" if self._answers else "the test announced none"
            message = f"Unexpected dialog '{title}': {text!r}; {expected}."
            self._errors.add(message)
            raise UnexpectedDialog(message)
        return self._answers.popleft()

    def chooseFile(self, parent=None, caption="", directory="", *others):
        """In place of QFileDialog's static functions: a str, as PythonQt returns."""
        return self._next(("path",), caption, str(directory))[1]

    def askValue(self, parent, title, label, *others):
        """In place of QInputDialog's static functions."""
        return self._next(("value",), title, label)[1]

    def execute(self, dialog):
        """In place of ``dialog.exec_()``."""
        isBox = isinstance(dialog, QtWidgets.QMessageBox)
        text = dialog.text if isBox else ""
        kind, answer = self._next(("button", "function") if isBox else ("function",), dialog.windowTitle, text)
        if kind == "function":
            return answer(dialog)
        button = _findButton(dialog, answer)
        button.click()
        code = int(dialog.standardButton(button))
        return code if code else dialog.buttons().index(button)

    def messageBox(self, parent, title, text, *others):
        """In place of QMessageBox's static functions; others[0] is the buttons."""
        answer = self._next(("button",), title, text)[1]
        return getattr(QtWidgets.QMessageBox, answer)


def _findButton(box, name):
    standard = getattr(QtWidgets.QMessageBox, name, None)
    if standard is not None and box.button(standard):
        return box.button(standard)
    for button in box.buttons():
        if button.text.replace("&", "") == name.replace("&", ""):
            return button
    raise AssertionError(f"Message box '{box.windowTitle}' has no button '{name}', only "
                         f"{[b.text for b in box.buttons()]}.")


def install(dialogs):
    """Let `dialogs` answer every modal dialog of Qt in this process."""
    def execute(self, *arguments):
        return dialogs.execute(self)

    for cls in (QtWidgets.QDialog, QtWidgets.QMessageBox, QtWidgets.QFileDialog, QtWidgets.QProgressDialog,
                QtWidgets.QInputDialog, QtWidgets.QColorDialog):
        cls.exec_ = cls.exec = execute
    for name in ("getOpenFileName", "getOpenFileNames", "getSaveFileName", "getExistingDirectory"):
        setattr(QtWidgets.QFileDialog, name, staticmethod(dialogs.chooseFile))
    for name in ("getText", "getInt", "getDouble", "getItem"):
        setattr(QtWidgets.QInputDialog, name, staticmethod(dialogs.askValue))
    for name in ("question", "warning", "information", "critical"):
        setattr(QtWidgets.QMessageBox, name, staticmethod(dialogs.messageBox))
