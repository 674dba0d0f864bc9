"""Qt properties as plain Python attributes, with PythonQt's rules for reading, writing and refusing.

The rules are those of PythonQt's ``PythonQtInstanceWrapper_setattro`` and ``PythonQtConv`` (read, not copied):
a property hides the getter of the same name; ``name`` is another spelling of ``objectName``; a value is converted
to the property's type or refused with AttributeError; nothing unknown can be set on a C++ object.
"""

import ctypes
import inspect
import types

from PySide6 import QtCore

_readProperty = QtCore.QObject.property
_writeProperty = QtCore.QObject.setProperty
# Python refuses to call a base's own __setattr__ once a class between has another one; the C function does not.
_genericSet = ctypes.pythonapi.PyObject_GenericSetAttr
_genericSet.argtypes = [ctypes.py_object] * 3
_genericSet.restype = ctypes.c_int

_INTEGERS = frozenset(("int", "uint", "qlonglong", "qulonglong", "short", "long"))
_FLOATS = frozenset(("double", "float", "qreal"))


class QtProperty:
    """Data descriptor for one property of a Qt class: `button.text`, `button.text = "x"`."""

    def __init__(self, name, method):
        self._name = name
        # On the class the method stays (QTimer.singleShot is a property and a static function).
        self._method = method
        # PySide's own getter converts types that QObject.property() cannot (flags, widgets).
        self._getter = method if isinstance(method, types.MethodDescriptorType) else None

    def replaceMethod(self, method):
        """Let the class have another function of the property's name."""
        self._method = method

    def __get__(self, obj, owner=None):
        if obj is None:
            return self if self._method is None else self._method.__get__(None, owner)
        if self._getter is not None:
            return self._getter(obj)
        return _readProperty(obj, self._name)

    def __set__(self, obj, value):
        write(obj, self._name, value)


#: Whether a .ui file is being loaded.
loadingUi = False


def metaProperty(obj, name):
    """The QMetaProperty `name` of a QObject, or None."""
    metaObject = obj.metaObject()
    index = metaObject.indexOfProperty(name)
    return metaObject.property(index) if index >= 0 else None


def write(obj, name, value):
    """Set property `name`; AttributeError where PythonQt refuses."""
    prop = metaProperty(obj, name)
    if not prop.isWritable():
        raise AttributeError(f"Property '{name}' of {type(obj).__name__} object is not writable")
    try:
        converted = _convert(value, prop)
    except (TypeError, ValueError, OverflowError):
        converted = None
    if converted is None or not _writeProperty(obj, name, converted):
        raise AttributeError(f"Property '{name}' of type '{prop.typeName()}' does not accept an object of type "
                             f"{type(value).__name__} ({value!r})")


def _convert(value, prop):
    kind = prop.typeName()
    if prop.isEnumType() or prop.isFlagType():
        if not isinstance(value, (int, str)):
            raise TypeError
        return value
    if kind == "QString":
        return str(value)
    if kind in _INTEGERS or kind in _FLOATS or kind == "bool":
        # PythonQt looks at the exact number types of Python: numpy scalars other than float64 are refused.
        if not isinstance(value, (bool, int, float)):
            raise TypeError
        return bool(value) if kind == "bool" else float(value) if kind in _FLOATS else int(value)
    return value


def setAttribute(isCppClass):
    """The ``__setattr__`` of every Qt class.

    `isCppClass(type)` tells classes whose real counterpart is C++ (nothing can be added to their objects) from
    Python classes derived from them (anything can).
    """

    def __setattr__(self, name, value):
        if name == "name" and metaProperty(self, "name") is None:
            name = "objectName"
        cls = type(self)
        found = inspect.getattr_static(cls, name, None)
        if metaProperty(self, name) is not None:
            write(self, name, value)
        elif (not isCppClass(cls) or isinstance(found, property)
              # PySide6 stores the bound signals of an object in its __dict__, Python its own protocol names.
              or type(value) is QtCore.SignalInstance or (name.startswith("__") and name.endswith("__"))):
            _genericSet(self, name, value)
        elif name in _dynamicProperties(self):
            _writeProperty(self, name, value)
        elif loadingUi:
            pass  # PySide6's loader, and not PythonQt's, gives every widget of the file to the outermost as an attribute
        elif found is not None:
            what = "Signal" if isinstance(found, QtCore.Signal) else "Slot"
            raise AttributeError(f"{what} '{name}' can not be overwritten on {cls.__name__} object")
        else:
            raise AttributeError(f"'{name}' does not exist on {cls.__name__} and creating new attributes on C++ "
                                 f"objects is not allowed")

    return __setattr__


def _dynamicProperties(obj):
    return [bytes(name).decode() for name in obj.dynamicPropertyNames()]


def missingAttribute(self, name):
    """The ``__getattr__`` of QObject: PythonQt's last resorts are dynamic properties, then children by name."""
    if not name.startswith("__"):
        if name == "name":
            return _readProperty(self, "objectName")
        if name in _dynamicProperties(self):
            return _readProperty(self, name)
        for child in QtCore.QObject.children(self):
            if _readProperty(child, "objectName") == name:
                return child
    raise AttributeError(f"{type(self).__name__} has no attribute named '{name}'")


def patch(cls):
    """Give the properties of a PySide6 class to it as Python attributes.

    Inherited properties too, where the class overrides the getter: its method would hide the property.
    """
    metaObject = cls.__dict__.get("staticMetaObject")
    if metaObject is None:
        return
    for index in range(metaObject.propertyCount()):
        name = metaObject.property(index).name()
        own = cls.__dict__.get(name)
        if index >= metaObject.propertyOffset() or isinstance(own, types.MethodDescriptorType):
            setattr(cls, name, QtProperty(name, own))
