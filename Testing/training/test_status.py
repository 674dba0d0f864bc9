"""How far a run is, told from its events and its lock; and the commands ``kdnet status`` and ``kdnet stop``."""

import argparse
import io
import json
import os

import pytest

from KDNetLib.errors import InputError
from KDNetTrainingLib.cli import run_line, status, stop
from KDNetTrainingLib.run.curves import curves_on
from KDNetTrainingLib.run.lock import locked
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.run.status import RunState
from KDNetTrainingLib.run.svg_canvas import SvgCanvas

KEYS = ["fold-1/teacher", "fold-1/gt+kl+kd"]
DICE = {"ET": 0.5, "TC": 0.6, "WT": 0.7}


@pytest.fixture()
def run(tmp_path):
    return RunFolder(tmp_path / "run")


def begin(run, what="begin", epochs=(4, 12)):
    run.event(kind="run", what=what, trainings=KEYS, epochs=list(epochs))


def training(run, key=KEYS[0], epochs=4, from_epoch=0):
    run.event(kind="training", training=key, fold=1, system="teacher", epochs=epochs, cases=14, validation=2, from_epoch=from_epoch)


def steps(run, epoch, step, key=KEYS[0], left_run=100):
    run.event(
        kind="steps", training=key, epoch=epoch, epochs=4, step=step, steps=10, train={"loss": 2.0}, seconds_per_step=1.4, left=50, left_run=left_run,
    )  # fmt: skip


def epoch(run, number, key=KEYS[0], best=True, loss=1.0, validation=None):
    run.event(
        kind="epoch", training=key, epoch=number, epochs=4, train={"loss": loss, "gt": loss}, best=best, left_run=60, left=30, learning_rate=1e-4,
        validation={"loss": 1.5, **DICE} if validation is None else validation, seconds=20, reading_seconds=0.1, gpu_gb=None,
    )


def scores(run, key=KEYS[0]):
    run.event(kind="scores", training=key, cases=8, native={"ET": 0.71, "TC": 0.72, "WT": 0.73}, crop=DICE)


def parsed(module, *words):
    parser = argparse.ArgumentParser()
    module.add_parser(parser.add_subparsers())
    return parser.parse_args([module.__name__.split(".")[-1], *map(str, words)])


def command(capsys, module, *words):
    code = module.run(parsed(module, *words))
    return code, capsys.readouterr().out


def test_no_run_is_a_sentence(tmp_path):
    for use in (lambda: RunState.read(tmp_path / "none"), lambda: stop.run(parsed(stop, tmp_path))):
        with pytest.raises(InputError, match="holds no run; name the folder"):
            use()
    assert list(tmp_path.iterdir()) == []


def test_a_run_before_its_first_event_has_not_started(run, capsys):
    run.record("run", {})
    assert RunState.read(run.path).state == "not started"
    assert command(capsys, status, run.path) == (0, f"{run.path}: not started\n")


def test_from_the_first_event_to_the_end(run):
    with locked(run.path / "lock"):
        run.event(kind="prepare", done=3, total=24, name="a")
        state = RunState.read(run.path)
        assert (state.state, state.stage, state.fraction, state.current) == ("running", "preparing cases, 3 of 24", 0.0, None)
        run.event(kind="warning", message="b is left out")
        begin(run)
        training(run)
        state.refresh()
        assert (state.current, state.stage, state.warnings) == (KEYS[0], "fold-1/teacher, epoch 1 of 4", ["b is left out"])
        steps(run, 1, 5)
        state.refresh()
        teacher = state.trainings[KEYS[0]]
        assert (teacher.epoch, teacher.step, teacher.steps, teacher.train_now, teacher.train) == (0, 5, 10, {"loss": 2.0}, {})
        assert state.fraction == pytest.approx(0.5 / 16) and state.seconds_left == 100
        epoch(run, 1)
        epoch(run, 2, best=False, loss=0.8, validation={"loss": 1.4, "ET": 0.1, "TC": 0.1, "WT": 0.1})
        state.refresh()
        assert state.fraction == pytest.approx(2 / 16) and state.seconds_left == 60 and state.done == []
        assert (teacher.best_epoch, teacher.best_validation, teacher.validation["ET"]) == (1, {"loss": 1.5, **DICE}, 0.1)
        assert teacher.train == {"loss": 0.8, "gt": 0.8} and state.stage == "fold-1/teacher, epoch 2 of 4"
        steps(run, 3, 1)
        epoch(run, 3)
        epoch(run, 4)
        state.refresh()
        assert state.done == KEYS[:1] and state.stage == "fold-1/teacher, scoring"
        scores(run)
        training(run, KEYS[1], 12)
        state.refresh()
        assert teacher.scores["native"]["WT"] == 0.73 and teacher.scores["crop"] == DICE
        assert (state.current, state.stage) == (KEYS[1], "fold-1/gt+kl+kd, epoch 1 of 12")
        for number in range(1, 13):
            epoch(run, number, KEYS[1])
        run.event(kind="run", what="finished", message="")
        state.refresh()
        # The process still holds its lock while it writes its README: the run is finished all the same.
        assert (state.state, state.fraction, state.seconds_left, state.done) == ("finished", 1.0, None, KEYS)
    again = RunState.read(run.path)
    assert again.as_dict() == state.as_dict() | {"holder": None} and json.loads(json.dumps(again.as_dict())) == again.as_dict()


