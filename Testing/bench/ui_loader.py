"""QUiLoader that knows the stand-ins: ``slicer.util.loadUI`` uses it.

Stricter than Qt where Qt would be silent: a widget class that neither Qt nor the bench has, a property that the
stand-in's class has not, and a connection that cannot be made raise RuntimeError.
"""

import inspect
import xml.etree.ElementTree as ElementTree

from PySide6 import QtCore, QtUiTools, QtWidgets

from . import ctk_widgets, mrml_widgets, qt_properties
from .qt_properties import QtProperty

_STAND_INS = {cls.__name__: cls for cls in (*ctk_widgets.WIDGETS, *mrml_widgets.WIDGETS)}


class QUiLoader(QtUiTools.QUiLoader):
    """``qt.QUiLoader``."""

    def load(self, device, parent=None):
        """The widget of a .ui file (an open QFile or QBuffer). Raises RuntimeError for what the bench cannot make."""
        tree = ElementTree.fromstring(bytes(device.readAll().data()))
        self._check(tree)
        connections = tree.find("connections")
        if connections is not None:
            tree.remove(connections)  # Qt cannot make those of MRML types; all are made here
        text = QtCore.QBuffer()
        text.setData(ElementTree.tostring(tree))
        text.open(QtCore.QIODevice.ReadOnly)
        qt_properties.loadingUi = True
        try:
            widget = super().load(text, parent)
        finally:
            qt_properties.loadingUi = False
        for connection in connections if connections is not None else ():
            self._connect(widget, {part.tag: part.text for part in connection})
        return widget

    def createWidget(self, className, parent=None, name=""):
        cls = _STAND_INS.get(className)
        if cls is None:
            return super().createWidget(className, parent, name)
        widget = cls(parent)
        widget.objectName = name
        return widget

    def _check(self, tree):
        for element in tree.iter("widget"):
            className = element.get("class")
            cls = _STAND_INS.get(className)
            if cls is None:
                if className not in self.availableWidgets() and not hasattr(QtWidgets, className):
                    raise RuntimeError(f"The bench has no widget class {className} (widget {element.get('name')}).")
                continue
            for prop in element.findall("property"):
                # Not from the meta object: PySide6 builds a Python class's anew, and its properties come and go.
                found = inspect.getattr_static(cls, prop.get("name"), None)
                if not isinstance(found, (QtProperty, QtCore.Property)) and prop.get("stdset") != "0":
                    raise RuntimeError(f"{className} has no property {prop.get('name')} (widget "
                                       f"{element.get('name')}).")

    def _connect(self, root, parts):
        sender, receiver = (root if root.objectName == parts[end] else root.findChild(QtCore.QObject, parts[end])
                            for end in ("sender", "receiver"))
        slot = parts["slot"].partition("(")[0]
        if sender is None or receiver is None or not callable(getattr(receiver, slot, None)) \
                or not sender.connect(parts["signal"], getattr(receiver, slot)):
            raise RuntimeError(f"The connection {parts} cannot be made.")
