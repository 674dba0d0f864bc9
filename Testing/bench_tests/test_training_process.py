"""Training processes driven from the panel: start, pause, stop, kill, resume, finish; runs begun elsewhere; Slicer's end."""

from training_support import SMALL, click, waitFor, waitForTraining  # first: starts the bench
from training_fixtures import *  # noqa: F403

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import slicer
from KDNetLib.errors import KDNetError
from KDNetLib.manifest import read_manifest
from KDNetTrainingLib.run.lock import holder
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingPanelLib.run_process import TrainingRun

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ready(panel, readHere, cases, tmp_path):
    """The panel with everything chosen; a training of it would last minutes."""
    parameters = panel._parameterNode
    parameters.dataFolder, parameters.runFolder, parameters.device = str(cases), str(tmp_path / "run"), "cpu"
    setEpochs(panel, 1000)
    yield panel
    if panel._run.run is not None:
        panel._run.run.end()


def setEpochs(panel, epochs):
    panel._parameterNode.changedSettings = json.dumps({**SMALL, "epochs": epochs})


def start(panel):
    click(panel.ui.startButton)
    assert panel.ui.statusLabel.text == "" and panel._run.run.own
    return waitForTraining(panel, lambda run: run.state.fraction > 0, "the first step")


def ended(panel, what):
    return waitForTraining(panel, lambda run: not run.running, what)


def kinds(folder):
    return [event.get("what") for event in RunFolder(folder).events() if event["kind"] == "run"]


def gone(pid):
    try:
        os.kill(pid, 0)
    except OSError:
        return True
    return False


def test_start_pause_resume_finish(ready, tmp_path):
    setEpochs(ready, 4)
    run = start(ready)
    assert "runs in this folder" in ready.ui.runStatusLabel.text and not ready.ui.progressCollapsibleButton.collapsed
    assert not ready.ui.startButton.enabled and not ready.ui.runPathEdit.enabled and not ready.ui.parametersContainer.enabled
    assert ready.ui.pauseButton.text == "Pa&use"
    click(ready.ui.pauseButton)
    assert not ready.ui.pauseButton.enabled and "saving" in ready.ui.pauseButton.toolTip
    ended(ready, "the pause")
    if run.state.state == "stopped":  # it may have been just too late
        assert "paused run" in ready.ui.runStatusLabel.text and ready.ui.startButton.enabled
        assert ready.ui.pauseButton.text == "Res&ume"
        click(ready.ui.pauseButton)
        ended(ready, "the end of the run")
    assert run.state.state == "finished" and run.problem == ""
    assert run.state.done == ["all/teacher", "all/gt+kl+kd"]
    assert "finished run" in ready.ui.runStatusLabel.text
    assert not ready.ui.pauseButton.enabled and ready.ui.startButton.enabled
    assert read_manifest(tmp_path / "run" / "models" / "my-student.safetensors").name == "my-student"
    recorded = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert recorded["epochs"] == 4 and recorded["width"] == 2


def test_stop_after_the_epoch_ends_at_its_end(ready, tmp_path):
    run = start(ready)
    click(ready.ui.stopAfterEpochButton)
    ended(ready, "the end of the epoch")
    assert run.state.state == "stopped"
    last = [event for event in RunFolder(tmp_path / "run").events() if event["kind"] in ("steps", "epoch")][-1]
    assert last["kind"] == "epoch"


def test_stop_at_once_asks_and_leaves_a_run_to_go_on_with(ready, bench, tmp_path):
    run = start(ready)
    pid = run.state.holder.pid
    bench.dialogs.press("No")
    click(ready.ui.stopButton)
    assert run.running
    bench.dialogs.press("Yes")
    click(ready.ui.stopButton)
    assert not run.running
    waitFor(lambda: gone(pid), what="the end of the interpreter")
    assert run.state.state == "killed" and "Resume" in ready.ui.runStatusLabel.text
    click(ready.ui.pauseButton)
    waitForTraining(ready, lambda run: run.state.state == "running" and "resume" in kinds(run.folder), "the resumed training")


