"""The training panel measures what a run will take, and lists the devices that it could run on."""

from module_support import processesOfWorker  # first: starts the bench
from training_support import SMALL, check, click, enter, waitFor
from training_fixtures import *  # noqa: F403

import json
import os

import slicer
from KDNetTrainingPanelLib.estimate_panel import estimateText


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
    panel._parameterNode.device = "cuda:77"  # of another computer
    assert panel.ui.deviceComboBox.currentText == "cuda:77"
    check(panel, cases)
    waitFor(lambda: panel._devices.listed)
    devices = [panel.ui.deviceComboBox.itemData(index) for index in range(panel.ui.deviceComboBox.count)]
    assert devices[0] == "auto" and "cpu" in devices
    assert panel.ui.deviceComboBox.currentText == "cuda:77 (not found here)"
    waitFor(lambda: not processesOfWorker(), seconds=1, what="the end of the process that listed them")


def test_a_panel_that_closes_while_devices_are_listed_leaves_no_file(panel, readHere, cases):
    before = set(os.listdir(slicer.app.temporaryPath))
    check(panel, cases)
    check(panel, cases)  # the second check does not ask again while the answer is on its way
    assert not panel._devices.listed
    assert len(set(os.listdir(slicer.app.temporaryPath)) - before) == 1
    panel.cleanup()
    assert set(os.listdir(slicer.app.temporaryPath)) == before
