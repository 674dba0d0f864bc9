"""The main path: real module, real buttons, real worker process, real MRML nodes."""

from module_support import (
    addTransform,
    addVolume,
    addWarp,
    click,
    scanArray,
    segmentAndWait,
    tableTexts,
    writeModel,
)  # first: starts the bench
from module_fixtures import *  # noqa: F403

import csv
import json
import os

import numpy as np
import pytest
import slicer
import vtk
from KDNetLib.labels import LABELS, VOLUME_KEYS
from KDNetSegmentationLib.results_table import storedResult
from KDNetSegmentationLib.segmentation_output import SEGMENT_IDS, hasResult, readClasses
from KDNetSegmentationLib.terminology import terminologyEntry

ROTATED = [[0, -1, 0, 30], [1, 0, 0, -12], [0, 0, 1, 5], [0, 0, 0, 1]]


def statistics(segmentationNode, volumeNode):
    """Class index -> number of voxels, from the segments as MRML has them."""
    return np.bincount(readClasses(segmentationNode, volumeNode).ravel(), minlength=4)


def test_one_click_gives_named_coloured_coded_segments(panel):
    volume = addVolume()
    panel.enter()
    assert panel.ui.inputSelector.currentNode() is volume
    fractions = []
    panel.ui.progressBar.connect("valueChanged(int)", fractions.append)
    segmentAndWait(panel)

    node = panel.ui.outputSelector.currentNode()
    assert node.GetName() == "scan KDNet segmentation"
    assert node.GetDisplayNode() is not None
    segmentation = node.GetSegmentation()
    assert list(segmentation.GetSegmentIDs()) == ["KDNet_NCR", "KDNet_ED", "KDNet_ET"]
    terminologies = slicer.modules.terminologies.logic()
    for label in LABELS:
        segment = segmentation.GetSegment(SEGMENT_IDS[label.key])
        assert segment.GetName() == label.name
        assert segment.GetColor() == pytest.approx(label.colour)
        entry = slicer.vtkSlicerTerminologyEntry()
        assert terminologies.DeserializeTerminologyEntry(segment.GetTerminology(), entry)
        assert entry.GetTerminologyContextName() in loadedTerminologies(terminologies)
        assert entry.GetRegionObject().GetCodeMeaning() == "Brain"
    role = node.GetReferenceImageGeometryReferenceRole()
    assert node.GetNodeReference(role) is volume
    counts = statistics(node, volume)
    assert (counts > 0).all(), "the test's network finds every label"
    assert fractions[-1] == 100 and fractions == sorted(fractions) and len(fractions) > 3


def loadedTerminologies(logic):
    names = vtk.vtkStringArray()
    logic.GetLoadedTerminologyNames(names)
    return [names.GetValue(index) for index in range(names.GetNumberOfValues())]


def test_volumes_are_shown_copied_and_saved(panel, bench, tmp_path):
    volume = addVolume()
    panel.enter()
    segmentAndWait(panel)
    counts = statistics(panel.ui.outputSelector.currentNode(), volume)
    expected = {"NCR": counts[1], "ED": counts[2], "ET": counts[3], "TC": counts[1] + counts[3], "WT": counts[1:].sum()}

    shown = tableTexts(panel.ui.volumesTable)
    assert [float(row[-1]) for row in shown] == pytest.approx([expected[key] / 1000 for key in VOLUME_KEYS], abs=0.006)
    assert shown[0][0] == "Necrotic tumour core"
    click(panel.ui.copyButton)
    rows = [line.split("\t") for line in slicer.app.clipboard().text().splitlines()]
    assert rows[0] == ["case", "label", "structure", "volume_ml", "confidence", "edited", "warnings"]
    assert [row[1] for row in rows[1:]] == list(VOLUME_KEYS)
    assert rows[5][3] == f"{expected['WT'] / 1000:.2f}"
    path = tmp_path / "volumes.csv"
    bench.dialogs.choose(path)
    click(panel.ui.saveButton)
    assert path.read_text().splitlines()[5].split(",")[1] == "WT"
    bench.dialogs.choose(path / "volumes.csv")  # in a file instead of a folder
    click(panel.ui.saveButton)
    assert "cannot be written" in panel.ui.statusLabel.text