def test_ends_that_are_not_good(run):
    begin(run)
    training(run)
    steps(run, 1, 5)
    assert (RunState.read(run.path).state, RunState.read(run.path).seconds_left) == ("killed", None)
    run.event(kind="run", what="failed", message="The disk is full.")
    assert (RunState.read(run.path).state, RunState.read(run.path).message) == ("failed", "The disk is full.")
    with locked(run.path / "lock"):  # a later process goes on with it
        assert RunState.read(run.path).state == "running"
        begin(run, "resume")
        state = RunState.read(run.path)
        assert (state.state, state.message) == ("running", "")
        run.event(kind="run", what="stopped", message="Stopped.")
    assert (RunState.read(run.path).state, RunState.read(run.path).message) == ("stopped", "Stopped.")


def test_a_resumed_and_prolonged_run_counts_from_where_it_goes_on(run):
    begin(run)
    training(run)
    for number in (1, 2, 3, 4):
        epoch(run, number)
    scores(run)
    begin(run, "resume", epochs=(8, 12))
    state = RunState.read(run.path)
    assert state.done == [] and state.fraction == pytest.approx(4 / 20)
    training(run, epochs=8, from_epoch=3)  # the last checkpoint was damaged
    state.refresh()
    assert (state.trainings[KEYS[0]].epoch, state.trainings[KEYS[0]].scores) == (3, {})
    assert state.stage == "fold-1/teacher, epoch 4 of 8"


def test_a_long_run_is_followed_cheaply(run):
    """Looking again takes in what is new alone: the old part of the file may even be gone."""
    begin(run)
    training(run)
    epoch(run, 1)
    state = RunState.read(run.path)
    path = run.path / "events.jsonl"
    path.write_bytes(b" " * path.stat().st_size)
    epoch(run, 2)
    state.refresh()
    assert state.trainings[KEYS[0]].epoch == 2


def test_a_training_without_cases_to_score_is_done_all_the_same(run):
    run.event(kind="run", what="begin", trainings=KEYS[1:], epochs=[1])
    training(run, KEYS[1], 1)
    epoch(run, 1, KEYS[1], validation={})
    assert RunState.read(run.path).stage == "fold-1/gt+kl+kd, scoring"
    run.event(kind="exported", training=KEYS[1], path="models/my-student.safetensors")
    assert RunState.read(run.path).stage == "fold-1/gt+kl+kd, done"


def test_a_finished_run_without_scores_and_model_files_is_not_scoring(run):
    run.event(kind="run", what="begin", trainings=KEYS[:1], epochs=[1])
    training(run, epochs=1)
    epoch(run, 1, validation={})
    run.event(kind="run", what="failed", message="The disk is full.")
    assert RunState.read(run.path).stage == "fold-1/teacher, scoring"
    run.event(kind="run", what="finished", message="")
    assert RunState.read(run.path).stage == "fold-1/teacher, done"


def everything(run):
    """One event of every kind."""
    run.event(kind="prepare", done=1, total=2, name="a")
    begin(run)
    run.event(kind="warning", training=KEYS[0], message="Memory does not suffice.")
    training(run)
    steps(run, 1, 5)
    epoch(run, 1)
    scores(run)
    run.event(kind="exported", training=KEYS[0], path="models/a.safetensors")
    run.event(kind="run", what="stopped", message="Stopped.")