def test_pause_before_the_process_works_is_not_lost(ready):
    click(ready.ui.startButton)
    run = ready._run.run
    assert run.starting and "starting" in ready.ui.runStatusLabel.text
    click(ready.ui.pauseButton)
    ended(ready, "the pause")
    assert run.state.state == "stopped"


def test_a_kill_from_outside_is_told_and_can_be_resumed(ready):
    run = start(ready)
    os.kill(run.state.holder.pid, signal.SIGKILL)
    ended(ready, "the death of the process")
    assert run.state.state == "killed" and "unexpectedly" in ready.ui.runStatusLabel.text
    assert ready.ui.pauseButton.enabled and ready.ui.pauseButton.text == "Res&ume"


def test_failure_of_the_training_is_its_own_sentence(ready):
    ready._parameterNode.device = "cuda:77"  # of another computer, or gone since
    click(ready.ui.startButton)
    run = ended(ready, "the failure")
    assert run.state.state == "failed" and "cuda:77" in ready.ui.runStatusLabel.text
    assert "Traceback" not in ready.ui.runStatusLabel.text and "Resume goes on" in ready.ui.runStatusLabel.text
    ready._parameterNode.device = "cpu"
    click(ready.ui.pauseButton)
    waitForTraining(ready, lambda run: run.state.fraction > 0, "the resumed training")


def test_start_into_a_folder_with_a_run_asks_and_overwrites_nothing(ready, bench, tmp_path):
    run = start(ready)
    bench.dialogs.press("Yes")
    click(ready.ui.stopButton)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").glob("*.json")}
    setEpochs(ready, 7)
    bench.dialogs.press("Cancel")
    click(ready.ui.startButton)
    assert "holds a run already" in bench.dialogs.shown[-1][1]
    assert not run.running and {path: path.stat().st_mtime_ns for path in (tmp_path / "run").glob("*.json")} == before
    bench.dialogs.press("Choose another folder")
    bench.dialogs.choose(tmp_path / "second")
    click(ready.ui.startButton)
    assert ready._parameterNode.runFolder == str(tmp_path / "second") and ready._run.run.own
    assert json.loads((tmp_path / "second" / "settings.json").read_text())["epochs"] == 7
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").glob("*.json")} == before
    ready._run.run.end()
    ready._parameterNode.runFolder = str(tmp_path / "run")
    bench.dialogs.press("Resume it")
    click(ready.ui.startButton)
    run = waitForTraining(ready, lambda run: run.state.state == "running", "the resumed training")
    assert run.folder == tmp_path / "run"


