"""The results section: what it shows of a result belongs to that result, whatever happens around it."""

from module_support import addVolume, click, copiedAndSaved, scanArray, segmentAndWait, waitFor  # first: starts the bench
from module_fixtures import *  # noqa: F403

import numpy as np
import slicer


def segmentHead(panel):
    """Segment a scan of which the engine warns: no voxel is zero, so it is not skull-stripped."""
    noise = np.random.default_rng(1).normal(20, 3, scanArray().shape).astype(np.float32)
    volume = addVolume("head", scanArray() + noise)
    panel.enter()
    panel.ui.inputSelector.setCurrentNode(volume)
    segmentAndWait(panel)
    return volume


def shownWarnings(panel):
    """The warnings' label as the user sees it: "" where it is hidden."""
    label = panel.ui.warningsLabel
    assert label.isHidden() == (not label.text)
    return label.text


def test_warnings_stay_with_their_result_whatever_the_status_line_says(panel, bench, tmp_path):
    head = segmentHead(panel)
    warning = shownWarnings(panel)
    assert "skull" in warning.lower()
    assert warning in panel.ui.logEdit.toPlainText()
    click(panel.ui.copyButton)
    assert shownWarnings(panel) == warning
    bench.dialogs.choose(tmp_path / "volumes.csv")
    click(panel.ui.saveButton)
    panel.ui.advancedCollapsibleButton.collapsed = False
    waitFor(lambda: not panel.logic.busy)
    assert shownWarnings(panel) == warning
    panel.ui.inputSelector.setCurrentNode(addVolume("other"))
    assert shownWarnings(panel) == ""
    panel.ui.inputSelector.setCurrentNode(head)
    assert shownWarnings(panel) == warning


def test_warnings_are_copied_and_saved_with_the_volumes(panel, bench, tmp_path):
    segmentHead(panel)
    copied, saved = copiedAndSaved(panel, bench, tmp_path / "volumes.csv")
    assert saved == copied
    assert {row["warnings"] for row in copied} == {shownWarnings(panel).replace("\n", " ")}


def test_warnings_go_with_the_scene_and_come_back_with_it(panel, tmp_path):
    segmentHead(panel)
    warning = shownWarnings(panel)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"), {})
    slicer.mrmlScene.Clear(False)
    assert shownWarnings(panel) == ""
    slicer.util.loadScene(str(tmp_path / "scene.mrb"), {})
    panel.enter()
    assert shownWarnings(panel) == warning


def test_the_status_line_is_of_one_scan_and_one_scene(panel):
    head = segmentHead(panel)
    click(panel.ui.copyButton)
    assert panel.ui.statusLabel.text
    panel.ui.inputSelector.setCurrentNode(addVolume("other"))
    assert panel.ui.statusLabel.text == "" and panel.ui.statusLabel.isHidden()
    panel.ui.inputSelector.setCurrentNode(head)
    click(panel.ui.copyButton)
    slicer.mrmlScene.Clear(False)
    assert panel.ui.statusLabel.text == "" and panel.ui.statusLabel.isHidden()


def test_a_scan_named_like_a_formula_is_none_to_a_spreadsheet(panel):
    segmentHead(panel).SetName("=1+1")
    segmentAndWait(panel)
    click(panel.ui.copyButton)
    assert [line.split("\t")[0] for line in slicer.app.clipboard().text().splitlines()[1:]] == ["'=1+1"] * 5
