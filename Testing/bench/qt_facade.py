"""The ``qt`` module: PySide6's classes, made to behave like PythonQt's."""

import enum
import inspect
import types

from PySide6 import QtCore, QtGui, QtNetwork, QtSvg, QtTest, QtUiTools, QtWidgets, QtXml

from . import qt_properties, qt_signals

_MODULES = (QtCore, QtGui, QtWidgets, QtNetwork, QtUiTools, QtSvg, QtXml, QtTest)
# What PySide6 has of its own and PythonQt has not.
_PYSIDE_ONLY = frozenset(("Signal", "SignalInstance", "Slot", "Property", "ClassInfo", "QtMsgType", "QmlElement"))
# A class whose real counterpart is C++ although the bench writes it in Python.
STAND_IN = "_BENCH_STAND_IN"


def standIn(cls):
    """Class decorator: objects of `cls` refuse new attributes, as the C++ class does that it stands in for."""
    setattr(cls, STAND_IN, cls)
    return cls


def isCppClass(cls):
    """Whether objects of this class are of a C++ class, real or stood in for (and not of a Python class derived)."""
    return cls.__module__.startswith("PySide6.") or cls.__dict__.get(STAND_IN) is cls


def build():
    """Patch PySide6 once, and return the module to register as ``qt``."""
    qt = types.ModuleType("qt")
    classes = {}
    for module in _MODULES:
        for name in dir(module):
            value = getattr(module, name)
            if inspect.isclass(value) and not name.startswith("_") and name not in _PYSIDE_ONLY:
                classes.setdefault(name, value)
    for name, cls in classes.items():
        if issubclass(cls, QtCore.QObject):
            _patchClass(cls)
        _hideEnumerationNames(cls)
        setattr(qt, name, cls)
    _patchQObject()
    return qt


def _patchClass(cls):
    qt_properties.patch(cls)
    if "__init__" in cls.__dict__:
        cls.__init__ = _withoutKeywords(cls.__dict__["__init__"])
    if "__setattr__" in cls.__dict__:
        cls.__setattr__ = qt_properties.setAttribute(isCppClass)
    if "__getattribute__" in cls.__dict__:
        cls.__getattribute__ = qt_signals.attribute(cls.__dict__["__getattribute__"], isCppClass)


def _withoutKeywords(original):
    # PythonQt ignores keyword arguments without a word; here they are an error.
    def __init__(self, *arguments, **keywords):
        if keywords and isCppClass(type(self)):
            raise TypeError(f"{type(self).__name__}() takes no keyword arguments: PythonQt would ignore "
                            f"{', '.join(keywords)}")
        original(self, *arguments, **keywords)

    return __init__


def _tuple(method):
    # PythonQt makes tuples of Qt's lists.
    return lambda self, *arguments: tuple(method(self, *arguments))


def _patchQObject():
    QtCore.QTimer.__dict__["singleShot"].replaceMethod(staticmethod(_singleShot))
    cls = QtCore.QObject
    cls.__getattr__ = qt_properties.missingAttribute
    cls.connect = qt_signals.connect
    cls.disconnect = qt_signals.disconnect
    cls.children = _tuple(cls.children)
    cls.findChildren = _tuple(cls.findChildren)
    cls.className = lambda self: self.metaObject().className()
    cls.delete = lambda self: self.deleteLater()


def _singleShot(milliseconds, *target):
    # PySide6's own calls the object's connect() in a way that PythonQt's does not know.
    timer = QtCore.QTimer(QtCore.QCoreApplication.instance())
    timer.setSingleShot(True)
    timer.connect("timeout()", *target)
    timer.connect("timeout()", timer.deleteLater)
    timer.start(milliseconds)


def _hideEnumerationNames(cls):
    # An int has no name. (It has no value either, but PySide6 itself reads that one.)
    def name(self):
        raise AttributeError("'int' object has no attribute 'name'")

    for member in vars(cls).values():
        if isinstance(member, type) and issubclass(member, enum.Enum):
            member.name = property(name)