def test_run_of_a_terminal_is_found_watched_and_paused(ready, cases, tmp_path):
    options = ["--epochs", "1000", "--preprocessing", "whole-brain", "--spacing", "4", "--crop", "32", "32", "32", "--width", "2", "--device", "cpu"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "KDNetTraining"), str(ROOT / "KDNetSegmentation")])}
    code = (
        "import argparse, sys; from KDNetTrainingLib.cli import train; p = argparse.ArgumentParser(); s = p.add_subparsers(); train.add_parser(s);"
        "a = p.parse_args(sys.argv[1:]); sys.exit(train.run(a))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, "train", cases, tmp_path / "run", *options], env=environment, stderr=subprocess.DEVNULL)
    try:
        waitFor(lambda: ready._run.run is not None and ready._run.run.state.fraction > 0, what="the run of the other process")
        run = ready._run.run
        assert not run.own and not ready.ui.stopButton.enabled and "Pause" in ready.ui.stopButton.toolTip
        assert not ready.ui.startButton.enabled and ready.ui.runPathEdit.enabled
        click(ready.ui.pauseButton)
        ended(ready, "the pause")
        assert run.state.state == "stopped"
    finally:
        process.kill()
        process.wait()


def test_training_ends_with_slicer_and_saves(ready, tmp_path):
    run = start(ready)
    pid = run.state.holder.pid
    ready.logic.shutdown()
    waitFor(lambda: gone(pid), what="the end of the training")
    assert kinds(tmp_path / "run")[-1] == "stopped"
    assert holder(tmp_path / "run" / "lock") is None


def test_training_ends_when_slicer_is_killed(cases, tmp_path):
    """The bench in a process of its own starts a training and is killed."""
    code = (
        f"import sys; sys.path[:0] = {[str(ROOT / 'Testing'), str(ROOT / 'KDNetSegmentation'), str(ROOT / 'KDNetTraining')]!r}\n"
        "from bench import session; session.start()\n"
        "from KDNetTrainingPanelLib.logic import KDNetTrainingLogic\n"
        f"run = KDNetTrainingLogic().train({str(cases)!r}, {str(tmp_path / 'run')!r}, device='cpu', wait=False, epochs=1000, **{SMALL!r})\n"
        "print('started', flush=True)\nimport time; time.sleep(600)\n"
    )
    slicerProcess = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert slicerProcess.stdout.readline() == b"started\n"
        run = TrainingRun(tmp_path / "run")
        waitFor(lambda: run.refresh() or run.state.fraction > 0, what="the first step")
    finally:
        slicerProcess.kill()
        slicerProcess.wait()
    waitFor(lambda: holder(tmp_path / "run" / "lock") is None, what="the end of the training")
    assert kinds(tmp_path / "run")[-1] == "stopped"


def test_training_that_shall_go_on_does_and_is_found_again(ready, tmp_path):
    ready.ui.goOnCheckBox.checked = True
    run = start(ready)
    pid = run.state.holder.pid
    ready.logic.shutdown()
    time.sleep(0.5)
    assert not gone(pid)
    again = TrainingRun(tmp_path / "run")
    try:
        assert again.running and not again.own
        again.pause()
        waitFor(lambda: again.refresh() or not again.running, what="the pause")
        assert again.state.state == "stopped"
    finally:
        if not gone(pid):
            os.kill(pid, signal.SIGKILL)


def test_next_start_of_slicer_finds_the_run(ready, bench, tmp_path):
    start(ready)
    ready._run.run.end()
    slicer.mrmlScene.Clear()
    panel = bench.load(ROOT / "KDNetTraining" / "KDNetTraining.py").widget  # the module of a new Slicer, with an empty scene
    assert panel._parameterNode.runFolder == str(tmp_path / "run")
    assert panel.ui.pauseButton.text == "Res&ume" and panel.ui.pauseButton.enabled
    panel.cleanup()


def test_closing_the_scene_leaves_the_training_and_its_folder(ready, tmp_path):
    run = start(ready)
    slicer.mrmlScene.Clear()
    assert ready._parameterNode.runFolder == str(tmp_path / "run") and ready._run.run is run and run.own
    assert run.running and ready.ui.pauseButton.enabled


def test_one_process_per_folder(ready):
    run = start(ready)
    with pytest.raises(KDNetError, match="already"):
        run.start("cpu")


def test_no_python_slicer_is_a_sentence_and_writes_nothing(ready, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    click(ready.ui.startButton)
    assert "PythonSlicer" in ready.ui.statusLabel.text
    assert ready._run.run is None and not (tmp_path / "run").exists()


def test_moved_cases_are_found_in_the_folder_that_is_chosen(ready, cases, tmp_path):
    start(ready)
    ready._run.run.end()
    moved = cases.rename(tmp_path / "moved")
    ready._parameterNode.dataFolder = str(moved)
    ready.onTimer()
    click(ready.ui.pauseButton)
    waitForTraining(ready, lambda run: run.state.state == "running" and "resume" in kinds(run.folder), "the resumed training")


def test_a_crash_of_the_interpreter_is_told_with_what_it_said(ready, monkeypatch, tmp_path):
    launcher = tmp_path / "bin" / "PythonSlicer"
    launcher.parent.mkdir()
    launcher.write_text("#!/bin/sh\necho 'python: cannot open shared object file' >&2\nexit 127\n")
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", str(launcher.parent) + os.pathsep + os.environ["PATH"])
    click(ready.ui.startButton)
    ended(ready, "the crash")
    assert "cannot open shared object file" in ready.ui.runStatusLabel.text