def test_confidence_of_a_calibrated_model_is_shown_saved_and_kept_with_the_scene(model, panel, bench, tmp_path):
    # Maps without a slope: the confidences are σ(2), σ(1) and σ(-1), whatever the network promises of what it finds.
    lines = {"ET": [2.0, 0.0, 0.5], "TC": [1.0, 0.0, 0.5], "WT": [-1.0, 0.0, 0.5]}
    curve = {region: [[0.5, 0.5, 10]] for region in lines}
    writeModel(model.parent, calibration={"map": lines, "curve": curve, "cases": 10, "data": "ten", "command": "none"})
    addVolume()
    panel.enter()
    segmentAndWait(panel)
    shown = tableTexts(panel.ui.volumesTable)
    assert [row[-1] for row in shown] == ["", "", "0.88", "0.73", "0.27"], "of the regions alone"
    assert panel.ui.volumesTable.horizontalHeaderItem(2).text() == "Confidence"
    assert "the whole tumour (WT 0.27)" in panel.ui.warningsLabel.text and "ET" not in panel.ui.warningsLabel.text
    path = tmp_path / "volumes.csv"
    bench.dialogs.choose(path)
    click(panel.ui.saveButton)
    with open(path, newline="") as file:
        assert [row["confidence"] for row in csv.DictReader(file)] == ["", "", "0.88", "0.73", "0.27"]
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"), {})
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"), {})
    panel.enter()
    assert tableTexts(panel.ui.volumesTable) == shown
    segmentationNode = panel.ui.outputSelector.currentNode()
    stored = storedResult(segmentationNode)
    del stored["confidence"]  # as in a scene of an earlier version
    segmentationNode.SetAttribute("KDNet.result", json.dumps(stored))
    panel.updatePanel()
    assert [row[:2] for row in shown] == tableTexts(panel.ui.volumesTable)


def test_second_run_replaces_its_own_segments_only(panel):
    volume = addVolume()
    panel.enter()
    segmentAndWait(panel)
    node = panel.ui.outputSelector.currentNode()
    segmentation = node.GetSegmentation()
    before = readClasses(node, volume)
    # The user's own segment overlaps KDNet's, and one of KDNet's is erased and recoloured.
    own = np.zeros(before.shape[::-1], np.uint8)
    own[10:20, 10:20, 10:20] = 1
    segmentation.AddEmptySegment("mine", "mine", [1, 1, 0])
    slicer.util.updateSegmentBinaryLabelmapFromArray(own, node, "mine", volume)
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.zeros_like(own), node, "KDNet_ED", volume)
    segmentation.GetSegment("KDNet_ET").SetColor(1, 0, 1)
    assert not np.array_equal(readClasses(node, volume), before)

    segmentAndWait(panel)
    assert panel.ui.outputSelector.currentNode() is node
    assert list(segmentation.GetSegmentIDs()) == ["KDNet_NCR", "KDNet_ED", "KDNet_ET", "mine"]
    assert np.array_equal(readClasses(node, volume), before)
    assert np.array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(node, "mine", volume), own)
    assert segmentation.GetSegment("KDNet_ET").GetColor() == (1, 0, 1)
    assert len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) == 1


def test_scan_under_a_linear_transform_is_segmented_where_it_is(panel):
    array = scanArray()
    moved = addVolume("moved", array)
    transform = addTransform(ROTATED)
    moved.SetAndObserveTransformNodeID(transform.GetID())
    # The same brain, hardened: its voxels lie where the transform puts the others'.
    affine = np.array(ROTATED) @ np.diag([-1.0, -1, 1, 1])
    hardened = addVolume("hardened", array, affine)
    panel.enter()
    results = {}
    for volume in (hardened, moved):
        panel.ui.inputSelector.setCurrentNode(volume)
        segmentAndWait(panel)
        results[volume.GetName()] = panel.ui.outputSelector.currentNode()
    assert results["moved"].GetParentTransformNode() is transform
    classes = readClasses(results["moved"], moved)
    assert np.array_equal(classes, readClasses(results["hardened"], hardened))
    assert (classes > 0).sum() > 1000
    # The overlay: the middle of the segment's box in world coordinates is where the scan's voxels are.
    voxels = np.argwhere(classes == 2)
    world = slicer.vtkMRMLSegmentationNode.GetSegmentCenterRAS(results["moved"], "KDNet_ED")
    assert (affine @ [*(voxels.min(0) + voxels.max(0)) / 2, 1])[:3] == pytest.approx(world, abs=1.01)


