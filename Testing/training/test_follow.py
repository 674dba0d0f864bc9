"""``kdnet status --follow``: what it tells through a pipe and in a terminal's one line, and when it ends."""

import io
from contextlib import ExitStack

import pytest

from KDNetTrainingLib.cli import run_line, status
from KDNetTrainingLib.run.lock import locked
from KDNetTrainingLib.run.status import RunState
from training.status_support import *  # noqa: F403
from training.status_support import begin, command, epoch, steps, training


@pytest.fixture()
def meanwhile(monkeypatch):
    """What happens in the run while ``status --follow`` waits: one function after the other."""
    happenings = []
    monkeypatch.setattr(status.time, "sleep", lambda seconds: happenings.pop(0)())
    return happenings


def test_following_through_a_pipe_tells_each_epoch_once_and_ends_with_the_run(run, capsys, meanwhile):
    begin(run)
    training(run)
    meanwhile += [
        lambda: steps(run, 1, 5), lambda: epoch(run, 1), lambda: steps(run, 2, 1), lambda: epoch(run, 2),
        lambda: run.event(kind="run", what="stopped", message="Stopped (on request) in epoch 3 of 4; everything is saved."),
    ]  # fmt: skip
    with locked(run.path / "lock"):
        code, out = command(capsys, status, run.path, "--follow")
    lines = out.splitlines()
    assert code == 1 and lines[:3] == [
        f"{run.path}: fold-1/teacher, 0 of 4 epochs (0 %)",
        f"{run.path}: fold-1/teacher, 1 of 4 epochs, loss 1.000, validation 1.500, Dice ET 0.50 TC 0.60 WT 0.70 (6 %, 60 s left)",
        f"{run.path}: fold-1/teacher, 2 of 4 epochs, loss 1.000, validation 1.500, Dice ET 0.50 TC 0.60 WT 0.70 (12 %, 60 s left)",
    ]
    assert lines[3] == f"{run.path}: Stopped (on request) in epoch 3 of 4; everything is saved. Go on with: kdnet resume {run.path}"


def test_following_a_finished_run_ends_at_once(run, capsys):
    begin(run)
    run.event(kind="run", what="finished", message="")
    code, out = command(capsys, status, run.path, "--follow")
    assert code == 0 and out.splitlines()[0] == f"{run.path}: finished"


def test_following_begins_before_the_run_does(run, capsys, meanwhile):
    """Between the command's own start and the first event torch is loaded; nobody may hold the lock then."""
    run.record("run", {})
    with ExitStack() as held:
        meanwhile += [
            lambda: None, lambda: None, lambda: held.enter_context(locked(run.path / "lock")), lambda: begin(run),
            lambda: run.event(kind="run", what="finished", message=""),
        ]  # fmt: skip
        code, out = command(capsys, status, run.path, "--follow")
    assert code == 0 and not meanwhile and out.splitlines()[:2] == [f"{run.path}: not started yet, waiting for it", f"{run.path}: finished"]


def test_following_what_never_starts_ends_after_a_minute(run, capsys, meanwhile):
    run.record("run", {})
    meanwhile += [lambda: None] * 120
    code, out = command(capsys, status, run.path, "--follow")
    assert code == 1 and not meanwhile and out.splitlines()[-1] == f"{run.path}: not started"


def test_ctrl_c_ends_the_watching_only(run, capsys, meanwhile):
    begin(run)

    def press():
        raise KeyboardInterrupt

    meanwhile.append(press)
    with locked(run.path / "lock"):
        code, out = command(capsys, status, run.path, "--follow")
    assert code == 0 and f"the run goes on; stop it with: kdnet stop {run.path}" in out and not run.stop_requested


def test_a_terminal_gets_one_line_that_fits(run, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setenv("COLUMNS", "60")
    begin(run)
    training(run)
    epoch(run, 1)
    with locked(run.path / "lock"):
        state = RunState.read(run.path)
        line = run_line.RunLine("run", terminal)
        for _ in range(3):
            line.show(state)
        steps(run, 2, 1)
        state.refresh()
        line.show(state)
    assert "\n" not in terminal.getvalue()
    drawn = terminal.getvalue().split("\r")
    assert all(len(text) <= 59 for text in drawn) and drawn[1].startswith("6 %, 60 s left: fold-1/teacher, epoch 1 of 4, loss 1.000")
    assert drawn[-1].startswith("7 %, 2 min left: fold-1/teacher, epoch 2 of 4, loss 2.000")


DURATIONS = [(0, "0 s"), (89, "89 s"), (90, "2 min"), (3540, "59 min"), (3600, "1 h 0 min"), (11100, "3 h 5 min"), (200000, "2 d 7 h")]


@pytest.mark.parametrize("seconds, text", DURATIONS)
def test_durations(seconds, text):
    assert run_line.duration(seconds) == text
