"""Scenes loaded while the panel is open: it shows what was saved, and changes nothing of it."""

from module_support import addResult, addVolume, click, waitFor  # first: starts the bench
from module_fixtures import *  # noqa: F403

import pytest
import slicer


def saveAndLoad(path, clear):
    """Save the scene, empty it and load it again: closed before, or by the loading."""
    assert slicer.util.saveScene(str(path), {})
    if not clear:
        slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(str(path), {"clear": clear})


def chosen(panel):
    """Names of the input and the output, as the selectors show them and as the parameter node has them."""
    parameters = panel._parameterNode
    pairs = ((panel.ui.inputSelector, parameters.inputVolume), (panel.ui.outputSelector, parameters.segmentation))
    assert [selector.currentNode() for selector, _ in pairs] == [node for _, node in pairs]
    return [node.GetName() if node else None for _, node in pairs]


@pytest.mark.parametrize("clear", [True, False])
def test_a_loaded_scene_brings_its_scan_and_its_result_not_the_first_volume(panel, tmp_path, clear):
    addVolume("other")
    patient = addVolume("patientA")
    panel.ui.inputSelector.setCurrentNode(patient)
    panel.ui.outputSelector.setCurrentNode(addResult(patient, warnings=["Look at the scan."]))
    before = chosen(panel)
    assert before == ["patientA", "patientA KDNet segmentation"]
    caption = panel.ui.captionLabel.text
    saveAndLoad(tmp_path / "scene.mrb", clear)
    assert chosen(panel) == before
    assert panel.ui.captionLabel.text == caption and caption.startswith("patientA")
    assert panel.ui.warningsLabel.text == "Look at the scan."


def test_a_loaded_scene_keeps_the_chosen_one_of_two_results(panel, tmp_path):
    patient = addVolume("patientA")
    addResult(patient)
    second = addResult(patient)
    panel.enter()
    panel.ui.outputSelector.setCurrentNode(second)
    before = chosen(panel)
    saveAndLoad(tmp_path / "scene.mrb", True)
    assert chosen(panel) == before == ["patientA", second.GetName()]


def test_a_loaded_scene_keeps_the_wish_for_a_new_segmentation(panel, tmp_path):
    addResult(addVolume("patientA"))
    panel.enter()
    panel.ui.outputSelector.setCurrentNode(None)
    saveAndLoad(tmp_path / "scene.mrb", True)
    assert chosen(panel) == ["patientA", None]


def test_a_scene_without_choices_gives_its_first_volume_and_the_result_of_that(loaded, tmp_path):
    addResult(addVolume("scan"))
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"), {})
    slicer.mrmlScene.Clear(False)
    panel = loaded.widget
    assert chosen(panel) == [None, None]
    slicer.util.loadScene(str(tmp_path / "scene.mrb"), {})
    assert chosen(panel) == ["scan", "scan KDNet segmentation"]


def test_a_run_that_ends_behind_an_imported_scene_has_its_result_chosen(panel, model, tmp_path):
    panel.ui.inputSelector.setCurrentNode(addVolume("mine"))
    click(panel.ui.segmentButton)
    panel.parent.exit()
    (tmp_path / "other.mrml").write_text('<MRML version="Slicer4.4.0" userTags=""></MRML>')
    slicer.util.loadScene(str(tmp_path / "other.mrml"), {"clear": False})
    waitFor(lambda: not panel.logic.busy)
    panel.parent.enter()
    assert chosen(panel) == ["mine", "mine KDNet segmentation"] and panel.ui.volumesTable.rowCount
