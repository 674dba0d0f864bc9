"""The scene behaves like the application's: geometry, files, subject hierarchy, selection, and pictures of it."""

import numpy as np
import pytest


@pytest.fixture
def sphere(slicer_bench):
    """A volume of 60 mm a side and a segmentation of it with one segment, a sphere of radius 18 mm; centres at 0."""
    import slicer
    import vtk
    grid = np.indices((60, 60, 60)) - 29.5
    distance = np.sqrt((grid ** 2).sum(0))
    ijkToRAS = vtk.vtkMatrix4x4()
    ijkToRAS.DeepCopy((-1, 0, 0, 29.5, 0, -1, 0, 29.5, 0, 0, 1, -29.5, 0, 0, 0, 1))
    volume = slicer.util.addVolumeFromArray((100 * np.exp(-distance / 20)).astype(np.float32), ijkToRAS, "Head")
    volume.CreateDefaultDisplayNodes()
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Tumour")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    labels = slicer.modules.volumes.logic().CreateAndAddLabelVolume(volume, "labels")
    slicer.util.updateVolumeFromArray(labels, (distance < 18).astype(np.uint8))
    ids = vtk.vtkStringArray()
    ids.InsertNextValue(segmentation.GetSegmentation().AddEmptySegment("ET", "Enhancing tumour", (0.9, 0.2, 0.1)))
    assert slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(labels, segmentation, ids)
    slicer.mrmlScene.RemoveNode(labels)
    return volume, segmentation


def test_scene_is_empty_for_each_test_first(slicer_bench):
    import slicer
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == 0
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")


test_scene_is_empty_for_each_test_second = test_scene_is_empty_for_each_test_first


@pytest.mark.parametrize("extension", [".nii.gz", ".nrrd"])
def test_volume_file_round_trip(slicer_bench, tmp_path, extension):
    import slicer
    import vtk
    orthogonal = np.diag([-1.5, -1.0, 2.0, 1.0])
    orthogonal[:3, 3] = 30, 40, -50
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(orthogonal.flatten())
    array = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    node = slicer.util.addVolumeFromArray(array, matrix, "Case")
    path = str(tmp_path / f"case{extension}")
    assert slicer.util.saveNode(node, path, {})
    read = slicer.util.loadVolume(path, {})
    assert read.GetName() == "case"
    assert np.array_equal(slicer.util.arrayFromVolume(read), array)
    read.GetIJKToRASMatrix(matrix)
    assert np.allclose(slicer.util.arrayFromVTKMatrix(matrix), orthogonal)
    assert slicer.app.applicationLogic().GetSelectionNode().GetActiveVolumeID() == read.GetID()
    if extension == ".nii.gz":
        nibabel = pytest.importorskip("nibabel")
        image = nibabel.load(path)
        assert np.allclose(image.affine, orthogonal)
        assert np.array_equal(np.asarray(image.dataobj), array.transpose(2, 1, 0))


def test_loading_nothing_raises(slicer_bench, tmp_path):
    import slicer
    with pytest.raises(RuntimeError, match="Failed to load"):
        slicer.util.loadVolume(str(tmp_path / "missing.nii.gz"), {})


def test_segmentation_survives_file_and_bundle(sphere, slicer_bench, tmp_path):
    import slicer
    volume, segmentation = sphere
    before = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, "ET", volume)
    assert abs(before.sum() / (4 / 3 * np.pi * 18 ** 3) - 1) < 0.02
    path = str(tmp_path / "tumour.seg.nrrd")
    assert slicer.util.saveNode(segmentation, path, {})
    read = slicer.util.loadSegmentation(path, {})
    assert read.GetSegmentation().GetSegment("ET").GetName() == "Enhancing tumour"
    assert np.array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(read, "ET", volume), before)
    bundle = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(bundle, {})
    slicer_bench.mrml.clear()
    assert slicer.mrmlScene.GetFirstNodeByName("Tumour") is None
    slicer.util.loadScene(bundle, {})
    again = slicer.mrmlScene.GetFirstNodeByName("Tumour")
    assert again.GetSegmentation().GetSegment("ET").GetColor() == pytest.approx((0.9, 0.2, 0.1))
    assert slicer.mrmlScene.GetSubjectHierarchyNode().GetItemByDataNode(again) != 0


