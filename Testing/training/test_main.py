"""The process that a program starts and then knows only by its run folder: finishing, failing, stopping, ending with its starter."""

import os
import subprocess
import sys
from contextlib import suppress

import pytest

from KDNetTrainingLib.run.recorded_plan import record_plan
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.run.status import RunState
from KDNetTrainingLib.settings import settings_from
from training.generated_cases import write_cases

SETTINGS = settings_from({
    "crop": (32, 32, 32), "spacing": 4.0, "width": 2, "epochs": 1, "learning_rate": 0.01, "schedule": "polynomial", "inner_validation": 0.0,
})
LONG = settings_from({"epochs": 100000}, SETTINGS)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("data"), 3)


def started(run, *options, **how):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "KDNetTrainingLib", str(run), "--device", "cpu", *options], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, **how,
    )


def ended(process):
    """Exit code and output, which must be nothing: a pipe that nobody empties would block a run of days."""
    output, _ = process.communicate(timeout=120)
    assert output == b""
    return process.returncode


def recorded(data, run, settings=SETTINGS):
    record_plan(Plan(("baseline",), settings, "kdnet experiment"), data, run)
    return run


def wait_for(run, process, kind):
    """Wait until the run has reported an event of ``kind``."""
    while process.poll() is None:
        if any(event["kind"] == kind for event in RunFolder(run).events()):
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)
    raise AssertionError((run / "process.log").read_text())


def test_it_carries_out_what_is_recorded(data, tmp_path):
    run = recorded(data, tmp_path / "run")
    assert ended(started(run)) == 0
    state = RunState.read(run)
    assert state.state == "finished" and state.done == ["all/baseline"]
    log = (run / "process.log").read_text()
    assert log.startswith("--- ") and "all/baseline" in log


def test_failures_before_the_beginning_are_told_by_the_folder(data, tmp_path):
    run = recorded(data, tmp_path / "run")
    assert ended(started(run, "--device", "cuda:7")) == 2
    state = RunState.read(run)
    assert state.state == "failed" and "no device cuda:7 here" in state.message
    assert ended(started(run, "--data", str(tmp_path / "gone"))) == 2
    state = RunState.read(run)
    assert state.state == "failed" and "There is no folder" in state.message
    assert [event["what"] for event in RunFolder(run).events() if event["kind"] == "run"] == ["failed", "failed"]  # the second told once


def test_a_folder_without_a_plan_says_so(tmp_path):
    assert ended(started(tmp_path)) == 2
    assert "holds no run" in RunState.read(tmp_path).message
    missing = started(tmp_path / "nowhere")
    output, _ = missing.communicate(timeout=120)
    assert missing.returncode == 2 and b"cannot be written to" in output


def test_attached_it_saves_and_ends_with_its_starter(data, tmp_path):
    run = recorded(data, tmp_path / "run", LONG)
    process = started(run, "--attached", stdin=subprocess.PIPE)
    wait_for(run, process, "epoch")
    process.stdin.close()
    process.stdin = None
    assert ended(process) == 130
    state = RunState.read(run)
    assert state.state == "stopped" and "everything is saved" in state.message and (run / "all/baseline/last.pt").exists()


def test_alone_it_goes_on_without_its_starter_and_a_second_process_is_refused_quietly(data, tmp_path):
    run = recorded(data, tmp_path / "run", LONG)
    first = started(run, stdin=subprocess.PIPE)
    first.stdin.close()
    first.stdin = None
    wait_for(run, first, "epoch")
    assert ended(started(run)) == 2  # the first one's events stay its own
    assert "Another training (process" in (run / "process.log").read_text()
    assert RunState.read(run).state == "running"
    RunFolder(run).request_stop()
    assert ended(first) == 130
    assert RunState.read(run).state == "stopped"
