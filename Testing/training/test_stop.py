"""``kdnet stop`` asks the process that runs, and says so where none does."""

import os

from KDNetTrainingLib.cli import stop
from KDNetTrainingLib.run.lock import locked
from training.status_support import *  # noqa: F403
from training.status_support import begin, command


def test_stop_asks_who_runs(run, capsys):
    begin(run)
    with locked(run.path / "lock"):
        code, out = command(capsys, stop, run.path)
        assert code == 0 and run.stop_requested and f"Asked process {os.getpid()} on " in out and f"kdnet resume {run.path}" in out


def test_stop_asks_who_has_told_nothing_yet(run, capsys):
    run.record("run", {})
    with locked(run.path / "lock"):
        code, out = command(capsys, stop, run.path)
    assert code == 0 and run.stop_requested and out.startswith("Asked ")


def test_stop_lets_it_finish_the_epoch_where_asked_to(run, capsys):
    begin(run)
    with locked(run.path / "lock"):
        code, out = command(capsys, stop, run.path, "--after-epoch")
        assert code == 0 and run.stop_after_epoch_requested and not run.stop_requested and "it finishes the epoch" in out


def test_stop_says_where_nothing_runs(run, capsys):
    begin(run)
    assert command(capsys, stop, run.path) == (0, f"Nothing runs in {run.path} (killed).\n")
    assert not run.stop_requested