def test_subject_hierarchy_items_come_and_go(slicer_bench):
    import slicer
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "S")
    item = hierarchy.GetItemByDataNode(node)
    assert item and hierarchy.GetItemName(item) == "S"
    slicer.mrmlScene.RemoveNode(node)
    assert hierarchy.GetItemDataNode(item) is None


def test_layout_manager_gives_real_slice_logics(slicer_bench, sphere):
    import slicer
    volume, segmentation = sphere
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    for name in slicer.app.layoutManager().sliceViewNames():
        logic = slicer.app.layoutManager().sliceWidget(name).sliceLogic()
        assert logic.GetSliceCompositeNode().GetBackgroundVolumeID() == volume.GetID()
    slicer.util.resetThreeDViews()


def test_slice_view_shows_the_segment_in_its_colour(can_render, sphere, tmp_path):
    from bench.views import SliceView
    volume, _ = sphere
    view = SliceView("Red", (300, 300))
    view.show(volume, ras=(0, 0, 0))
    picture = view.save(tmp_path / "slice.png").astype(int)
    view.close()
    assert picture.shape == (300, 300, 3)
    redder = picture[..., 0] - picture[..., 1]
    assert redder[150, 150] > 40, "the middle of the sphere is not coloured"
    assert abs(redder[20, 20]) < 10, "a corner of the brain is coloured"
    # The sphere's diameter is 36 of 60 mm, which fill the view's height.
    assert (redder[:, 150] > 40).sum() / 300 == pytest.approx(36 / 60, abs=0.06)


def test_three_d_view_shows_the_surface(can_render, sphere, tmp_path):
    from bench.views import ThreeDView
    _, segmentation = sphere
    segmentation.CreateClosedSurfaceRepresentation()
    view = ThreeDView((300, 300))
    view.look()
    picture = view.save(tmp_path / "surface.png").astype(int)
    view.close()
    assert picture[150, 150, 0] - picture[150, 150, 2] > 60, "no red surface in the middle"
    assert picture[5, 5, 2] > picture[5, 5, 0], "no bluish background in the corner"


def test_missing_graphics_library_is_a_sentence(slicer_bench, monkeypatch):
    from bench import rendering

    def refuse(name):
        raise OSError(name)

    monkeypatch.setattr(rendering.sys, "platform", "linux")
    monkeypatch.setattr(rendering.ctypes, "CDLL", refuse)
    with pytest.raises(RuntimeError, match="libegl1"):
        rendering.require()


def test_vtk_error_is_recorded(slicer_bench):
    import slicer
    slicer.modules.terminologies.logic().LoadTerminologyFromFile("/missing.json")
    assert "missing.json" in slicer_bench.errors.take()[0]


@pytest.mark.parametrize("extension", [".nii.gz", ".nrrd"])
def test_export_writes_and_leaves_the_storage_node_alone(slicer_bench, tmp_path, extension):
    import slicer
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    node = slicer.util.addVolumeFromArray(array, name="Case")
    path = str(tmp_path / f"export{extension}")
    assert slicer.util.exportNode(node, path, {})
    assert node.GetStorageNode() is None
    assert np.array_equal(slicer.util.arrayFromVolume(slicer.util.loadVolume(path, {})), array)
    with pytest.raises(ValueError, match="no known file format"):
        slicer.util.exportNode(node, str(tmp_path / "export.nonsense"), {})


def test_label_volume_and_transform_files(slicer_bench, tmp_path):
    import slicer
    import vtk
    node = slicer.util.addVolumeFromArray(np.eye(3, dtype=np.uint8)[None], name="Labels",
                                          nodeClassName="vtkMRMLLabelMapVolumeNode")
    path = str(tmp_path / "labels.nii.gz")
    assert slicer.util.saveNode(node, path, {})
    assert slicer.util.loadLabelVolume(path, {}).IsA("vtkMRMLLabelMapVolumeNode")
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "T")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 12)
    transform.SetMatrixTransformToParent(matrix)
    path = str(tmp_path / "t.tfm")
    assert slicer.util.saveNode(transform, path, {})
    assert slicer.util.arrayFromTransformMatrix(slicer.util.loadTransform(path))[0, 3] == 12


def test_temporary_nodes_leave_no_item_behind(sphere):
    import slicer
    volume, segmentation = sphere
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    before = hierarchy.GetNumberOfItems()
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.ones((60, 60, 60), np.uint8), segmentation, "ET", volume)
    assert hierarchy.GetNumberOfItems() == before
