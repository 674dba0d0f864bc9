"""Slice and 3-D views over the real displayable managers, rendered off-screen into PNG files."""

import slicer
import vtk

from . import rendering

_SLICE_MANAGERS = ("CrosshairDisplayableManager", "ModelSliceDisplayableManager",
                   "OrientationMarkerDisplayableManager", "RulerDisplayableManager", "ScalarBarDisplayableManager",
                   "SegmentationsDisplayableManager2D", "MarkupsDisplayableManager",
                   "VolumeGlyphSliceDisplayableManager", "ColorLegendDisplayableManager")
_THREE_D_MANAGERS = ("CameraDisplayableManager", "ViewDisplayableManager", "ModelDisplayableManager",
                     "ThreeDReformatDisplayableManager", "OrientationMarkerDisplayableManager",
                     "RulerDisplayableManager", "SegmentationsDisplayableManager3D", "MarkupsDisplayableManager",
                     "VolumeRenderingDisplayableManager")


class _View:
    def __init__(self, factory, managers, size):
        rendering.require()
        self.renderer = vtk.vtkRenderer()
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(True)
        self.window.SetSize(*size)
        self.window.AddRenderer(self.renderer)
        self._interactor = vtk.vtkRenderWindowInteractor()
        self._interactor.SetRenderWindow(self.window)
        self._interactor.Initialize()
        self._group = slicer.vtkMRMLDisplayableManagerGroup()
        factory = factory.GetInstance()
        for name in managers:
            if not factory.IsDisplayableManagerRegistered(f"vtkMRML{name}"):
                factory.RegisterDisplayableManager(f"vtkMRML{name}")
        self._group.SetRenderer(self.renderer)
        self._group.Initialize(factory, self.renderer)

    def render(self):
        """Draw what is to be seen now, to the last pixel."""
        self.window.Render()
        self.window.WaitForCompletion()

    def save(self, path):
        """Render and write a PNG; returns the picture as an array (rows from the top, columns, RGB) of uint8."""
        from vtk.util.numpy_support import vtk_to_numpy

        image = rendering.save_png(self.window, path)
        width, height, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[::-1]

    def close(self):
        """Take the displayable managers off the scene and the window away."""
        self._group.SetMRMLDisplayableNode(None)
        self.window.Finalize()


class SliceView(_View):
    """The application's slice view `name` ("Red", "Yellow" or "Green"), `size` pixels (width, height)."""

    def __init__(self, name="Red", size=(500, 500)):
        super().__init__(slicer.vtkMRMLSliceViewDisplayableManagerFactory, _SLICE_MANAGERS, size)
        self.logic = slicer.app._d.layoutManager.sliceWidget(name).sliceLogic()
        self.node = self.logic.GetSliceNode()
        self._group.SetMRMLDisplayableNode(self.node)
        # The slice logic blends the layers into one picture; in the application a widget draws it like this.
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        actor = vtk.vtkActor2D()
        actor.SetMapper(self._mapper)
        actor.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(actor)
        self.renderer.GetActiveCamera().ParallelProjectionOn()

    def show(self, volumeNode, ras=None, zoom=1.0):
        """Show a volume at the slice through `ras` (mm) or through its middle.

        `zoom` 1 fits the whole field of view; 2 shows the half of it around the middle, or around `ras`.
        """
        self.logic.GetSliceCompositeNode().SetBackgroundVolumeID(volumeNode.GetID())
        self.logic.ResizeSliceNode(*self.window.GetSize())
        self.logic.FitSliceToBackground()
        if ras is not None:
            self.node.JumpSliceByOffsetting(*ras)
            if zoom != 1.0:
                self.node.JumpSliceByCentering(*ras)
        self.logic.SnapSliceOffsetToIJK()
        field = self.node.GetFieldOfView()
        self.node.SetFieldOfView(field[0] / zoom, field[1] / zoom, field[2])
        self._mapper.SetInputConnection(self.logic.GetImageDataConnection())


class ThreeDView(_View):
    """The application's 3-D view, `size` pixels (width, height)."""

    def __init__(self, size=(500, 500)):
        super().__init__(slicer.vtkMRMLThreeDViewDisplayableManagerFactory, _THREE_D_MANAGERS, size)
        self.node = slicer.app._d.layoutManager.threeDWidget(0).mrmlViewNode()
        self._group.SetMRMLDisplayableNode(self.node)

    def look(self, direction=None):
        """Look along an axis (a vtkMRMLCameraNode direction; from the front by default) at all that is shown."""
        manager = self._group.GetDisplayableManagerByClassName("vtkMRMLCameraDisplayableManager")
        manager.GetCameraNode().RotateTo(slicer.vtkMRMLCameraNode.Anterior if direction is None else direction)
        self.renderer.ResetCamera()
