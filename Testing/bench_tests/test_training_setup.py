"""The setup side of the training panel: data, settings, run folder, estimate; what can be used when and why not."""

from training_support import SMALL, click, enter, waitFor  # first: starts the bench
from training_fixtures import *  # noqa: F403

import json
import os
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import qt
import slicer
import vtk
from training.generated_cases import write_case, write_decathlon_case
from KDNetLib.errors import InputError
from KDNetTrainingLib.settings import Settings, preset
from KDNetTrainingPanelLib.estimate_panel import estimateText
from KDNetTrainingPanelLib.panel_state import PanelState, disabledReasons
from KDNetTrainingPanelLib.parameter_node import KDNetTrainingParameterNode
from KDNetTrainingPanelLib.plan_choice import OBJECTIVES, makePlan
from KDNetTrainingPanelLib.run_folder_check import runFolderProblem
from KDNetTrainingPanelLib.run_process import holdsRun

CONTROLS = tuple(disabledReasons(PanelState()))


@pytest.fixture
def teacherFile(tmp_path):
    """A model file of a teacher that is as the paper's, but for its width of 2."""
    from KDNetLib.model_file import save_model
    from KDNetLib.networks.encoder_decoder import EncoderDecoder

    save_model(tmp_path / "other.safetensors", EncoderDecoder(channels=4, width=2), {
        "name": "other", "title": "Teacher", "modalities": ["t1", "t1ce", "t2", "flair"], "preprocessing": {"preset": "paper", "spacing": 2.0},
        "classes": ["background", "NCR", "ED", "ET"], "training": {}, "measured": [], "licence": "not stated", "citation": "none",
    })
    return tmp_path / "other.safetensors"


def check(panel, folder):
    """Choose a data folder and wait until it has been read."""
    panel._parameterNode.dataFolder = str(folder)
    waitFor(lambda: not panel._data.checking, what="the end of the data check")


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


def test_every_parameter_has_a_row_with_meaning_default_and_range(panel):
    rows = panel._settings.rows
    assert list(rows) == [parameter.name for parameter in fields(Settings)]
    for parameter in fields(Settings):
        toolTip = rows[parameter.name].control.toolTip
        assert parameter.metadata["meaning"] in toolTip and "Default: " in toolTip, parameter.name
        assert ("Permitted: " in toolTip) == ("low" in parameter.metadata), parameter.name
    assert "0.5 to 8" in rows["spacing"].control.toolTip


def test_rows_show_the_preset_and_what_differs(panel):
    panel.ui.presetComboBox.currentIndex = panel.ui.presetComboBox.findData("full")
    panel.ui.presetComboBox.activated.emit(panel.ui.presetComboBox.currentIndex)
    assert panel._parameterNode.preset == "full"
    for name, value in preset("full").as_dict().items():
        assert panel._settings.rows[name].read() == value, name
    enter(panel._settings.rows["epochs"].control, "20")
    enter(panel._settings.rows["learning_rate"].control, "2e-3")
    enter(panel._settings.rows["crop"].control, "96, 96, 64")
    click(panel._settings.rows["teacher_modalities"]._boxes["t2"])
    panel._settings.rows["schedule"].control.currentIndex = 0
    panel._settings.rows["schedule"].control.activated.emit(0)
    changed = {"epochs": 20, "learning_rate": 0.002, "crop": [96, 96, 64], "teacher_modalities": ["t1", "t1ce", "flair"], "schedule": "plateau"}
    assert json.loads(panel._parameterNode.changedSettings) == changed == panel._settings.changed
    assert panel._settings.settings.epochs == 20 and panel._settings.settings.distillation_mask == "reliable"
    assert "epochs 20" in panel.ui.settingsStatusLabel.text
    enter(panel._settings.rows["epochs"].control, "500")  # the preset's again
    assert "epochs" not in json.loads(panel._parameterNode.changedSettings)
    click(panel.ui.resetButton)
    assert panel._settings.settings == preset("full") and panel._settings.rows["crop"].read() == [128, 128, 128]


