"""What becomes of a result when its segments are corrected, as in Segment Editor."""

from module_support import (
    addResult,
    addTransform,
    addVolume,
    addWarp,
    click,
    copiedAndSaved,
    lesionClasses,
    tableTexts,
    waitFor,
)  # first: starts the bench
from module_fixtures import *  # noqa: F403

import numpy as np
import pytest
import slicer
from KDNetLib.labels import VOLUME_KEYS
from KDNetLib.volumes import volumes_ml
from KDNetSegmentationLib.segmentation_output import currentVolumes, readClasses
from KDNetSegmentationLib.volume_arrays import worldAffine


@pytest.fixture
def edited(panel):
    """A scan and its result, shown in the panel, of whose edema the user is about to erase a part."""
    volume = addVolume()
    node = addResult(volume)
    panel.ui.outputSelector.setCurrentNode(node)
    return volume, node


def erase(volume, node):
    """Erase half of the edema, with the call that Segment Editor's effects end in; return the volumes then."""
    classes = lesionClasses()
    classes[:, :, 18:][classes[:, :, 18:] == 2] = 0
    edema = np.ascontiguousarray((classes == 2).astype(np.uint8).transpose(2, 1, 0))
    slicer.util.updateSegmentBinaryLabelmapFromArray(edema, node, "KDNet_ED", volume)
    return volumes_ml(classes, worldAffine(volume))


def shown(panel):
    """Key -> volume as the table shows it."""
    return dict(zip(VOLUME_KEYS, (row[1] for row in tableTexts(panel.ui.volumesTable))))


def asShown(volumes):
    return {key: f"{volumes[key]:.2f}" for key in VOLUME_KEYS}


def test_volumes_follow_an_edit_and_say_so(panel, edited):
    before = shown(panel)
    assert "edited" not in panel.ui.captionLabel.text
    expected = asShown(erase(*edited))
    waitFor(lambda: shown(panel) != before, seconds=20)
    assert shown(panel) == expected and expected["ED"] != before["ED"]
    assert "volumes as edited" in panel.ui.captionLabel.text and panel.ui.captionLabel.text.startswith("scan, by tiny")
    assert not panel._results._settling.isActive(), "measuring is no edit"


def test_a_comparison_goes_where_its_segments_are_edited(panel, edited):
    volume, _ = edited
    panel.ui.referenceSelector.setCurrentNode(addResult(volume))
    click(panel.ui.compareButton)
    waitFor(lambda: not panel.logic.busy)
    assert tableTexts(panel.ui.comparisonTable)[0][:2] == ["ET", "1.000"]
    erase(*edited)
    waitFor(lambda: not tableTexts(panel.ui.comparisonTable), seconds=20, what="the end of the old comparison")


def test_a_comparison_of_segments_that_are_edited_meanwhile_is_not_shown_as_theirs(panel, edited):
    volume, _ = edited
    panel.ui.referenceSelector.setCurrentNode(addResult(volume))
    click(panel.ui.compareButton)
    erase(*edited)
    waitFor(lambda: not panel.logic.busy)
    assert not tableTexts(panel.ui.comparisonTable)


def test_volumes_follow_a_transform_that_scales(panel, edited):
    before = shown(panel)
    edited[1].SetAndObserveTransformNodeID(addTransform(np.diag([2.0, 1, 1, 1])).GetID())
    waitFor(lambda: shown(panel) != before, seconds=20)
    assert float(shown(panel)["WT"]) == pytest.approx(2 * float(before["WT"]), abs=0.01)


def test_a_result_of_surfaces_alone_keeps_the_volumes_of_the_run(panel, edited):
    before = shown(panel)
    node = edited[1]
    node.CreateClosedSurfaceRepresentation()
    node.SetSourceRepresentationToClosedSurface()
    assert currentVolumes(node) is None
    waitFor(lambda: not panel._results._settling.isActive(), seconds=20)
    click(panel.ui.copyButton)
    assert shown(panel) == before and "edited" not in panel.ui.captionLabel.text


def test_volumes_of_an_edit_are_copied_and_saved(panel, edited, bench, tmp_path):
    def saved():
        rows, ofFile = copiedAndSaved(panel, bench, tmp_path / "volumes.csv")
        assert ofFile == rows
        return {row["label"]: row["volume_ml"] for row in rows}, {row["edited"] for row in rows}

    assert saved() == (shown(panel), {"no"})
    expected = asShown(erase(*edited))
    assert saved() == (expected, {"yes"}), "at once, not only when the table has followed"


def test_undone_edits_are_none(panel, edited):
    before = shown(panel)
    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(edited[1].GetSegmentation())
    history.SaveState()
    erase(*edited)
    waitFor(lambda: shown(panel) != before, seconds=20)
    history.RestorePreviousState()
    waitFor(lambda: shown(panel) == before, seconds=20)
    assert "edited" not in panel.ui.captionLabel.text


def test_edits_while_another_module_is_open_show_when_the_panel_is(panel, edited):
    before = shown(panel)
    panel.parent.exit()
    expected = asShown(erase(*edited))
    waitFor(lambda: not panel._results._settling.isActive(), seconds=20)
    assert shown(panel) == before, "nobody sees it: painting must not wait for it"
    panel.parent.enter()
    assert shown(panel) == expected


def test_an_edited_result_is_edited_in_its_saved_scene(panel, edited, tmp_path):
    expected = asShown(erase(*edited))
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"), {})
    slicer.util.loadScene(str(tmp_path / "scene.mrb"), {"clear": True})
    assert shown(panel) == expected
    assert "volumes as edited" in panel.ui.captionLabel.text


def test_a_result_without_one_of_its_segments_has_no_volumes(panel, edited):
    edited[1].GetSegmentation().RemoveSegment("KDNet_ET")
    waitFor(lambda: not tableTexts(panel.ui.volumesTable), seconds=20)
    assert not panel.ui.copyButton.enabled


@pytest.mark.parametrize("classes", [lesionClasses(), np.zeros_like(lesionClasses())])
def test_current_volumes_are_those_of_the_classes_under_transforms_too(bench, classes):
    volume = addVolume(affine=np.array([[0, -0.9, 0, 3], [0.8, 0, 0, 1], [0, 0, 1.2, 0], [0, 0, 0, 1]]))
    volume.SetAndObserveTransformNodeID(addTransform(np.diag([2.0, 1, 1, 1])).GetID())
    node = addResult(volume, classes)
    assert currentVolumes(node) == pytest.approx(volumes_ml(classes, worldAffine(volume)))
    own = np.ones(classes.shape[::-1], np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(own, node, "KDNet_NCR", volume)
    assert currentVolumes(node) == pytest.approx(volumes_ml(readClasses(node, volume), worldAffine(volume)))


def test_a_result_elsewhere_than_its_warped_scan_is_not_edited_by_that(panel):
    volume = addVolume()
    volume.SetAndObserveTransformNodeID(addWarp().GetID())
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    node.GetSegmentation().AddEmptySegment("mine", "mine", [1, 1, 0])
    addResult(volume, segmentationNode=node)
    panel.ui.outputSelector.setCurrentNode(node)
    unwarped = volumes_ml(lesionClasses(), worldAffine(volume))
    assert currentVolumes(node) != pytest.approx(unwarped, rel=0.01)
    assert shown(panel) == asShown(unwarped) and "edited" not in panel.ui.captionLabel.text
