"""The application's own objects around a scripted module: what ``parent`` is in its classes."""

import types

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from .mrml_widgets import qMRMLWidget
from .qt_facade import standIn


@standIn
class qSlicerScriptedLoadableModule(QtCore.QObject):
    """The module object: ``slicer.modules.<name>`` and the `parent` of the module class."""

    def __init__(self, name, path):
        super().__init__()
        self.__dict__["_d"] = types.SimpleNamespace(name=name, path=path, icon=QtGui.QIcon(), widget=None,
                                                    python=None, source=None, texts={})

    name = QtCore.Property(str, lambda self: self._d.name)
    path = QtCore.Property(str, lambda self: self._d.path)

    def widgetRepresentation(self):
        """The panel; made (and set up) the first time it is asked for."""
        if self._d.widget is None:
            self._d.widget = self.createNewWidgetRepresentation()
        return self._d.widget

    def createNewWidgetRepresentation(self):
        widget = qSlicerScriptedLoadableModuleWidget(self)
        widget.reload()
        return widget

    def logic(self):
        return None


def _described(name, default):
    def read(self):
        return self._d.texts.get(name, default)

    def write(self, value):
        if not isinstance(value, type(default)):
            raise AttributeError(f"Property '{name}' does not accept an object of type {type(value).__name__}")
        self._d.texts[name] = value

    return property(read, write)


# What a module's class sets on its parent.
for _name, _default in (("title", ""), ("categories", []), ("dependencies", []), ("contributors", []),
                        ("helpText", ""), ("acknowledgementText", ""), ("hidden", False), ("index", -1),
                        ("icon", QtGui.QIcon()), ("widgetRepresentationCreationEnabled", True)):
    setattr(qSlicerScriptedLoadableModule, _name, _described(_name, _default))


@standIn
class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """The panel's outermost widget: the `parent` of the module's widget class."""

    def __init__(self, module):
        super().__init__()
        self._d.module, self._d.python, self._d.entered = module, None, False
        QtWidgets.QVBoxLayout(self)

    def self(self):
        """The module's Python widget object."""
        return self._d.python

    def reload(self):
        """Make the Python widget object anew from the (possibly reloaded) file and set it up."""
        import sys
        module = self._d.module
        cls = getattr(sys.modules[module.name], module.name + "Widget")
        self._d.python = cls(self)
        setattr(slicer.modules, module.name + "Widget", self._d.python)
        self.setMRMLScene(slicer.mrmlScene)
        self._d.python.setup()

    isEntered = QtCore.Property(bool, lambda self: self._d.entered)

    def enter(self):
        self._d.entered = True
        if hasattr(self._d.python, "enter"):
            self._d.python.enter()

    def exit(self):
        self._d.entered = False
        if hasattr(self._d.python, "exit"):
            self._d.python.exit()
