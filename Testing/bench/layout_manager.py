"""``slicer.app.layoutManager()``: the slice and 3-D views' logics and nodes, without their windows.

Like the application's they exist from the start and survive the closing of the scene. :mod:`bench.views` draws them.
"""

import xml.etree.ElementTree as ElementTree

import slicer

_ORIENTATIONS = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}


class SliceWidget:
    """A slice view by name ("Red", …)."""

    def __init__(self, mrml, name):
        self._name = name
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(mrml.applicationLogic)
        mrml.applicationLogic.GetSliceLogics().AddItem(self._logic)
        self._logic.SetMRMLScene(mrml.scene)
        self._logic.AddSliceNode(name)
        self.reset()

    def reset(self):
        """The view's own orientation, as after starting."""
        self._logic.GetSliceNode().SetOrientation(_ORIENTATIONS[self._name])

    def sliceLogic(self):
        return self._logic

    def mrmlSliceNode(self):
        return self._logic.GetSliceNode()

    def fitSliceToBackground(self):
        self._logic.FitSliceToBackground()


class ThreeDWidget:
    """The 3-D view; its own view and controller, too, which have little to do without a window."""

    def __init__(self, mrml, name):
        self._logic = slicer.vtkMRMLViewLogic()
        self._logic.SetMRMLApplicationLogic(mrml.applicationLogic)
        mrml.applicationLogic.GetViewLogics().AddItem(self._logic)
        self._logic.SetMRMLScene(mrml.scene)
        self._name = name

    def viewLogic(self):
        self.mrmlViewNode()
        return self._logic

    def mrmlViewNode(self):
        # Made when asked for: the logic lets go of it each time the scene is closed.
        return self._logic.GetViewNode() or self._logic.AddViewNode(self._name)

    def threeDView(self):
        return self

    def threeDController(self):
        return self

    def resetFocalPoint(self):
        """Without a window there is no camera to move; :meth:`bench.views.ThreeDView.look` does it for pictures."""

    resetCamera = forceRender = scheduleRender = resetFocalPoint


class LayoutLogic:
    """The layout node, and of what the application's vtkMRMLLayoutLogic does the plot views.

    The real one would take the 3-D view's node over, which needs the widgets that the wheel lacks.
    """

    def __init__(self, mrml):
        self._mrml = mrml
        self._node = slicer.vtkMRMLLayoutNode()

    def GetLayoutNode(self):
        return self._node

    def arrange(self, layout):
        """Switch to an arrangement of the layout node; the nodes of its plot views are made where they are missing."""
        if not self._node.IsLayoutDescription(layout):
            self._node.AddLayoutDescription(layout, '<layout type="vertical"/>')  # one of the application's own
        self._node.SetViewArrangement(layout)
        for view in ElementTree.fromstring(self._node.GetLayoutDescription(layout)).iter("view"):
            tag = view.get("singletontag")
            if view.get("class") == "vtkMRMLPlotViewNode" and not self._mrml.scene.GetSingletonNode(tag, "vtkMRMLPlotViewNode"):
                node = slicer.vtkMRMLPlotViewNode()
                node.SetSingletonTag(tag)
                node.SetLayoutName(tag)
                node.SetName(tag)
                self._mrml.scene.AddNode(node)


class LayoutManager:
    """The views of the four-up layout."""

    threeDViewCount = 1

    def __init__(self, mrml):
        self._mrml = mrml
        self._slices = {name: SliceWidget(mrml, name) for name in _ORIENTATIONS}
        self._threeD = ThreeDWidget(mrml, "1")
        self._layoutLogic = LayoutLogic(mrml)
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView)

    def layoutLogic(self):
        return self._layoutLogic

    @property
    def layout(self):
        return self._layoutLogic.GetLayoutNode().GetViewArrangement()

    def setLayout(self, layout):
        self._layoutLogic.arrange(layout)

    def sliceViewNames(self):
        return tuple(self._slices)

    def mrmlSliceLogics(self):
        return self._mrml.applicationLogic.GetSliceLogics()

    def sliceWidget(self, name):
        return self._slices.get(name)

    def threeDWidget(self, index):
        return self._threeD if index == 0 else None

    def resetSliceViews(self):
        for widget in self._slices.values():
            widget.fitSliceToBackground()

    def resetThreeDViews(self):
        self._threeD.resetFocalPoint()

    def reset(self):
        """After closing the scene: layout and orientations as at the start."""
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView)
        for widget in self._slices.values():
            widget.reset()