def test_nonlinear_transform_is_left_out_shared_and_told(logic, model):
    plain, warped = addVolume("plain"), addVolume("warped")
    transform = addWarp()
    warped.SetAndObserveTransformNodeID(transform.GetID())
    expected = logic.segment(plain, model=model)
    result = logic.segment(warped, model=model)
    assert any("nonlinear" in warning for warning in result.warnings)
    assert not any("nonlinear" in warning for warning in expected.warnings)
    assert result.volumes_ml == expected.volumes_ml
    assert result.segmentationNode.GetParentTransformNode() is transform
    own = [slicer.util.arrayFromSegmentInternalBinaryLabelmap(r.segmentationNode, "KDNet_ED") for r in (result, expected)]
    assert np.array_equal(*own)


def test_a_segmentation_elsewhere_keeps_its_place_and_gets_the_labels_in_theirs(panel):
    volume = addVolume()
    transform = addTransform(ROTATED)
    volume.SetAndObserveTransformNodeID(transform.GetID())
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    node.CreateDefaultDisplayNodes()
    node.GetSegmentation().AddEmptySegment("mine", "mine", [1, 1, 0])
    panel.enter()
    panel.ui.outputSelector.setCurrentNode(node)
    segmentAndWait(panel)
    assert node.GetParentTransformNode() is None
    reference = panel.logic.segment(volume, model=panel._models.current.path).segmentationNode
    assert np.array_equal(readClasses(node, volume), readClasses(reference, volume))


def test_two_scans_one_after_the_other_keep_their_own_results(panel):
    first, second = addVolume("first"), addVolume("second", scanArray(seed=1))
    panel.enter()
    panel.ui.inputSelector.setCurrentNode(first)
    segmentAndWait(panel)
    firstResult = panel.ui.outputSelector.currentNode()
    panel.ui.inputSelector.setCurrentNode(second)
    assert panel.ui.outputSelector.currentNode() is None
    assert not panel.ui.copyButton.enabled
    segmentAndWait(panel)
    secondResult = panel.ui.outputSelector.currentNode()
    assert secondResult is not firstResult
    assert panel.ui.captionLabel.text.startswith("second, by tiny")
    panel.ui.inputSelector.setCurrentNode(first)
    assert panel.ui.outputSelector.currentNode() is firstResult
    assert panel.ui.captionLabel.text.startswith("first, by tiny")


def test_result_lies_in_the_scans_folder(panel):
    volume = addVolume()
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    study = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "patient")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(volume), study)
    panel.enter()
    segmentAndWait(panel)
    item = hierarchy.GetItemByDataNode(panel.ui.outputSelector.currentNode())
    assert hierarchy.GetItemParent(item) == study


def test_saved_scene_brings_back_segments_terms_volumes_and_choices(panel, tmp_path):
    addVolume()
    panel.enter()
    panel.ui.flipsCheckBox.checked = True
    segmentAndWait(panel)
    shown = tableTexts(panel.ui.volumesTable)
    classes = readClasses(panel.ui.outputSelector.currentNode(), panel.ui.inputSelector.currentNode())
    path = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(path), {})
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(str(path), {})
    panel.enter()
    node = panel.ui.outputSelector.currentNode()
    assert hasResult(node)
    for label in LABELS:
        segment = node.GetSegmentation().GetSegment(SEGMENT_IDS[label.key])
        assert segment.GetTerminology() == terminologyEntry(label.key)
        assert segment.GetColor() == pytest.approx(label.colour, abs=1 / 255)
    assert np.array_equal(readClasses(node, panel.ui.inputSelector.currentNode()), classes)
    assert tableTexts(panel.ui.volumesTable) == shown
    assert panel.ui.flipsCheckBox.checked


def test_brain_mask_flips_and_probabilities_reach_the_computation(panel):
    volume = addVolume()
    mask = np.zeros(scanArray().shape, np.uint8)
    mask[:20] = 1
    maskNode = addVolume("mask", mask, className="vtkMRMLLabelMapVolumeNode")
    panel.enter()
    panel.ui.maskSelector.setCurrentNode(maskNode)
    panel.ui.probabilitiesCheckBox.checked = True
    segmentAndWait(panel)
    node = panel.ui.outputSelector.currentNode()
    assert not readClasses(node, volume)[20:].any()
    probabilities = [slicer.util.getNode(f"scan KDNet probability {label.key}") for label in LABELS]
    total = sum(slicer.util.arrayFromVolume(probability) for probability in probabilities)
    assert 0 < total.max() <= 1.01
    assert probabilities[0].GetSpacing() == volume.GetSpacing()
    segmentAndWait(panel)
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) - 1 == 4, "a second run refills the same maps"


def test_no_temporary_files_stay(panel):
    addVolume()
    panel.enter()
    segmentAndWait(panel)
    assert not [name for name in os.listdir(slicer.app.temporaryPath) if name.startswith("KDNet-")]
