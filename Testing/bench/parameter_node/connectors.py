"""Which widget can show a parameter of which type, and how."""

import enum
import pathlib

import slicer

from .serializers import splitAnnotations
from .validators import Choice, Maximum, Minimum, WithinRange


class Decimals:
    """Annotation: number of decimals of the widget."""

    def __init__(self, value):
        self.value = value


class SingleStep:
    """Annotation: step of the widget."""

    def __init__(self, value):
        self.value = value


class Connector:
    """A widget as a value: `read()`, `write(value)`, `onChanged(callback or None)`."""

    def __init__(self, widget, signal, read, write):
        self._signal = signal
        self._callback = None
        self.widget, self.read, self.write = widget, read, write

    def onChanged(self, callback):
        self._callback = callback
        if callback is None:
            getattr(self.widget, self._signal).disconnect(self.changed)
        else:
            getattr(self.widget, self._signal).connect(self.changed)

    def changed(self):
        if self._callback:
            self._callback()


def createConnector(widget, annotated):
    """The connector for a widget and a (possibly annotated) type. Raises RuntimeError where Slicer has none."""
    import ctk
    import qt

    kind, annotations = splitAnnotations(annotated)
    cls = type(widget)
    if kind is bool and cls is qt.QCheckBox:
        return _property(widget, "stateChanged", "checked")
    if kind is bool and cls is qt.QPushButton:
        widget.checkable = True
        return _property(widget, "toggled", "checked")
    if kind is int and cls in (qt.QSlider, qt.QSpinBox):
        _limit(widget, annotations, -2**31, 2**31 - 1, cls is qt.QSlider)
        return _property(widget, "valueChanged", "value")
    if kind is float and cls in (qt.QDoubleSpinBox, ctk.ctkSliderWidget):
        _limit(widget, annotations, float("-inf"), float("inf"), cls is ctk.ctkSliderWidget)
        return _property(widget, "valueChanged", "value")
    if cls is qt.QComboBox and kind in (int, float, str, bool):
        choice = _first(annotations, Choice)
        if choice is None:
            raise RuntimeError("ComboBoxToStringableConnector requires the Choice annotation to be used.")
        return _choices(widget, [(str(c), c) for c in choice.choices])
    if cls is qt.QComboBox and isinstance(kind, type) and issubclass(kind, enum.Enum):
        label = getattr(kind, "label", lambda member: member.name)
        return _choices(widget, [(label(member), member) for member in kind])
    if kind is str and cls is qt.QLineEdit:
        return _property(widget, "textChanged", "text")
    if kind is str and cls is qt.QTextEdit:
        return Connector(widget, "textChanged", widget.toPlainText, widget.setPlainText)
    if isinstance(kind, type) and issubclass(kind, pathlib.PurePath):
        for pathClass, signal, name in ((ctk.ctkPathLineEdit, "currentPathChanged", "currentPath"),
                                        (ctk.ctkDirectoryButton, "directoryChanged", "directory")):
            if cls is pathClass:
                return Connector(widget, signal, lambda: kind(getattr(widget, name)),
                                 lambda value: setattr(widget, name, str(value)))
    if cls is slicer.qMRMLNodeComboBox and isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode):
        widget.nodeTypes = [kind.__name__]
        return Connector(widget, "currentNodeChanged", widget.currentNode, widget.setCurrentNode)
    raise RuntimeError(f"Unable to create GUI connector from datatype '{annotated}' to widget type '{cls}'")


def _property(widget, signal, name):
    return Connector(widget, signal, lambda: getattr(widget, name), lambda value: setattr(widget, name, value))


def _choices(widget, entries):
    widget.clear()
    for label, _ in entries:
        widget.addItem(label)
    values = [value for _, value in entries]

    def write(value):
        if value not in values:
            raise ValueError(f"Unable to find value {value} in choices {values}")
        widget.currentIndex = values.index(value)

    return Connector(widget, "currentIndexChanged", lambda: values[widget.currentIndex], write)


def _limit(widget, annotations, lowest, highest, mustBeBounded):
    for kind, name in ((Decimals, "decimals"), (SingleStep, "singleStep")):
        annotation = _first(annotations, kind)
        if annotation is not None:
            setattr(widget, name, annotation.value)
    inside, low, high = (_first(annotations, kind) for kind in (WithinRange, Minimum, Maximum))
    if mustBeBounded and inside is None and (low is None or high is None):
        raise RuntimeError("Cannot have a connection to a slider where the number is unbounded.")
    widget.minimum = inside.minimum if inside else low.minimum if low else lowest
    widget.maximum = inside.maximum if inside else high.maximum if high else highest


def _first(annotations, kind):
    return next((annotation for annotation in annotations if isinstance(annotation, kind)), None)
