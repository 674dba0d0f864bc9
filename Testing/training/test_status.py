"""How far a run is, told from its events and its lock; and the command ``kdnet status``."""

import json
import os

import pytest

from KDNetLib.errors import InputError
from KDNetTrainingLib.cli import status, stop
from KDNetTrainingLib.run.curves import curves_on
from KDNetTrainingLib.run.lock import locked
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.run.status import RunState
from KDNetTrainingLib.run.svg_canvas import SvgCanvas
from training.status_support import *  # noqa: F403
from training.status_support import DICE, KEYS, begin, command, epoch, parsed, scores, steps, training


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
