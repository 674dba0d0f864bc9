"""The class decorator ``@parameterNodeWrapper``."""

import logging
import typing
import weakref

import slicer
import vtk

from .connectors import Connector, createConnector
from .serializers import Default, createSerializer, splitAnnotations, validatorsOf
from .validators import Validator

SlicerParameterNamePropertyName = "SlicerParameterName"


class _Parameter:
    """One parameter of a wrapper class: its type, its default and what may be written."""

    def __init__(self, name, annotated, cls):
        kind, annotations = splitAnnotations(annotated)
        try:
            self.serializer = createSerializer(kind)
        except TypeError as error:
            raise Exception(f"Unable to create serializer for {cls} member {name}") from error
        self.name, self.annotated = name, annotated
        self._validators = self.serializer.validators + validatorsOf(annotations)
        if hasattr(cls, name):
            self.default = getattr(cls, name)
        else:
            given = next((a for a in annotations if isinstance(a, Default)), None)
            self.default = given.value if given is not None else self.serializer.default
        unused = [a for a in annotations if not isinstance(a, Default) and not isinstance(a, Validator)
                  and not (isinstance(a, type) and issubclass(a, Validator))]
        if unused:
            logging.warning("Unused annotations: %s", unused)

    def write(self, node, value):
        for validator in self._validators:
            validator.validate(value)
        self.serializer.write(node, self.name, value)

    def read(self, node):
        if not self.serializer.isIn(node, self.name):
            self.write(node, self.default)
        return self.serializer.read(node, self.name)


def isParameterNodeWrapper(classOrObj):
    return getattr(classOrObj, "_is_parameter_node_wrapper", False)


def parameterNodeWrapper(classtype=None):
    """Make the annotated members of a class typed parameters of the node given to its constructor."""
    if classtype is None:
        return _process
    return _process(classtype)


def _process(cls):
    hints = typing.get_type_hints(cls, include_extras=True)
    parameters = {name: _Parameter(name, annotated, cls) for name, annotated in hints.items()}
    for name in parameters:
        if hasattr(_Methods, name):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
        setattr(cls, name, property(lambda self, name=name: self.getValue(name),
                                    lambda self, value, name=name: self.setValue(name, value)))
    for name, method in vars(_Methods).items():
        if name == "__init__" or not name.startswith("__"):
            if name in vars(cls) and name != "__init__":
                raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
            setattr(cls, name, method)
    cls.allParameters = parameters
    cls._is_parameter_node_wrapper = True
    return cls


class _Methods:
    """What the decorator adds to a class."""

    def __init__(self, parameterNode):
        self.parameterNode = parameterNode
        self._connectors = {}
        self._nextTag = 0
        self._updatingGui = False
        self._writing = False
        for parameter in self.allParameters.values():
            if not parameter.serializer.isIn(parameterNode, parameter.name):
                parameter.write(parameterNode, parameter.default)
        self._readAll()
        this = weakref.ref(self)
        parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: _refreshCache(this()))

    def _readAll(self):
        # Slicer answers from this cache, so a change of the node that is not a Modified event goes unseen there too.
        self._cache = {name: parameter.read(self.parameterNode) for name, parameter in self.allParameters.items()}

    def _parameter(self, name):
        if name not in self.allParameters:
            raise ValueError(f"Cannot find a param with the given name: {name}\n  Found parameters "
                             f"{list(self.allParameters)}")
        return self.allParameters[name]

    def getValue(self, name):
        self._parameter(name)
        return self._cache[name]

    def setValue(self, name, value):
        parameter = self._parameter(name)
        self._writing = True
        try:
            # The cache must be right before anything that observes the node asks.
            with slicer.util.NodeModify(self.parameterNode):
                parameter.write(self.parameterNode, value)
                self._cache[name] = parameter.read(self.parameterNode)
        finally:
            self._writing = False

    def default(self, name):
        return Default(self._parameter(name).default)

    def dataType(self, name):
        return self._parameter(name).annotated

    def connectGui(self, gui):
        """Connect the widgets of a panel (or of ``childWidgetVariables``) that name a parameter.

        Slicer's returns None: what it connects cannot be disconnected (its module template calls
        ``disconnectGui(None)``, which does nothing). :meth:`connectParametersToGui` returns a tag.
        """
        import qt
        widgets = gui.findChildren(qt.QWidget) if hasattr(gui, "isWidgetType") else list(vars(gui).values())
        mapping = {}
        for widget in widgets:
            name = widget.property(SlicerParameterNamePropertyName)
            if name:
                mapping[name] = widget
        self.connectParametersToGui(mapping)

    def connectParametersToGui(self, mapping):
        """Connect parameters by name to widgets; returns the tag for :meth:`disconnectGui`."""
        connectors = {name: widget if isinstance(widget, Connector) else
                      createConnector(widget, self.dataType(name)) for name, widget in mapping.items()}
        tag = self._nextTag
        self._nextTag += 1
        self._connectors[tag] = connectors
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.onChanged(self._guiChanged(name, connector))
        # Strong, as in Slicer: a connected wrapper lives as long as its node.
        self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: _updateGui(self))
        return tag

    def _guiChanged(self, name, connector):
        def callback():
            if not self._updatingGui:
                with slicer.util.NodeModify(self):
                    self.setValue(name, connector.read())

        return callback

    def disconnectGui(self, guiTag):
        for connector in self._connectors.pop(guiTag, {}).values():
            connector.onChanged(None)

    def StartModify(self):
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified):
        return self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event, callback, priority=0.0):
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag):
        return self.parameterNode.RemoveObserver(tag)

    def Modified(self):
        return self.parameterNode.Modified()


def _refreshCache(wrapper):
    if wrapper is not None and not wrapper._writing:
        wrapper._readAll()


def _updateGui(wrapper):
    if wrapper._updatingGui:
        return
    wrapper._updatingGui = True
    try:
        with slicer.util.NodeModify(wrapper):
            for connectors in wrapper._connectors.values():
                for name, connector in connectors.items():
                    connector.write(wrapper.getValue(name))
    finally:
        wrapper._updatingGui = False
