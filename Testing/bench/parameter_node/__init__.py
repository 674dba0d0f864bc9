"""``slicer.parameterNodeWrapper``: typed parameters over a vtkMRMLScriptedModuleNode, connected to widgets.

Behaves like Slicer's package of that name for the types str, int, float, bool, pathlib.Path, enum.Enum, MRML nodes
and lists of the first four; parameter packs, dictionaries, tuples and unions are not imitated.
"""

from .connectors import Decimals, SingleStep
from .serializers import Default
from .validators import Choice, Exclude, IsInstance, Maximum, Minimum, NotNone, Validator, WithinRange
from .wrapper import SlicerParameterNamePropertyName, isParameterNodeWrapper, parameterNodeWrapper

__all__ = ["Choice", "Decimals", "Default", "Exclude", "IsInstance", "Maximum", "Minimum", "NotNone", "SingleStep",
           "SlicerParameterNamePropertyName", "Validator", "WithinRange", "isParameterNodeWrapper",
           "parameterNodeWrapper"]
