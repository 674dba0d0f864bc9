"""``slicer.app.layoutManager()``: slice and 3-D widgets as far as module code reaches into them."""

import types

import slicer

_ORIENTATIONS = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}


class _SliceWidget:
    """A slice widget without a window: the logic and the nodes are real."""

    def __init__(self, mrml, name):
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(mrml.applicationLogic)
        mrml.applicationLogic.GetSliceLogics().AddItem(self._logic)
        self._logic.SetMRMLScene(mrml.scene)
        self._mrml = mrml
        self._logic.AddSliceNode(name)
        self._logic.GetSliceNode().SetOrientation(_ORIENTATIONS[name])

    def sliceLogic(self):
        return self._logic

    def mrmlSliceNode(self):
        return self._logic.GetSliceNode()

    def fitSliceToBackground(self):
        self._logic.FitSliceToBackground()

    def sliceController(self):
        return self

    def close(self):
        self._mrml.applicationLogic.GetSliceLogics().RemoveItem(self._logic)
        self._logic.SetMRMLScene(None)


class LayoutManager:
    """The views are made when they are first asked for."""

    def __init__(self, mrml):
        self._mrml = mrml
        self._slices = {}
        self._threeD = None
        self.layout = slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView

    def setLayout(self, layout):
        self.layout = layout

    def sliceViewNames(self):
        return tuple(_ORIENTATIONS)

    def sliceWidget(self, name):
        if name not in _ORIENTATIONS:
            return None
        if name not in self._slices:
            self._slices[name] = _SliceWidget(self._mrml, name)
        return self._slices[name]

    threeDViewCount = 1

    def threeDWidget(self, index):
        if index:
            return None
        if self._threeD is None:
            node = self._mrml.scene.GetFirstNodeByClass("vtkMRMLViewNode") \
                or self._mrml.scene.AddNewNodeByClass("vtkMRMLViewNode", "View1")
            view = types.SimpleNamespace(resetFocalPoint=lambda: None, resetCamera=lambda *arguments: None,
                                         forceRender=lambda: None, mrmlViewNode=lambda: node)
            controller = types.SimpleNamespace(resetFocalPoint=lambda: None)
            self._threeD = types.SimpleNamespace(threeDView=lambda: view, threeDController=lambda: controller,
                                                 mrmlViewNode=lambda: node)
        return self._threeD

    def resetSliceViews(self):
        for widget in self._slices.values():
            widget.fitSliceToBackground()

    def resetThreeDViews(self):
        """Nothing to see: pictures are taken with :mod:`bench.views`."""

    def reset(self):
        """Drop the views, before the scene is closed."""
        for widget in self._slices.values():
            widget.close()
        self._slices.clear()
        self._threeD = None