@pytest.mark.parametrize("name, text, words", [
    ("epochs", "0", "epochs must be from 1 to 100000, not 0."),
    ("epochs", "1.5", "epochs must be a whole number"),
    ("epochs", "", "epochs must be a whole number"),
    ("learning_rate", "fast", "learning_rate must be a number"),
    ("learning_rate", "nan", "learning_rate must be from"),
    ("crop", "64 64", "crop must be three multiples of 16"),
    ("folds", "1", "at least 2"),
    ("inner_validation", "0", "plateau schedule needs validation cases"),
])  # fmt: skip
def test_forbidden_value_is_a_sentence_below_its_control(panel, name, text, words):
    row = panel._settings.rows[name]
    enter(row.control, text)
    assert words in row._error.text and not row._error.isHidden()
    assert words in panel.ui.settingsStatusLabel.text
    assert row.control.text == text, "what was typed stays, to be corrected"
    assert panel._parameterNode.changedSettings == ""
    click(panel.ui.resetButton)
    assert row._error.isHidden() and panel._settings.problem == ""
    assert row.read() == preset("paper").as_dict()[name]


def test_a_teacher_of_another_architecture_is_a_sentence_at_its_control(panel, teacherFile):
    rows = panel._settings.rows
    rows["teacher_model"].control.setCurrentPath(str(teacherFile))
    assert "cannot teach this student: it has width 2 where this training has 16" in rows["teacher_model"]._error.text
    assert panel._settings.problem and panel._parameterNode.changedSettings == ""
    enter(rows["width"].control, "2")  # which puts it right
    assert panel._settings.problem == "" and rows["teacher_model"]._error.isHidden()
    assert json.loads(panel._parameterNode.changedSettings) == {"width": 2, "teacher_model": str(teacherFile)}
    plan = makePlan("paper", panel._settings.changed, "gt+kl+kd", "mine")
    assert [training.key for training in plan.trainings()] == ["all/gt+kl+kd"] and plan.exported == ("gt+kl+kd",)
    rows["teacher_model"].control.setCurrentPath(str(teacherFile.parent / "nothing.safetensors"))
    assert "cannot be read" in rows["teacher_model"]._error.text
    click(panel.ui.resetButton)
    assert panel._settings.problem == "" and rows["teacher_model"].read() == ""


def test_an_edit_puts_right_what_was_wrong_elsewhere(panel):
    enter(panel._settings.rows["inner_validation"].control, "0")
    assert panel._settings.problem
    schedule = panel._settings.rows["schedule"].control
    schedule.currentIndex = schedule.findText("polynomial")
    schedule.activated.emit(schedule.currentIndex)
    assert panel._settings.problem == "" and panel._settings.rows["inner_validation"]._error.isHidden()
    assert json.loads(panel._parameterNode.changedSettings) == {"inner_validation": 0.0, "schedule": "polynomial"}


def test_scene_of_another_version_is_taken_as_far_as_it_goes(panel):
    panel._parameterNode.preset = "of-another-version"
    panel._parameterNode.changedSettings = json.dumps({"epochs": 7, "crop": 5, "folds": 99, "unknown": 1})
    assert panel._settings.changed == {"epochs": 7}
    panel._parameterNode.changedSettings = "no JSON"
    assert panel._settings.settings == preset("paper")


def test_choices_are_saved_with_the_scene(panel, readHere, cases, tmp_path):
    check(panel, cases)
    enter(panel._settings.rows["epochs"].control, "12")
    panel.ui.modelNameEdit.text = "ours"
    panel.ui.goOnCheckBox.checked = True
    path = str(tmp_path / "scene.mrml")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear()
    assert panel._parameterNode.changedSettings == "" and panel._settings.settings == preset("paper")
    assert panel.ui.modelNameEdit.text == "my-student" and panel.ui.casesTable.rowCount == 0
    slicer.util.loadScene(path)
    assert panel._settings.changed == {"epochs": 12} and panel._parameterNode.dataFolder == str(cases)
    assert panel.ui.modelNameEdit.text == "ours" and panel.ui.goOnCheckBox.checked


@pytest.mark.parametrize("folder, words", [
    ("", "Choose a folder"),
    ("runs/one", "full path"),
    ("{tmp}/file", "is a file"),
    ("{tmp}/file/run", "is a file"),
    ("{tmp}/full", "holds other files"),
    ("{tmp}/cases/run", "lies in the data folder"),
    ("{tmp}/cases", "lies in the data folder"),
])  # fmt: skip
def test_folder_that_cannot_hold_a_run_is_a_sentence_at_its_control(panel, readHere, cases, tmp_path, folder, words):
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("x")
    check(panel, cases)
    panel._parameterNode.runFolder = folder.format(tmp=tmp_path)
    assert words in panel.ui.runStatusLabel.text
    assert not panel.ui.startButton.enabled and words in panel.ui.startButton.toolTip


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission_is_told_before_the_start(tmp_path):
    tmp_path.chmod(0o500)
    try:
        assert "no permission" in runFolderProblem(str(tmp_path / "run"))
    finally:
        tmp_path.chmod(0o700)


