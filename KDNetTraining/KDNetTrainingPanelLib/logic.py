"""What the panel, the Python console and headless runs share."""

from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from KDNetTrainingPanelLib.parameter_node import KDNetTrainingParameterNode


class KDNetTrainingLogic(ScriptedLoadableModuleLogic):
    """Trains."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        self._parameterNode = None

    def getParameterNode(self):
        """The panel's choices in the scene, wrapped with their types; one wrapper per node."""
        node = super().getParameterNode()
        if self._parameterNode is None or self._parameterNode.parameterNode is not node:
            self._parameterNode = KDNetTrainingParameterNode(node)
        return self._parameterNode
