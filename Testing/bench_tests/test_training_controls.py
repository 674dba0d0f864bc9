"""The controls of the training panel: what can be used when and why not, in which order, and nothing cut off."""

from training_support import check, enter  # first: starts the bench
from training_fixtures import *  # noqa: F403

import pytest
import qt
import slicer
from module_support import savePicture, showsItsText
from training.generated_cases import write_case
from KDNetTrainingPanelLib.panel_state import PanelState, disabledReasons

CONTROLS = tuple(disabledReasons(PanelState()))


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
            assert showsItsText(widget), widget.objectName
    for label in window.findChildren(qt.QLabel):
        if label.visible and label.text and not label.wordWrap:
            assert showsItsText(label), label.text
    savePicture(window, f"training_{name}")
