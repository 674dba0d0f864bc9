"""CTK's widgets for files and folders."""

import os
import types

from PySide6 import QtCore, QtWidgets

from .qt_facade import standIn


@standIn
class ctkPathLineEdit(QtWidgets.QWidget):
    """A line edit for a path with a browse button."""

    currentPathChanged = QtCore.Signal(str)
    validInputChanged = QtCore.Signal(bool)

    # ctkPathLineEdit::Filter
    Dirs, Files, Drives, NoSymLinks, Readable, Writable, Executable, Hidden = 1, 2, 4, 8, 16, 32, 64, 256

    def __init__(self, *arguments):
        super().__init__(*arguments)
        edit, button = QtWidgets.QLineEdit(self), QtWidgets.QToolButton(self)
        self.__dict__["_d"] = types.SimpleNamespace(edit=edit, values={
            "filters": self.Files, "nameFilters": [], "label": "", "settingKey": "", "showHistoryButton": True,
            "showBrowseButton": True})
        button.setText("…")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(edit)
        layout.addWidget(button)
        edit.textChanged.connect(self._onTextChanged)
        button.clicked.connect(self.browse)

    def _onTextChanged(self, text):
        self.currentPathChanged.emit(text)
        self.validInputChanged.emit(os.path.exists(text))

    def browse(self):
        """Let the user choose with a file dialog, a folder dialog if `filters` has Dirs and not Files."""
        values = self._d.values
        if values["filters"] & self.Files:
            path = QtWidgets.QFileDialog.getOpenFileName(self, values["label"] or "Select a file", self.currentPath,
                                                         ";;".join(values["nameFilters"]))
        else:
            path = QtWidgets.QFileDialog.getExistingDirectory(self, values["label"] or "Select a folder",
                                                              self.currentPath)
        if path:
            self.setCurrentPath(path)

    def setCurrentPath(self, path):
        self._d.edit.setText(path)

    def addCurrentPathToHistory(self):
        """Nothing here: the history is a menu of the real widget."""

    def clear(self):
        self.setCurrentPath("")

    currentPath = QtCore.Property(str, lambda self: self._d.edit.text, setCurrentPath)
    validInput = QtCore.Property(bool, lambda self: os.path.exists(self._d.edit.text))
    filters = QtCore.Property(int, lambda self: self._d.values["filters"],
                              lambda self, value: self._d.values.update(filters=value))
    nameFilters = QtCore.Property("QStringList", lambda self: self._d.values["nameFilters"],
                                  lambda self, value: self._d.values.update(nameFilters=list(value)))
    label = QtCore.Property(str, lambda self: self._d.values["label"],
                            lambda self, value: self._d.values.update(label=value))
    settingKey = QtCore.Property(str, lambda self: self._d.values["settingKey"],
                                 lambda self, value: self._d.values.update(settingKey=value))
    showHistoryButton = QtCore.Property(bool, lambda self: self._d.values["showHistoryButton"],
                                        lambda self, value: self._d.values.update(showHistoryButton=value))
    showBrowseButton = QtCore.Property(bool, lambda self: self._d.values["showBrowseButton"],
                                       lambda self, value: self._d.values.update(showBrowseButton=value))


@standIn
class ctkDirectoryButton(QtWidgets.QWidget):
    """A button that shows a folder and lets the user choose another."""

    directoryChanged = QtCore.Signal(str)
    directorySelected = QtCore.Signal(str)

    def __init__(self, *arguments):
        super().__init__(*arguments)
        button = QtWidgets.QPushButton(self)
        self.__dict__["_d"] = types.SimpleNamespace(button=button, directory=os.getcwd(), caption="")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(button)
        button.setText(self._d.directory)
        button.clicked.connect(self.browse)

    def browse(self):
        """Let the user choose a folder."""
        path = QtWidgets.QFileDialog.getExistingDirectory(self, self._d.caption, self._d.directory)
        if path:
            self.setDirectory(path)
            self.directorySelected.emit(self._d.directory)

    def setDirectory(self, directory):
        directory = os.path.abspath(directory)
        if directory != self._d.directory:
            self._d.directory = directory
            self._d.button.setText(directory)
            self.directoryChanged.emit(directory)

    directory = QtCore.Property(str, lambda self: self._d.directory, setDirectory)
    caption = QtCore.Property(str, lambda self: self._d.caption, lambda self, text: setattr(self._d, "caption", text))
