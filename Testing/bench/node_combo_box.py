"""qMRMLNodeComboBox: a selector of nodes of given classes, over the real scene."""

import types

import slicer
from PySide6 import QtCore, QtWidgets

from .qt_facade import standIn

_FLAGS = {"noneEnabled": False, "addEnabled": True, "removeEnabled": True, "editEnabled": False,
          "renameEnabled": False, "showHidden": False, "showChildNodeTypes": True, "selectNodeUponCreation": True}


def _flag(name):
    def read(self):
        return self._d.flags[name]

    def write(self, value):
        self._d.flags[name] = value
        self._refresh()

    return QtCore.Property(bool, read, write)


@standIn
class qMRMLNodeComboBox(QtWidgets.QWidget):
    """Selector of the scene's nodes whose class is one of `nodeTypes`.

    As in the real widget there is nothing to select until it has a scene; without "None" among its entries the first
    node that comes is selected, and when the selected node goes its neighbour in the list takes its place.
    """

    currentNodeChanged = QtCore.Signal(object)
    currentNodeIDChanged = QtCore.Signal(str)
    nodeAddedByUser = QtCore.Signal(object)
    nodeAdded = QtCore.Signal(object)
    SIGNAL_SIGNATURES = ("currentNodeChanged(vtkMRMLNode*)", "nodeAddedByUser(vtkMRMLNode*)",
                         "nodeAdded(vtkMRMLNode*)")

    def __init__(self, *arguments):
        super().__init__(*arguments)
        box = QtWidgets.QComboBox(self)
        self.__dict__["_d"] = types.SimpleNamespace(
            box=box, scene=None, tags=[], observed=[], flags=dict(_FLAGS), nodeTypes=[], hideChildNodeTypes=[],
            noneDisplay="None", baseName="", attributes=[], refreshing=False, currentID="")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(box)
        box.currentIndexChanged.connect(self._onIndexChanged)
        self.destroyed.connect(self._stopObserving)

    # Scene

    def mrmlScene(self):
        return self._d.scene

    def setMRMLScene(self, scene):
        if scene is not None and not isinstance(scene, slicer.vtkMRMLScene):
            raise ValueError(f"Called setMRMLScene(vtkMRMLScene) with wrong arguments: {scene!r}")
        self._stopObserving()
        self._d.scene = scene
        if scene is not None:
            for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndImportEvent, scene.EndCloseEvent):
                self._d.tags.append(scene.AddObserver(event, self._onSceneEvent))
        self._refresh()

    def _stopObserving(self):
        for tag in self._d.tags:
            self._d.scene.RemoveObserver(tag)
        self._d.tags.clear()
        self._observeNames([])

    def _observeNames(self, nodes):
        for node, tag in self._d.observed:
            node.RemoveObserver(tag)
        self._d.observed = [(node, node.AddObserver("ModifiedEvent", self._onNodeModified)) for node in nodes]

    def _onNodeModified(self, node, event):
        row = self._d.box.findData(node.GetID())
        if row >= 0 and self._d.box.itemText(row) != node.GetName():
            self._d.box.setItemText(row, node.GetName())

    def _onSceneEvent(self, scene, event):
        # As in the real widget's model, which takes each node as it comes, in an import too.
        if not scene.IsClosing():
            self._refresh()

    # Entries

    def _nodes(self):
        if self._d.scene is None:
            return []
        return [node for node in _allNodes(self._d.scene) if self._accepts(node)]

    def _accepts(self, node):
        flags = self._d.flags
        if node.GetHideFromEditors() and not flags["showHidden"]:
            return False
        if any(node.IsA(kind) for kind in self._d.hideChildNodeTypes):
            return False
        for kind in self._d.nodeTypes:
            if node.GetClassName() == kind or (flags["showChildNodeTypes"] and node.IsA(kind)):
                return all(node.IsA(type_) and node.GetAttribute(name) is not None
                           and (value is None or node.GetAttribute(name) == value)
                           for type_, name, value in self._d.attributes)
        return False

    def _refresh(self):
        box, d = self._d.box, self._d
        row, wanted = box.currentIndex, d.currentID
        d.refreshing = True
        box.clear()
        if d.flags["noneEnabled"]:
            box.addItem(d.noneDisplay, "")
        nodes = self._nodes()
        self._observeNames(nodes)
        for node in nodes:
            box.addItem(node.GetName(), node.GetID())
        found = box.findData(wanted) if wanted else -1
        if found < 0:
            # What QComboBox does when its row is removed; and the first row when there was none.
            found = min(max(row, 0), box.count - 1) if wanted else 0 if box.count else -1
        box.setCurrentIndex(found)
        d.refreshing = False
        self._onIndexChanged(found)

    def _onIndexChanged(self, index):
        if self._d.refreshing:
            return
        nodeID = self._d.box.itemData(index) if index >= 0 else ""
        if nodeID != self._d.currentID:
            self._d.currentID = nodeID
            self.currentNodeChanged.emit(self.currentNode())
            self.currentNodeIDChanged.emit(nodeID)

    # Selection

    def currentNode(self):
        if not self._d.currentID or self._d.scene is None:
            return None
        return self._d.scene.GetNodeByID(self._d.currentID)

    def setCurrentNode(self, node):
        if isinstance(node, str):
            return self.setCurrentNodeID(node)
        if node is not None and not isinstance(node, slicer.vtkMRMLNode):
            raise ValueError(f"Called setCurrentNode(vtkMRMLNode) with wrong arguments: {node!r}")
        return self.setCurrentNodeID(node.GetID() if node else "")

    def setCurrentNodeID(self, nodeID):
        # A node of another class, or none, selects "None", or nothing where there is no such entry.
        self._d.box.setCurrentIndex(self._d.box.findData(nodeID or ""))

    def setCurrentNodeIndex(self, index):
        self._d.box.setCurrentIndex(index + (1 if self._d.flags["noneEnabled"] else 0))

    def nodeCount(self):
        return len(self._nodes())

    def nodeFromIndex(self, index):
        nodes = self._nodes()
        return nodes[index] if 0 <= index < len(nodes) else None

    def addNode(self, nodeType=None):
        """What the menu's "Create new" does; returns the node."""
        kind = nodeType or self._d.nodeTypes[0]
        name = self._d.scene.GenerateUniqueName(self._d.baseName or kind.replace("vtkMRML", "").replace("Node", ""))
        node = self._d.scene.AddNewNodeByClass(kind, name)
        if self._d.flags["selectNodeUponCreation"]:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def addAttribute(self, nodeType, name, value=None):
        self._d.attributes.append((nodeType, name, value))
        self._refresh()

    def setNodeTypes(self, nodeTypes):
        if isinstance(nodeTypes, str):
            raise ValueError("Called setNodeTypes(QStringList) with wrong arguments: a str")
        self._d.nodeTypes = list(nodeTypes)
        self._refresh()

    def _setHideChildNodeTypes(self, nodeTypes):
        self._d.hideChildNodeTypes = list(nodeTypes)
        self._refresh()

    def _setNoneDisplay(self, text):
        self._d.noneDisplay = text
        self._refresh()

    noneEnabled = _flag("noneEnabled")
    addEnabled = _flag("addEnabled")
    removeEnabled = _flag("removeEnabled")
    editEnabled = _flag("editEnabled")
    renameEnabled = _flag("renameEnabled")
    showHidden = _flag("showHidden")
    showChildNodeTypes = _flag("showChildNodeTypes")
    selectNodeUponCreation = _flag("selectNodeUponCreation")
    nodeTypes = QtCore.Property("QStringList", lambda self: self._d.nodeTypes, setNodeTypes)
    hideChildNodeTypes = QtCore.Property("QStringList", lambda self: self._d.hideChildNodeTypes, _setHideChildNodeTypes)
    noneDisplay = QtCore.Property(str, lambda self: self._d.noneDisplay, _setNoneDisplay)
    baseName = QtCore.Property(str, lambda self: self._d.baseName,
                               lambda self, text: setattr(self._d, "baseName", text))
    currentNodeID = QtCore.Property(str, lambda self: self._d.currentID, setCurrentNodeID)


def _allNodes(scene):
    return [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
