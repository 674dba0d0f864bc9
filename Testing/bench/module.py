"""Loading a scripted module from its file, as the application's module factory does."""

import importlib.util
import sys
from pathlib import Path

import slicer
from PySide6 import QtCore

from .module_objects import qSlicerScriptedLoadableModule

_loaded = []
_retiredPanels = []


class LoadedModule:
    """A loaded module. `name`, `path`, `object` (``slicer.modules.<name>``), `panel` and `widget` on demand."""

    def __init__(self, path):
        self.path = Path(path).resolve()
        self.name = self.path.stem
        folder = str(self.path.parent)
        # The application puts the folder of every module on the path.
        if folder not in sys.path:
            sys.path.insert(0, folder)
        spec = importlib.util.spec_from_file_location(self.name, self.path)
        self.source = importlib.util.module_from_spec(spec)
        sys.modules[self.name] = self.source
        spec.loader.exec_module(self.source)
        self.object = qSlicerScriptedLoadableModule(self.name, str(self.path))
        self.object._d.python = getattr(self.source, self.name)(self.object)
        setattr(slicer.modules, self.name.lower(), self.object)
        setattr(slicer.modules, self.name + "Instance", self.object._d.python)

    @property
    def panel(self):
        """The outermost QWidget of the module's panel; made, set up and entered on the first call."""
        isNew = self.object._d.widget is None
        panel = self.object.widgetRepresentation()
        if isNew:
            panel.enter()
        return panel

    @property
    def widget(self):
        """The module's Python widget object (``<name>Widget``)."""
        return self.panel.self()

    @property
    def hasPanel(self):
        return self.object._d.widget is not None

    def newLogic(self):
        return getattr(self.source, self.name + "Logic")()

    def unload(self):
        """Exit the panel, clean up and forget the module."""
        if self.hasPanel:
            self.panel.exit()
            slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(self.name)
            self.panel.hide()
            # Not destroyed yet: what connectGui() connected stays connected to the parameter node.
            _retiredPanels.append(self.panel)
        for name in (self.name.lower(), self.name + "Instance", self.name + "Widget"):
            if hasattr(slicer.modules, name):
                delattr(slicer.modules, name)
        sys.modules.pop(self.name, None)
        if self in _loaded:
            _loaded.remove(self)


def load(path):
    """Load the scripted module in the file `path`; returns the :class:`LoadedModule`."""
    module = LoadedModule(path)
    _loaded.append(module)
    return module


def unload_all():
    """Unload every module that :func:`load` loaded, last first."""
    for module in reversed(list(_loaded)):
        module.unload()


def destroy_panels():
    """Destroy the panels of unloaded modules; their parameter nodes must be out of the scene by then."""
    for panel in _retiredPanels:
        panel.setMRMLScene(None)
        panel.deleteLater()
    _retiredPanels.clear()
    # No event loop runs here that would do so, and left alive they answer the events of every later test.
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
