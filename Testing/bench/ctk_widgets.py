"""The ``ctk`` module: the CTK widgets that Slicer modules use most, with their properties, signals and refusals."""

import types

from PySide6 import QtCore, QtGui, QtWidgets

from .qt_facade import standIn
from .ctk_paths import ctkDirectoryButton, ctkPathLineEdit
from .ctk_slider import ctkSliderWidget


def _onlyParent(cls, arguments):
    # PythonQt knows the default constructor and the one with a parent, whatever else the C++ class has.
    if len(arguments) > 1 or (arguments and not isinstance(arguments[0], (QtWidgets.QWidget, type(None)))):
        raise ValueError(f"Called constructor of {cls.__name__} with wrong arguments: {arguments!r}")


@standIn
class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A title bar that shows and hides what is laid out below it."""

    contentsCollapsed = QtCore.Signal(bool)

    def __init__(self, *arguments):
        _onlyParent(type(self), arguments)
        super().__init__(*arguments)
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QtWidgets.QSizePolicy.Minimum, QtWidgets.QSizePolicy.Preferred)
        self.setContentsMargins(0, self._barHeight(), 0, 0)
        self.toggled.connect(self._onToggled)

    def _barHeight(self):
        return self.fontMetrics().height() + 8

    def _onToggled(self, expanded):
        for child in self.children():
            if isinstance(child, QtWidgets.QWidget):
                child.setVisible(expanded)
        self.setMaximumHeight(16777215 if expanded else self._barHeight())
        self.contentsCollapsed.emit(not expanded)

    def childEvent(self, event):
        if event.type() == QtCore.QEvent.ChildAdded and self.collapsed and event.child().isWidgetType():
            event.child().setVisible(False)
        super().childEvent(event)

    collapsed = QtCore.Property(bool, lambda self: not self.isChecked(), lambda self, on: self.setChecked(not on))

    def setCollapsed(self, collapsed):
        self.collapsed = collapsed

    def minimumSizeHint(self):
        return self.sizeHint()

    def sizeHint(self):
        inside = self.layout().sizeHint() if self.layout() and not self.collapsed else QtCore.QSize(0, 0)
        text = self.fontMetrics().horizontalAdvance(self.text) + 40
        return QtCore.QSize(max(text, inside.width()), self._barHeight() + inside.height())

    def hitButton(self, position):
        return position.y() < self._barHeight()

    def paintEvent(self, event):
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        bar = QtCore.QRect(0, 0, self.width, self._barHeight())
        option.rect = bar
        painter = QtGui.QPainter(self)
        self.style().drawControl(QtWidgets.QStyle.CE_PushButtonBevel, option, painter, self)
        arrow = QtWidgets.QStyle.PE_IndicatorArrowRight if self.collapsed else QtWidgets.QStyle.PE_IndicatorArrowDown
        option.rect = QtCore.QRect(6, 0, 12, self._barHeight())
        self.style().drawPrimitive(arrow, option, painter, self)
        painter.drawText(bar.adjusted(24, 0, 0, 0), QtCore.Qt.AlignVCenter | QtCore.Qt.AlignLeft, self.text)
        painter.end()


@standIn
class ctkCollapsibleGroupBox(QtWidgets.QGroupBox):
    """A group box whose title shows and hides its content."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._onToggled)

    def _onToggled(self, expanded):
        for child in self.children():
            if isinstance(child, QtWidgets.QWidget):
                child.setVisible(expanded)

    collapsed = QtCore.Property(bool, lambda self: not self.isChecked(), lambda self, on: self.setChecked(not on))

    def setCollapsed(self, collapsed):
        self.collapsed = collapsed


@standIn
class ctkComboBox(QtWidgets.QComboBox):
    """A combo box that shows `defaultText` while nothing is chosen."""

    def __init__(self, *arguments):
        _onlyParent(type(self), arguments)
        super().__init__(*arguments)

    defaultText = QtCore.Property(str, lambda self: self.placeholderText,
                                  lambda self, text: self.setPlaceholderText(text))


@standIn
class ctkMessageBox(QtWidgets.QMessageBox):
    """A message box that can be told not to come again."""

    def __init__(self, *arguments):
        _onlyParent(type(self), arguments)
        super().__init__(*arguments)
        self.__dict__["_d"] = types.SimpleNamespace(settingsKey="", dontShowAgain=False)

    dontShowAgainVisible = QtCore.Property(bool, lambda self: bool(self._d.settingsKey), lambda self, on: None)
    dontShowAgain = QtCore.Property(bool, lambda self: self._d.dontShowAgain,
                                    lambda self, on: setattr(self._d, "dontShowAgain", on))
    dontShowAgainSettingsKey = QtCore.Property(str, lambda self: self._d.settingsKey,
                                               lambda self, key: setattr(self._d, "settingsKey", key))


WIDGETS = (ctkCollapsibleButton, ctkCollapsibleGroupBox, ctkComboBox, ctkMessageBox, ctkDirectoryButton,
           ctkPathLineEdit, ctkSliderWidget)


def build():
    """The module to register as ``ctk``."""
    ctk = types.ModuleType("ctk")
    for widget in WIDGETS:
        setattr(ctk, widget.__name__, widget)
    return ctk
