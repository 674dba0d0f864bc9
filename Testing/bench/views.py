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

    def save(self, path):
        """Render and write a PNG; returns the picture as an array (rows from the top, columns, RGB) of uint8."""
        from vtk.util.numpy_support import vtk_to_numpy

        self.window.Render()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(self.window)
        grabber.ReadFrontBufferOff()
        grabber.Update()
        writer = vtk.vtkPNGWriter()
        writer.SetFileName(str(path))
        writer.SetInputConnection(grabber.GetOutputPort())
        writer.Write()
        image = grabber.GetOutput()
        width, height, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[::-1]

    def close(self):
        """Take the view's node out of the scene and its displayable managers off it."""
        self._group.SetMRMLDisplayableNode(None)
        scene = self.node.GetScene()
        if scene:
            scene.RemoveNode(self.node)
        self.window.Finalize()


class SliceView(_View):
    """A slice view (`name` "Red", `orientation` "Axial", …) of `size` pixels (width, height)."""

    def __init__(self, mrml, name="Red", orientation="Axial", size=(500, 500)):
        super().__init__(slicer.vtkMRMLSliceViewDisplayableManagerFactory, _SLICE_MANAGERS, size)
        self._logics = mrml.applicationLogic.GetSliceLogics()
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(mrml.applicationLogic)
        self._logics.AddItem(self.logic)
        self.logic.SetMRMLScene(mrml.scene)
        self.node = self.logic.AddSliceNode(name)
        self.node.SetOrientation(orientation)
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

    def show(self, volumeNode, ras=None):
        """Show a volume, the whole field of view, at the slice through `ras` (mm) or through its middle."""
        self.logic.GetSliceCompositeNode().SetBackgroundVolumeID(volumeNode.GetID())
        self.logic.ResizeSliceNode(*self.window.GetSize())
        self.logic.FitSliceToBackground()
        if ras is not None:
            self.node.JumpSliceByOffsetting(*ras)
        self.logic.SnapSliceOffsetToIJK()
        self._mapper.SetInputConnection(self.logic.GetImageDataConnection())

    def close(self):
        self._logics.RemoveItem(self.logic)
        super().close()
        self.logic.SetMRMLScene(None)


class ThreeDView(_View):
    """A 3-D view of `size` pixels (width, height)."""

    def __init__(self, mrml, name="1", size=(500, 500)):
        super().__init__(slicer.vtkMRMLThreeDViewDisplayableManagerFactory, _THREE_D_MANAGERS, size)
        self._logics = mrml.applicationLogic.GetViewLogics()
        self.logic = slicer.vtkMRMLViewLogic()
        self.logic.SetMRMLApplicationLogic(mrml.applicationLogic)
        self._logics.AddItem(self.logic)
        self.logic.SetMRMLScene(mrml.scene)
        self.node = self.logic.AddViewNode(name)
        self._group.SetMRMLDisplayableNode(self.node)

    def look(self, direction=None):
        """Look along an axis (a vtkMRMLCameraNode direction; from the front by default) at all that is shown."""
        manager = self._group.GetDisplayableManagerByClassName("vtkMRMLCameraDisplayableManager")
        manager.GetCameraNode().RotateTo(slicer.vtkMRMLCameraNode.Anterior if direction is None else direction)
        self.renderer.ResetCamera()

    def close(self):
        self._logics.RemoveItem(self.logic)
        super().close()
        self.logic.SetMRMLScene(None)
