"""What is shown of a result in 3-D, and the voxels that it is made of."""

from module_support import addVolume, click, segmentAndWait  # first: starts the bench
from module_fixtures import *  # noqa: F403

import numpy as np
import vtk
from KDNetSegmentationLib.segmentation_output import SEGMENT_IDS, isShown3D, readClasses


def test_show_3d_makes_surfaces_that_follow_a_second_run(panel):
    addVolume()
    panel.enter()
    segmentAndWait(panel)
    node = panel.ui.outputSelector.currentNode()
    click(panel.ui.show3DButton)
    assert isShown3D(node)
    surface = node.GetClosedSurfaceInternalRepresentation("KDNet_ED")
    assert surface.GetNumberOfCells() > 100
    assert openEdges(surface) == 0, "closed where the tumour touches its box too"
    segmentAndWait(panel)
    assert isShown3D(node) and panel.ui.show3DButton.checked
    click(panel.ui.show3DButton)
    assert not isShown3D(node)


def openEdges(surface):
    edges = vtk.vtkFeatureEdges()
    edges.SetInputData(surface)
    edges.BoundaryEdgesOn()
    edges.FeatureEdgesOff()
    edges.ManifoldEdgesOff()
    edges.NonManifoldEdgesOff()
    edges.Update()
    return edges.GetOutput().GetNumberOfCells()


def test_segments_are_stored_as_the_tumours_box(panel):
    volume = addVolume()
    panel.enter()
    segmentAndWait(panel)
    node = panel.ui.outputSelector.currentNode()
    voxels = np.argwhere(readClasses(node, volume))
    assert 0 < len(voxels) < np.prod(volume.GetImageData().GetDimensions())
    for segmentId in SEGMENT_IDS.values():
        stored = node.GetBinaryLabelmapInternalRepresentation(segmentId)
        assert stored.GetExtent() == tuple(np.stack([voxels.min(0), voxels.max(0)], 1).ravel())