def test_lines_that_are_no_event_as_a_run_writes_it_cost_themselves_only(run):
    """Every event with any one field gone or replaced is read by nobody or breaks nobody."""
    everything(run)
    expected, path = RunState.read(run.path).as_dict(), run.path / "events.jsonl"
    whole = path.read_bytes()
    for line in (b"{}", b"null", b"5", b"{", b"[" * 100000, b"\xff\xfe", b'{"kind": "run"}', b'{"time": 1, "kind": ["run"]}'):
        path.write_bytes(line + b"\n" + whole)
        assert RunState.read(run.path).as_dict() == expected, line[:30]
    events = [json.loads(line) for line in whole.splitlines()]
    for place, event in enumerate(events):
        for name in event:
            damaged = [{key: value for key, value in event.items() if key != name}]
            damaged += [event | {name: wrong} for wrong in (None, [], {}, "x", -1, True, [[0]], {"loss": "x"})]
            path.write_text("".join(json.dumps(each) + "\n" for each in [*events[:place], *damaged, *events[place:]]))
            state = RunState.read(run.path)
            assert json.dumps(state.as_dict()) and status._described(state, run.path)
            assert curves_on(SvgCanvas, [each for each in RunFolder(run.path).events() if each["kind"] == "epoch"])


def test_a_plan_of_nothing_or_of_no_epochs_is_passed_over(run):
    begin(run)
    for epochs in ([0, 4], [4], [], ["4", 4], None):
        run.event(kind="run", what="resume", trainings=KEYS, epochs=epochs)
    assert [each.epochs for each in RunState.read(run.path).trainings.values()] == [4, 12]


def test_status_as_text(run, capsys):
    begin(run)
    run.event(kind="warning", message="b is left out: no label")
    training(run)
    for number in (1, 2, 3, 4):
        epoch(run, number)
    scores(run)
    training(run, KEYS[1], 12)
    steps(run, 1, 5, KEYS[1], left_run=3 * 3600 + 320)
    with locked(run.path / "lock"):
        code, out = command(capsys, status, run.path)
    lines = out.splitlines()
    assert code == 0 and lines[0].startswith(f"{run.path}: running (process {os.getpid()} on ")
    assert lines[1] == "1 of 2 trainings done, 28 % of the epochs, 3 h 5 min left"
    assert lines[2] == "Now: fold-1/gt+kl+kd, epoch 1 of 12, loss 2.000"
    assert lines[5].split() == "fold-1/teacher 4/4 4 ET 0.50 TC 0.60 WT 0.70 ET 0.71 TC 0.72 WT 0.73".split()
    assert lines[6].split() == "fold-1/gt+kl+kd 0/12 - - -".split()
    assert lines[-1] == "Warning: b is left out: no label"
    code, out = command(capsys, status, run.path)
    assert out.splitlines()[0] == f"{run.path}: killed; the last checkpoint is intact. Go on with: kdnet resume {run.path}"


def test_status_as_json(run, capsys):
    begin(run)
    training(run)
    code, out = command(capsys, status, run.path, "--json")
    found = json.loads(out)
    assert code == 0 and (found["state"], found["current"], found["planned"], found["done"]) == ("killed", KEYS[0], 2, [])


@pytest.fixture()
def meanwhile(monkeypatch):
    """What happens in the run while ``status --follow`` waits: one function after the other."""
    happenings = []
    monkeypatch.setattr(status.time, "sleep", lambda seconds: happenings.pop(0)())
    return happenings


def test_following_through_a_pipe_tells_each_epoch_once_and_ends_with_the_run(run, capsys, meanwhile):
    begin(run)
    training(run)
    lock = locked(run.path / "lock")
    lock.__enter__()
    meanwhile += [
        lambda: steps(run, 1, 5), lambda: epoch(run, 1), lambda: steps(run, 2, 1), lambda: epoch(run, 2),
        lambda: run.event(kind="run", what="stopped", message="Stopped (on request) in epoch 3 of 4; everything is saved."),
    ]  # fmt: skip
    try:
        code, out = command(capsys, status, run.path, "--follow")
    finally:
        lock.__exit__(None, None, None)
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
    lock = locked(run.path / "lock")
    meanwhile += [
        lambda: None, lambda: None, lambda: lock.__enter__(), lambda: begin(run),
        lambda: run.event(kind="run", what="finished", message=""),
    ]  # fmt: skip
    try:
        code, out = command(capsys, status, run.path, "--follow")
    finally:
        lock.__exit__(None, None, None)
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