def test_permission_is_asked_of_the_folder_that_exists(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(os, "access", lambda path, mode: asked.append(Path(path)) and False)
    assert "no permission" in runFolderProblem(str(tmp_path / "new" / "run"))
    assert asked == [tmp_path]


def test_new_and_empty_folders_hold_no_run_and_are_fine(tmp_path):
    assert runFolderProblem(str(tmp_path)) == "" == runFolderProblem(str(tmp_path / "new" / "run"), str(tmp_path / "data"))
    assert not holdsRun(tmp_path)


@pytest.mark.parametrize("name", ["", "a b", "../x", "ä", "-x", "x" * 41])
def test_bad_model_name_is_a_sentence_at_its_control(panel, readHere, cases, tmp_path, name):
    check(panel, cases)
    panel._parameterNode.runFolder = str(tmp_path / "run")
    assert panel.ui.startButton.enabled and panel.ui.modelNameStatusLabel.isHidden()
    panel.ui.modelNameEdit.text = name
    assert "name of up to 40 letters" in panel.ui.modelNameStatusLabel.text
    assert panel.ui.startButton.toolTip == panel.ui.modelNameStatusLabel.text


def test_plans_of_all_objectives():
    keys = {name: [training.key for training in makePlan("paper", {}, name, "ours").trainings()] for name in OBJECTIVES}
    assert keys == {
        "gt+kl+kd": ["all/teacher", "all/gt+kl+kd"],
        "gt+kl": ["all/teacher", "all/gt+kl"],
        "gt+kd": ["all/teacher", "all/gt+kd"],
        "baseline": ["all/baseline"],
        "all": ["all/baseline", "all/teacher", "all/gt+kl", "all/gt+kd", "all/gt+kl+kd"],
    }
    plan = makePlan("paper", {"epochs": 3}, "all", "ours")
    assert plan.exported == OBJECTIVES["all"] and plan.settings.epochs == 3 and "epochs=3" in plan.command
    with pytest.raises(InputError, match="no objective"):
        makePlan("paper", {}, "everything", "ours")


def test_estimate_is_measured_and_forgotten_when_choices_change(panel, readHere, cases, tmp_path):
    check(panel, cases)
    panel._parameterNode.runFolder = str(tmp_path / "run")
    panel._parameterNode.device = "cpu"
    panel._parameterNode.changedSettings = json.dumps({**SMALL, "epochs": 2})
    click(panel.ui.estimateButton)
    assert "Measuring" in panel.ui.estimateLabel.text and not panel.ui.estimateButton.enabled
    waitFor(lambda: not panel._estimate.running)
    assert panel.ui.estimateLabel.text.startswith("About ") and "on cpu" in panel.ui.estimateLabel.text
    enter(panel._settings.rows["epochs"].control, "3")
    assert "not measured" in panel.ui.estimateLabel.text and panel.ui.estimateButton.enabled


def test_estimate_says_why_it_cannot_be_measured(panel, readHere, cases):
    check(panel, cases)
    panel._parameterNode.device = "cuda:77"
    click(panel.ui.estimateButton)
    waitFor(lambda: not panel._estimate.running)
    assert "cuda:77" in panel.ui.estimateLabel.text and "Traceback" not in panel.ui.estimateLabel.text


def test_estimate_warns_of_too_little_disk_and_memory(tmp_path):
    enough = {"disk_bytes": 10**6, "memory_bytes": 2 * 10**9, "seconds": 3 * 86400, "device": "cpu", "memory_available_bytes": 3 * 10**9}
    text, style = estimateText(enough, str(tmp_path / "run"))
    assert text == "About 3 d 0 h, 1 MB of disk, 2.0 GB of memory on cpu." and style == ""
    text, style = estimateText({**enough, "disk_bytes": 10**18, "memory_available_bytes": 10**9}, str(tmp_path / "run"))
    assert "disk are free" in text and "Only 1.0 GB of memory" in text and style


def test_devices_are_listed_once_data_are_there(panel, readHere, cases):
    check(panel, cases)
    waitFor(lambda: panel._devices.listed)
    devices = [panel.ui.deviceComboBox.itemData(index) for index in range(panel.ui.deviceComboBox.count)]
    assert devices[0] == "auto" and "cpu" in devices


def test_a_panel_that_closes_while_devices_are_listed_leaves_no_file(panel, readHere, cases):
    before = set(os.listdir(slicer.app.temporaryPath))
    check(panel, cases)
    check(panel, cases)  # the second check does not ask again while the answer is on its way
    assert not panel._devices.listed
    assert len(set(os.listdir(slicer.app.temporaryPath)) - before) == 1
    panel.cleanup()
    assert set(os.listdir(slicer.app.temporaryPath)) == before


def test_every_disabled_control_says_why():
    for state in (
        PanelState(),
        PanelState("No data.", "No settings.", "No folder."),
        PanelState(run="running", running=True, own=True),
        PanelState(run="running", running=True, own=True, ending=True),
        PanelState(run="running", running=True),
        PanelState(run="stopped"), PanelState(run="finished"), PanelState(run="reading"), PanelState(estimating=True),
    ):  # fmt: skip
        reasons = disabledReasons(state)
        assert set(reasons) == set(CONTROLS) and all(reason == "" or reason.endswith(".") for reason in reasons.values())
    running = disabledReasons(PanelState(run="running", running=True, own=True))
    assert [name for name in ("pauseButton", "stopAfterEpochButton", "stopButton") if running[name]] == []
    assert all(running[name] for name in ("startButton", "runPathEdit", "presetComboBox", "estimateButton"))
    foreign = disabledReasons(PanelState(run="running", running=True))
    assert foreign["stopButton"] and not foreign["pauseButton"] and not foreign["runPathEdit"]


def test_tooltips_come_back_when_a_control_can_be_used(panel, readHere, cases, tmp_path):
    assert "Choose the folder" in panel.ui.startButton.toolTip
    check(panel, cases)
    panel._parameterNode.runFolder = str(tmp_path / "run")
    assert panel.ui.startButton.toolTip == panel._toolTips["startButton"] == "Begin the training in the run folder."


def test_keyboard_order_follows_the_panel(panel):
    order = ["dataPathEdit", "casesTable", "presetComboBox", "objectiveComboBox", "epochsParameter", "resetButton", "runPathEdit",
             "modelNameEdit", "deviceComboBox", "goOnCheckBox", "estimateButton", "startButton", "pauseButton", "stopButton"]  # fmt: skip
    names, widget = [], panel.ui.dataPathEdit
    while True:
        names.append(widget.objectName)
        widget = widget.nextInFocusChain()
        if widget is panel.ui.dataPathEdit or len(names) > 500:
            break
    positions = [names.index(name) for name in order]
    assert positions == sorted(positions)
    for label in ("dataPathLabel", "presetLabel", "objectiveLabel", "runPathLabel", "modelNameLabel", "deviceLabel"):
        assert getattr(panel.ui, label).buddy() is not None, label


def test_parameters_of_the_node_are_plain():
    assert set(KDNetTrainingParameterNode.allParameters) == {
        "dataFolder", "preset", "changedSettings", "objective", "runFolder", "modelName", "device", "goOn"
    }  # fmt: skip


@pytest.mark.parametrize("name", ["idle", "data", "advanced", "errors"])
def test_pictures_have_nothing_cut_off(panel, readHere, cases, tmp_path, name):
    window = panel.parent
    if name != "idle":
        write_case(cases, "BraTS2021_00008", leave_out=("seg",))
        check(panel, cases)
        panel._parameterNode.runFolder = str(tmp_path / "run")
    if name == "errors":
        enter(panel._settings.rows["epochs"].control, "0")
        panel._parameterNode.runFolder = str(cases)
        panel.ui.modelNameEdit.text = "a b"
    panel.ui.advancedCollapsibleButton.collapsed = name not in ("advanced", "errors")
    window.resize(430, 640)
    window.show()
    slicer.app.processEvents()
    # In Slicer the panel lies in a scroll area: it may be longer than the screen, never wider than its column.
    assert window.minimumSizeHint.width() <= 430
    for widget in window.findChildren(qt.QWidget):
        if widget.visible and isinstance(widget, (qt.QPushButton, qt.QCheckBox)) and widget.text:
            assert widget.width >= widget.fontMetrics().horizontalAdvance(widget.text.replace("&", "")), widget.objectName
    for label in window.findChildren(qt.QLabel):
        if label.visible and label.text and not label.wordWrap:
            assert label.width >= label.fontMetrics().horizontalAdvance(label.text.replace("&", "")), label.text
    folder = os.environ.get("KDNET_PICTURES")
    if folder:
        window.resize(430, max(640, window.sizeHint.height()))
        slicer.app.processEvents()
        assert window.grab().save(str(Path(folder) / f"training_{name}.png"))
