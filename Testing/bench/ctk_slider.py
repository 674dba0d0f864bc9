"""CTK's widget for a real number."""

import types

from PySide6 import QtCore, QtWidgets

from .qt_facade import standIn


@standIn
class ctkSliderWidget(QtWidgets.QWidget):
    """A slider and a spin box for the same real number."""

    valueChanged = QtCore.Signal(float)
    valueIsChanging = QtCore.Signal(float)
    valuesChanged = QtCore.Signal(float)

    def __init__(self, *arguments):
        super().__init__(*arguments)
        slider, box = QtWidgets.QSlider(QtCore.Qt.Horizontal, self), QtWidgets.QDoubleSpinBox(self)
        self.__dict__["_d"] = types.SimpleNamespace(slider=slider, box=box)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(slider)
        layout.addWidget(box)
        slider.setRange(0, 1000)
        box.setRange(0.0, 100.0)
        box.valueChanged.connect(self._onBox)
        slider.valueChanged.connect(self._onSlider)

    def _onBox(self, value):
        box = self._d.box
        span = (box.maximum - box.minimum) or 1.0
        wasBlocked = self._d.slider.blockSignals(True)
        self._d.slider.setValue(round(1000 * (value - box.minimum) / span))
        self._d.slider.blockSignals(wasBlocked)
        self.valueChanged.emit(value)

    def _onSlider(self, position):
        box = self._d.box
        box.setValue(box.minimum + position / 1000 * (box.maximum - box.minimum))

    def setValue(self, value):
        self._d.box.setValue(value)

    def setRange(self, minimum, maximum):
        self._d.box.setRange(minimum, maximum)

    def setMinimum(self, minimum):
        self._d.box.setMinimum(minimum)

    def setMaximum(self, maximum):
        self._d.box.setMaximum(maximum)

    def setSingleStep(self, step):
        self._d.box.setSingleStep(step)

    def setDecimals(self, decimals):
        self._d.box.setDecimals(decimals)

    value = QtCore.Property(float, lambda self: self._d.box.value, setValue)
    minimum = QtCore.Property(float, lambda self: self._d.box.minimum, setMinimum)
    maximum = QtCore.Property(float, lambda self: self._d.box.maximum, setMaximum)
    singleStep = QtCore.Property(float, lambda self: self._d.box.singleStep, setSingleStep)
    decimals = QtCore.Property(int, lambda self: self._d.box.decimals, setDecimals)
    suffix = QtCore.Property(str, lambda self: self._d.box.suffix, lambda self, text: self._d.box.setSuffix(text))
    prefix = QtCore.Property(str, lambda self: self._d.box.prefix, lambda self, text: self._d.box.setPrefix(text))
