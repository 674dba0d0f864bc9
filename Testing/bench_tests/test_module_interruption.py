"""What can come between: Cancel, a crash, deleted nodes, a closed scene, a reload, the end of Slicer."""

from module_support import addVolume, click, processesOfWorker, scanArray, segmentAndWait, waitFor, writeModel  # first: starts the bench
from module_fixtures import *  # noqa: F403

import os
import signal
import sys
import time

import numpy as np
import pytest
import slicer
from KDNetLib.errors import Cancelled
from KDNetSegmentationLib.segmentation_output import readClasses


def chooseModel(panel, name):
    """Choose a model as a user does."""
    index = panel.ui.modelComboBox.findData(name)
    assert index >= 0
    panel.ui.modelComboBox.currentIndex = index
    panel.ui.modelComboBox.activated.emit(index)


def startSlowRun(panel):
    """Begin a run that takes far longer than the test, and wait until it computes."""
    click(panel.ui.segmentButton)
    assert panel.ui.segmentButton.text == "Cancel"
    waitFor(lambda: panel.ui.progressBar.value > 0, what="the first progress")


@pytest.fixture
def slowPanel(slowModel, panel):
    addVolume("big", scanArray((160, 160, 140)))
    panel.enter()
    chooseModel(panel, "slow")
    panel.ui.flipsCheckBox.checked = True
    return panel


def test_cancel_ends_the_processes_within_a_second_and_changes_nothing(slowPanel):
    panel = slowPanel
    startSlowRun(panel)
    running = processesOfWorker()
    assert running
    begin = time.monotonic()
    click(panel.ui.segmentButton)
    assert not panel.logic.busy
    waitFor(lambda: not processesOfWorker(), seconds=1, what="the end of the processes")
    assert time.monotonic() - begin < 1
    assert panel.ui.segmentButton.text == "Segment"
    assert not panel.ui.progressBar.visible
    assert "Cancelled" in panel.ui.statusLabel.text
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert not [name for name in os.listdir(slicer.app.temporaryPath) if name.startswith("KDNet-")]


def test_cancelled_run_leaves_the_earlier_result_and_the_next_run_works(panel):
    volume = addVolume()
    panel.enter()
    segmentAndWait(panel)
    node = panel.ui.outputSelector.currentNode()
    before = readClasses(node, volume)
    click(panel.ui.segmentButton)
    click(panel.ui.segmentButton)
    assert "Cancelled" in panel.ui.statusLabel.text
    assert np.array_equal(readClasses(node, volume), before)
    segmentAndWait(panel)
    assert np.array_equal(readClasses(node, volume), before)


def test_process_stays_warm_for_the_next_run(panel):
    addVolume()
    panel.enter()
    segmentAndWait(panel)
    first = processesOfWorker()
    segmentAndWait(panel)
    assert processesOfWorker() == first


def test_crash_is_a_sentence_and_its_last_lines_are_in_the_log(slowPanel):
    panel = slowPanel
    startSlowRun(panel)
    for pid in processesOfWorker():
        try:
            os.kill(pid, signal.SIGSEGV)
        except ProcessLookupError:
            pass
    waitFor(lambda: not panel.logic.busy, what="notice of the crash")
    assert "ended unexpectedly" in panel.ui.statusLabel.text
    assert "ended unexpectedly" in panel.ui.logEdit.toPlainText()
    chooseModel(panel, "tiny")
    segmentAndWait(panel)
    assert panel.ui.outputSelector.currentNode() is not None


def test_error_of_the_worker_shows_its_lines(panel, monkeypatch, tmp_path):
    launcher = tmp_path / "PythonSlicer"
    launcher.write_text("#!/bin/sh\necho 'the last words' >&2\nexit 3\n")
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    addVolume()
    panel.enter()
    segmentAndWait(panel)
    assert "exit code 3" in panel.ui.statusLabel.text
    assert "the last words" in panel.ui.logEdit.toPlainText()


def test_missing_python_is_a_sentence(panel, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    addVolume()
    panel.enter()
    click(panel.ui.segmentButton)
    assert "PythonSlicer" in panel.ui.statusLabel.text
    assert panel.ui.segmentButton.text == "Segment"


def test_deleting_the_scan_while_running_cancels(slowPanel):
    panel = slowPanel
    startSlowRun(panel)
    slicer.mrmlScene.RemoveNode(panel.ui.inputSelector.currentNode())
    assert not panel.logic.busy
    assert "deleted" in panel.ui.statusLabel.text
    assert not panel.ui.segmentButton.enabled and "input volume" in panel.ui.segmentButton.toolTip
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")


def test_closing_the_scene_while_running_cancels(slowPanel):
    panel = slowPanel
    startSlowRun(panel)
    slicer.mrmlScene.Clear(False)
    assert not panel.logic.busy
    assert "scene was closed" in panel.ui.statusLabel.text
    addVolume("after")
    panel.enter()
    chooseModel(panel, "tiny")
    segmentAndWait(panel)
    assert panel.ui.outputSelector.currentNode().GetName() == "after KDNet segmentation"


def test_deleting_the_output_while_running_gives_a_new_one(panel):
    volume = addVolume()
    panel.enter()
    segmentAndWait(panel)
    click(panel.ui.segmentButton)
    slicer.mrmlScene.RemoveNode(panel.ui.outputSelector.currentNode())
    waitFor(lambda: not panel.logic.busy)
    node = panel.ui.outputSelector.currentNode()
    assert readClasses(node, volume).any()


def test_console_cancel_raises(logic, slowModel):
    volume = addVolume("big", scanArray((160, 160, 140)))

    def stop(fraction, stage):
        logic.cancel()

    with pytest.raises(Cancelled):
        logic.segment(volume, model=slowModel, progress=stop)
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")


def test_cleanup_ends_the_process(panel):
    addVolume()
    panel.enter()
    segmentAndWait(panel)
    assert processesOfWorker()
    panel.cleanup()
    waitFor(lambda: not processesOfWorker(), seconds=1, what="the end of the processes")


@pytest.fixture
def packagesBack():
    """Puts the packages back that a reload replaces: the other tests hold their classes."""
    before = {name: module for name, module in sys.modules.items() if name.startswith("KDNet")}
    yield
    for name in [name for name in sys.modules if name.startswith("KDNet")]:
        del sys.modules[name]
    sys.modules.update(before)


def test_reload_ends_the_process_and_gives_a_working_panel(packagesBack, loaded, tmp_path):
    writeModel(tmp_path / "home" / "models", name="imported")
    addVolume()
    old, oldModule = loaded.widget, sys.modules["KDNetSegmentationLib.widget"]
    old.enter()
    segmentAndWait(old)
    old.onReload()
    waitFor(lambda: not processesOfWorker(), seconds=1, what="the end of the processes")
    assert sys.modules["KDNetSegmentationLib.widget"] is not oldModule
    new = slicer.modules.KDNetSegmentationWidget
    assert new is not old
    new.enter()
    chooseModel(new, "imported")
    segmentAndWait(new)
    assert new.ui.outputSelector.currentNode() is not None
    new.cleanup()
