"""Signals and slots as PythonQt has them.

The rules are those of PythonQt's ``PythonQtStdDecorators`` and ``PythonQtSignalReceiver`` (read, not copied): an
unknown signal is a printed message and False; a Python function or method gets no more arguments than it takes, any
other callable gets all of them; a connection keeps its callable alive; an exception in a slot is printed, no more.
"""

import functools
import inspect
import sys
import types

import shiboken6
from PySide6 import QtCore

# Class attribute in which a stand-in widget lists signals whose argument types only C++ knows, as the C++ class
# spells them: ("currentNodeChanged(vtkMRMLNode*)",).
ALIASES = "SIGNAL_SIGNATURES"

_connections = {}


_pysideDisconnect = QtCore.QObject.disconnect


class Signal:
    """``button.clicked``: connect, disconnect, emit; calling it emits, as in PythonQt."""

    def __init__(self, sender, name, instance):
        self._sender, self._name, self._instance = sender, name, instance

    def connect(self, slot):
        return _connect(self._sender, self._name, _overload(self._instance, _longestTypes(self._sender, self._name)),
                        slot)

    def disconnect(self, slot=None):
        return _disconnect(self._sender, self._name, slot)

    def emit(self, *arguments):
        self._instance.emit(*arguments)

    __call__ = emit


def attribute(original, isCppClass):
    """The ``__getattribute__`` of a Qt class: PySide6's own (`original`) with PythonQt's signals, connect, tuples."""

    def __getattribute__(self, name):
        if name == "connect":
            return types.MethodType(connect, self)
        if name == "disconnect":
            return types.MethodType(disconnect, self)
        value = original(self, name)
        if type(value) is QtCore.SignalInstance:
            return Signal(self, name, value)
        if type(value) is list and isCppClass(type(self)):
            return tuple(value)
        return value

    return __getattribute__


def connect(sender, signature, *target):
    """``sender.connect("clicked()", callable)`` or ``sender.connect("clicked()", receiver, "slot()")``.

    Returns whether the connection was made. Raises TypeError for a target that cannot be called.
    """
    slot = _slotOf(target)
    found = _find(sender, signature)
    if found is None:
        print(f"PythonQt: QObject::connect() signal '{signature}' does not exist on "
              f"{sender.metaObject().className()}", file=sys.stderr)
        return False
    if slot is None:
        print(f"QObject::connect: No such slot {target[1]}", file=sys.stderr)
        return False
    name, parameterTypes = found
    limit = 0 if parameterTypes == "" else None
    return _connect(sender, name, _overload(getattr(sender, name)._instance, parameterTypes), slot, limit)


def disconnect(sender, signature, *target):
    """Undo :func:`connect`; without a target, everything connected to the signal. Returns whether there was any."""
    found = _find(sender, signature)
    if found is None:
        print(f"PythonQt: QObject::disconnect() signal '{signature}' does not exist on "
              f"{sender.metaObject().className()}", file=sys.stderr)
        return False
    return _disconnect(sender, found[0], _slotOf(target) if target else None)


def _slotOf(target):
    if len(target) == 2 and isinstance(target[0], QtCore.QObject) and isinstance(target[1], str):
        receiver, signature = target
        metaObject = receiver.metaObject()
        index = metaObject.indexOfMethod(_normalized(signature))
        if index < 0:
            return None
        name, _, arguments = signature.partition("(")
        return _BoundSlot(receiver, name, metaObject.method(index).parameterCount())
    if len(target) == 1 and callable(target[0]):
        return target[0]
    raise TypeError("Could not find matching overload for connect(): a signature and a callable, or a signature, "
                    "a receiver and a slot's signature are needed")


class _BoundSlot:
    """A C++ slot named by its signature; two of the same receiver and name are equal, so that it can disconnect."""

    def __init__(self, receiver, name, count):
        self.receiver, self.name, self.count = receiver, name, count

    def __eq__(self, other):
        return isinstance(other, _BoundSlot) and (self.receiver, self.name) == (other.receiver, other.name)

    def __call__(self, *arguments):
        getattr(self.receiver, self.name)(*arguments[:self.count])


def _normalized(signature):
    normalized = QtCore.QMetaObject.normalizedSignature(signature)
    return normalized if isinstance(normalized, str) else bytes(normalized).decode()


def _find(sender, signature):
    """(name, parameter types or None) of a signal, or None if the object has no such signal."""
    if signature.replace(" ", "") in getattr(type(sender), ALIASES, ()):
        return signature.partition("(")[0].strip(), None
    metaObject = sender.metaObject()
    index = metaObject.indexOfSignal(_normalized(signature))
    if index < 0:
        return None
    method = metaObject.method(index)
    # The Python type of a stand-in's argument is no C++ type that a module could name.
    if b"PyObject" in bytes(method.methodSignature()):
        return None
    return bytes(method.name()).decode(), _types(method)


def _types(method):
    return ",".join(bytes(t).decode() for t in method.parameterTypes())


def _longestTypes(sender, name):
    # moc lists a signal with default arguments as several methods, the complete one first.
    metaObject = sender.metaObject()
    for index in range(metaObject.methodCount()):
        method = metaObject.method(index)
        if method.methodType() == QtCore.QMetaMethod.Signal and bytes(method.name()).decode() == name:
            return _types(method)
    return None


def _overload(instance, parameterTypes):
    if not parameterTypes:
        return instance
    try:
        return instance[parameterTypes]
    except IndexError:  # PySide6 spells a few types its own way; such signals have one form only
        return instance


def _connect(sender, name, instance, slot, limit=None):
    if not callable(slot):
        raise TypeError(f"connect: {slot!r} is not callable")
    accepted = _acceptedCount(slot) if limit is None else limit

    def call(*arguments):
        arguments = [int(a) if isinstance(a, int) and not isinstance(a, bool) else a for a in arguments]
        try:
            slot(*(arguments[:accepted] if accepted is not None else arguments))
        except Exception:
            # Not an assertion of ours: PythonQt prints it and goes on. The bench's error record sees it too.
            sys.excepthook(*sys.exc_info())

    connection = instance.connect(call)
    pointer = shiboken6.getCppPointer(sender)[0]
    if pointer not in _connections:
        _connections[pointer] = []
        sender.destroyed._instance.connect(functools.partial(_forget, pointer))
    _connections[pointer].append((name, slot, connection))
    return True


def _forget(pointer, _destroyed=None):
    _connections.pop(pointer, None)


def _disconnect(sender, name, slot):
    known = _connections.get(shiboken6.getCppPointer(sender)[0], [])
    removed = [entry for entry in known if entry[0] == name and (slot is None or entry[1] == slot)]
    if slot is not None:
        removed = removed[:1]
    for entry in removed:
        known.remove(entry)
        _pysideDisconnect(entry[2])
    return bool(removed)


def _acceptedCount(slot):
    """How many positional arguments PythonQt passes at most, None for all of them."""
    if isinstance(slot, types.MethodType):
        function, bound = slot.__func__, 1
    else:
        function, bound = slot, 0
    if not inspect.isfunction(function) or function.__code__.co_flags & inspect.CO_VARARGS:
        return None
    return function.__code__.co_argcount - bound
