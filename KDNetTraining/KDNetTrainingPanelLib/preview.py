"""The current student against the reference on one validation case, in the slice views."""

import json

import slicer
import vtk
from slicer.i18n import tr as _

from KDNetLib.labels import to_classes
from KDNetSegmentationLib.segmentation_output import writeSegmentation


class Preview:
    """Shows what a training has written last into its folder ``preview``; the nodes are made once and then updated."""

    def __init__(self):
        self._scan = self._reference = self._prediction = None
        self._shown = None
        self._facts = None

    @property
    def caption(self) -> str:
        """What is shown, in one line; "" for nothing."""
        if not self._facts:
            return ""
        dice = ", ".join(f"{region} {100 * value:.1f}" for region, value in self._facts["dice"].items())
        return _("{case}, epoch {epoch}: Dice {dice}. Outlines: reference; areas: network.").format(
            case=self._facts["case"], epoch=self._facts["epoch"], dice=dice
        )

    def show(self, folder) -> None:
        """Show the preview of the training whose folder is ``folder``, if there is one that is not shown yet."""
        facts = folder / "preview" / "preview.json"
        try:
            mark = (facts, facts.stat().st_mtime_ns)
        except OSError:
            return  # the training has found no best epoch yet
        if mark == self._shown and self._scan.GetScene() is not None:
            return
        self._shown = mark
        try:
            self._facts = json.loads(facts.read_text(encoding="utf-8"))
            read = {name: _read(facts.parent / f"{name}.nii.gz") for name in ("scan", "reference", "prediction")}
        except (OSError, ValueError):
            return  # caught while the next one is being written, which changes the time again
        isNew = self._scan is None or self._scan.GetScene() is None
        if isNew:
            self._makeNodes()
        wasModified = self._scan.StartModify()
        self._scan.CopyOrientation(read["scan"])
        self._scan.SetAndObserveImageData(read["scan"].GetImageData())
        self._scan.EndModify(wasModified)
        for name, node in (("reference", self._reference), ("prediction", self._prediction)):
            writeSegmentation(to_classes(slicer.util.arrayFromVolume(read[name]).transpose(2, 1, 0), "1/2/4"), self._scan, node)
        if isNew:
            self._putInViews()

    def removeNodes(self) -> None:
        """Take everything out of the scene."""
        for node in (self._prediction, self._reference, self._scan):
            if node is not None and node.GetScene() is not None:
                slicer.mrmlScene.RemoveNode(node)
        self._scan = self._reference = self._prediction = self._shown = self._facts = None

    def _makeNodes(self):
        self._scan = _add("vtkMRMLScalarVolumeNode", _("KDNet preview scan"))
        self._scan.CreateDefaultDisplayNodes()
        self._reference = _add("vtkMRMLSegmentationNode", _("KDNet preview reference"))
        self._prediction = _add("vtkMRMLSegmentationNode", _("KDNet preview network"))
        for node, filled in ((self._reference, False), (self._prediction, True)):
            node.CreateDefaultDisplayNodes()
            display = node.GetDisplayNode()
            display.SetVisibility2DFill(filled)
            display.SetVisibility2DOutline(not filled)
            display.SetOpacity2DFill(0.5)
            display.SetSliceIntersectionThickness(2)

    def _putInViews(self):
        # Once: afterwards the views are the user's.
        if slicer.app.layoutManager() is None:
            return
        slicer.util.setSliceViewerLayers(background=self._scan, label=None, foreground=None, fit=True)
        bounds = [0.0] * 6
        self._reference.GetRASBounds(bounds)
        if vtk.vtkMath.AreBoundsInitialized(bounds):
            centre = [(bounds[axis] + bounds[axis + 1]) / 2 for axis in (0, 2, 4)]
            slicer.modules.markups.logic().JumpSlicesToLocation(*centre, False)


def _add(className, name):
    node = slicer.mrmlScene.CreateNodeByClass(className)
    node.UnRegister(None)
    node.SetName(name)
    node.SetSaveWithScene(False)  # it shows what is in the run folder
    return slicer.mrmlScene.AddNode(node)


def _read(path):
    """The volume in the file ``path`` as a node outside the scene. Raises OSError."""
    node = slicer.vtkMRMLScalarVolumeNode()
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(path))
    storage.SetCenterImage(False)
    if not path.exists() or not storage.ReadData(node):
        raise OSError(f"{path} cannot be read")
    return node
