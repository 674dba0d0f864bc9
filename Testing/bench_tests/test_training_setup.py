"""The choices of the training panel: settings, objective, run folder and model name, kept or refused with a sentence."""

from training_support import check, click, enter  # first: starts the bench
from training_fixtures import *  # noqa: F403

import json
import os
from dataclasses import fields
from pathlib import Path

import pytest
import slicer
from KDNetLib.errors import InputError
from KDNetTrainingLib.settings import Settings, preset
from KDNetTrainingPanelLib.parameter_node import KDNetTrainingParameterNode
from KDNetTrainingPanelLib.plan_choice import OBJECTIVES, makePlan
from KDNetTrainingPanelLib.run_folder_check import runFolderProblem
from KDNetTrainingPanelLib.run_process import holdsRun


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


def test_parameters_of_the_node_are_plain():
    assert set(KDNetTrainingParameterNode.allParameters) == {
        "dataFolder", "preset", "changedSettings", "objective", "runFolder", "modelName", "device", "goOn"
    }  # fmt: skip
