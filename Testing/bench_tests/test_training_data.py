"""The data folder in the training panel: its cases are listed with what is wrong with them, and shown on a double click."""

from training_support import check, waitFor  # first: starts the bench
from training_fixtures import *  # noqa: F403

import numpy as np
import pytest
import slicer
import vtk
from training.generated_cases import write_case, write_decathlon_case


def states(panel):
    table = panel.ui.casesTable
    return {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount)}


def test_data_folder_is_listed_with_what_is_wrong(panel, cases):
    write_case(cases, "BraTS2021_00008", leave_out=("seg",))
    write_case(cases, "BraTS2021_00009", leave_out=("t2",))
    panel.ui.dataPathEdit.setCurrentPath(str(cases))  # as typed: it is read when the typing pauses
    waitFor(lambda: panel._data.checking, what="the beginning of the data check")
    assert "cases have been read" in panel.ui.startButton.toolTip
    waitFor(lambda: not panel._data.checking)
    assert panel._parameterNode.dataFolder == str(cases)
    assert panel.ui.dataStatusLabel.text.startswith("3 of 5 cases can be used")
    found = states(panel)
    assert found.pop("BraTS2021_00008") == "no label" and found.pop("BraTS2021_00009") == "missing a modality"
    assert set(found.values()) == {"complete"} and len(found) == 3
    assert list(states(panel))[0] == "BraTS2021_00008", "what is wrong is on top"
    assert panel.ui.casesTable.item(1, 0).toolTip() == "no t2"


@pytest.mark.parametrize("make, words", [
    (lambda folder: folder.mkdir(), "holds no BraTS case"),
    (lambda folder: None, "There is no folder"),
    (lambda folder: write_case(folder, "BraTS2021_00000", leave_out=("seg",)), "No case can be trained on"),
    (lambda folder: write_case(folder, "BraTS2021_00000"), "one patient only"),
], ids=["empty", "missing", "no labels", "one case"])  # fmt: skip
def test_data_that_cannot_be_trained_on_is_a_sentence_before_the_start(panel, tmp_path, make, words):
    make(tmp_path / "data")
    panel._parameterNode.runFolder = str(tmp_path / "run")
    check(panel, tmp_path / "data")
    assert words in panel.ui.dataStatusLabel.text
    assert not panel.ui.startButton.enabled and words in panel.ui.startButton.toolTip
    assert not panel.ui.estimateButton.enabled


def test_another_folder_ends_the_check_of_the_one_before(panel, cases, tmp_path):
    (tmp_path / "empty").mkdir()
    panel._parameterNode.dataFolder = str(cases)
    check(panel, tmp_path / "empty")
    assert panel._data.found is None and panel.ui.casesTable.rowCount == 0
    panel._parameterNode.dataFolder = ""
    assert panel.ui.dataStatusLabel.text == "" and not panel._data.checking


def test_double_click_shows_scan_and_labels(panel, cases):
    check(panel, cases)
    panel.ui.casesTable.cellDoubleClicked.emit(1, 0)
    panel.ui.casesTable.cellDoubleClicked.emit(2, 0)
    (volumeNode,) = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    (segmentationNode,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert volumeNode.GetName() == "BraTS2021_00002" and segmentationNode.GetName() == "BraTS2021_00002 reference"
    assert slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode().GetBackgroundVolumeID() == volumeNode.GetID()
    import nibabel
    from KDNetSegmentationLib.segmentation_output import readClasses

    labels = np.asarray(nibabel.load(cases / "BraTS2021_00002" / "BraTS2021_00002_seg.nii.gz").dataobj)
    classes = readClasses(segmentationNode, volumeNode)
    assert [(classes == index).sum() for index in (1, 2, 3)] == [(labels == value).sum() for value in (1, 2, 4)]


def test_double_click_shows_the_t1ce_of_a_decathlon_case(panel, tmp_path):
    import nibabel
    from KDNetSegmentationLib.segmentation_output import readClasses

    written = [write_decathlon_case(tmp_path / "Task01", f"BRATS_{number:03}", seed=number) for number in range(2)]
    check(panel, tmp_path / "Task01")
    for row in (0, 1):
        panel.ui.casesTable.cellDoubleClicked.emit(row, 0)
    images, classes = written[1]
    (volumeNode,) = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert np.array_equal(slicer.util.arrayFromVolume(volumeNode).transpose(2, 1, 0), images[..., 2]), "FLAIR, T1, T1ce, T2"
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    assert np.allclose(slicer.util.arrayFromVTKMatrix(matrix), nibabel.load(tmp_path / "Task01/imagesTr/BRATS_001.nii.gz").affine)
    (segmentationNode,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert np.array_equal(readClasses(segmentationNode, volumeNode), classes)
    assert not slicer.util.getNodesByClass("vtkMRMLSequenceNode")


def test_incomplete_case_is_not_shown_but_explained(panel, readHere, cases):
    write_case(cases, "BraTS2021_00008", leave_out=("t1ce",))
    check(panel, cases)
    panel.ui.casesTable.cellDoubleClicked.emit(0, 0)
    assert "not complete" in panel.ui.dataStatusLabel.text
