"""How values of each type are kept in a parameter node (strings and node references, as Slicer writes them)."""

import collections.abc
import enum
import pathlib
import typing

import slicer

from .validators import IsInstance, NotNone, Validator


class Default:
    """Annotation with a parameter's first value: ``Annotated[int, Default(4)]``."""

    def __init__(self, value):
        self.value = value


class Serializer:
    """One type's way into the node and out: `encode(value) -> str`, `decode(str) -> value`."""

    def __init__(self, accepted, default, encode, decode):
        self.validators = [NotNone(), IsInstance(accepted)]
        self.default, self._encode, self._decode = default, encode, decode

    def isIn(self, node, name):
        return bool(node.HasParameter(name))

    def write(self, node, name, value):
        node.SetParameter(name, self._encode(value))

    def read(self, node, name):
        return self._decode(node.GetParameter(name))


class NodeSerializer:
    """MRML nodes are node references; the parameter of the same name only says that one was written."""

    default = None

    def __init__(self, classes):
        self.validators = [IsInstance(classes)]

    def isIn(self, node, name):
        return bool(node.HasParameter(name))

    def write(self, node, name, value):
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node, name):
        return node.GetNodeReference(name)


class ObservedList(collections.abc.MutableSequence):
    """List that writes itself back to the parameter node when it is changed."""

    def __init__(self, values, save):
        self._values, self._save = values, save

    def __getitem__(self, index):
        return self._values[index]

    def __setitem__(self, index, value):
        self._values[index] = value
        self._save(self._values)

    def __delitem__(self, index):
        del self._values[index]
        self._save(self._values)

    def __len__(self):
        return len(self._values)

    def insert(self, index, value):
        self._values.insert(index, value)
        self._save(self._values)

    def __eq__(self, other):
        return self._values == (other._values if isinstance(other, ObservedList) else other)

    def __repr__(self):
        return f"ObservedList({self._values})"


class ListSerializer:
    """A list of values of one simple type: the length under `name`, each value under a name of its own."""

    default = []

    def __init__(self, element):
        self._element = element
        self.validators = [NotNone(), IsInstance((list, ObservedList))]

    def isIn(self, node, name):
        return bool(node.HasParameter(f"{name}.size"))

    def write(self, node, name, value):
        for item in value:
            for validator in self._element.validators:
                validator.validate(item)
        with slicer.util.NodeModify(node):
            node.SetParameter(f"{name}.size", str(len(value)))
            for index, item in enumerate(value):
                self._element.write(node, f"{name}.{index}", item)

    def read(self, node, name):
        size = int(node.GetParameter(f"{name}.size"))
        return ObservedList([self._element.read(node, f"{name}.{index}") for index in range(size)],
                            lambda values: self.write(node, name, values))


def createSerializer(kind):
    """The serializer of a type. Raises TypeError for one that is not imitated (or that Slicer does not know)."""
    if kind is bool:
        return Serializer(bool, False, lambda value: "True" if value else "False", lambda text: text == "True")
    if kind is int:
        return Serializer(int, 0, str, int)
    if kind is float:
        return Serializer((int, float), 0.0, str, float)
    if kind is str:
        return Serializer(str, "", str, str)
    if isinstance(kind, type) and issubclass(kind, pathlib.PurePath):
        return Serializer(kind, kind(), str, kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return Serializer(kind, next(iter(kind)), lambda value: value.name, lambda text: kind[text])
    if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode):
        return NodeSerializer(kind)
    if typing.get_origin(kind) is list:
        return ListSerializer(createSerializer(typing.get_args(kind)[0]))
    raise TypeError(f"Unable to create serializer for type: {kind}")


def splitAnnotations(annotated):
    """(type, annotations) of a possibly ``Annotated`` type."""
    if typing.get_origin(annotated) is typing.Annotated:
        kind, *annotations = typing.get_args(annotated)
        return kind, annotations
    return annotated, []


def validatorsOf(annotations):
    return [a() if isinstance(a, type) else a for a in annotations
            if isinstance(a, Validator) or (isinstance(a, type) and issubclass(a, Validator))]
