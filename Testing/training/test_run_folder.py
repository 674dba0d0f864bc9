"""The run folder's files: atomic, the same for a resumed run, readable after a kill."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from KDNetLib.errors import InputError
from KDNetTrainingLib.cli.running import start
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.event_log import EventLog
from KDNetTrainingLib.run.recorded_plan import record_plan
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import Settings


@pytest.fixture()
def run(tmp_path):
    return RunFolder(tmp_path / "a" / "run")


def test_what_is_recorded_is_read(run):
    assert run.read("run") is None
    run.record("run", {"systems": ("teacher", "é"), "folds": 3})
    assert run.read("run") == {"systems": ["teacher", "é"], "folds": 3}
    assert [path.name for path in run.path.iterdir()] == ["run.json"]


def test_a_run_goes_on_with_the_same_only(run):
    run.record("settings", {"epochs": 5, "rate": 0.1, "crop": (1, 2)}, may_grow=("epochs",))
    run.record("settings", {"epochs": 5, "rate": 0.1, "crop": (1, 2)}, may_grow=("epochs",))
    run.record("settings", {"epochs": 8, "rate": 0.1, "crop": (1, 2)}, may_grow=("epochs",))
    assert run.read("settings")["epochs"] == 8
    for other, named in [({"epochs": 7, "rate": 0.1, "crop": (1, 2)}, "epochs"), ({"epochs": 9, "rate": 0.2}, "crop, rate")]:
        with pytest.raises(InputError, match=rf"holds a run with other settings \({named}\)"):
            run.record("settings", other, may_grow=("epochs",))
    assert run.read("settings") == {"epochs": 8, "rate": 0.1, "crop": [1, 2]}


def test_a_run_that_began_before_a_parameter_existed_goes_on_without_it(run):
    settings = replace(Settings(), schedule="polynomial")
    plan = Plan(("baseline",), settings, "kdnet experiment")
    record_plan(plan, run.path, run.path)
    run.write("data", {"cases": {}, "left_out": {}})
    run.write("settings", {name: value for name, value in run.read("settings").items() if name != "coarse"})
    with pytest.raises(InputError, match=r"other settings \(coarse\)"):
        record_plan(replace(plan, settings=replace(settings, coarse=0.5)), run.path, run.path)
    record_plan(plan, run.path, run.path)
    assert run.read("settings") == settings.as_dict()


def test_a_folder_with_other_files_is_left_as_it_is(tmp_path):
    plan = Plan(("baseline",), Settings(), "kdnet experiment")
    (tmp_path / "README.md").write_text("my own")
    with pytest.raises(InputError, match=r"holds other files \(such as README.md\); choose an empty or a new folder"):
        record_plan(plan, tmp_path, tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("README.md", "my own")]


def test_another_part_may_begin_the_run_at_the_same_time(tmp_path, monkeypatch):
    plan, listed = Plan(("baseline",), replace(Settings(), folds=2), "kdnet experiment"), Path.iterdir
    (tmp_path / ".123-run.json").write_text("half")  # of a part that was killed, or is just writing

    def while_the_other_writes(folder):
        if folder == tmp_path and not (folder / "run.json").exists():
            monkeypatch.setattr(Path, "iterdir", listed)
            record_plan(plan, tmp_path, tmp_path)
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", while_the_other_writes)
    record_plan(plan, tmp_path, tmp_path)
    assert RunFolder(tmp_path).read("settings")["folds"] == 2


def test_trainings_copied_from_another_run_may_be_there(tmp_path):
    (tmp_path / "fold-2" / "teacher").mkdir(parents=True)
    record_plan(Plan(("gt+kd",), replace(Settings(), folds=2), "kdnet experiment"), tmp_path, tmp_path)
    assert (tmp_path / "run.json").exists()


def test_nothing_is_written_where_there_are_no_cases(tmp_path):
    (tmp_path / "data").mkdir()
    for data, what in (("data", "holds no BraTS case"), ("nowhere", "There is no folder")):
        with pytest.raises(InputError, match=what):
            start(Plan(("baseline",), Settings(), "kdnet experiment"), tmp_path / data, tmp_path / "run", "cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_what_may_change_is_written_over(run):
    run.write("environment", {"cores": 2})
    run.write("environment", {"cores": 4})
    assert run.read("environment") == {"cores": 4}


@pytest.mark.parametrize("content", [b"{\"a\": ", b"\xff\xfe", b"[1]", b""])
def test_a_damaged_file_is_named(run, content):
    (run.path / "run.json").write_bytes(content)
    for use in (lambda: run.read("run"), lambda: run.record("run", {"a": 1})):
        with pytest.raises(InputError, match="run.json .*another folder"):
            use()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be made"):
        RunFolder(tmp_path / "file" / "run")


def test_events_are_lines_with_their_time(run):
    assert list(run.events()) == []
    before = time.time()
    run.event(kind="run", what="failed", message="é\nü")
    run.event(kind="another", train={"loss": 0.5})
    first, second = run.events()
    assert (first["kind"], first["message"]) == ("run", "é\nü") and second["train"] == {"loss": 0.5}
    assert before - 0.001 <= first["time"] <= second["time"] <= time.time() + 0.001
    lines = (run.path / "events.jsonl").read_bytes().splitlines()
    assert [json.loads(line) for line in lines] == [first, second]


def test_a_line_torn_by_a_kill_costs_itself_only(run):
    for epoch in (1, 2):
        run.event(kind="another", epoch=epoch)
    path = run.path / "events.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    assert [event["epoch"] for event in run.events()] == [1]
    run.event(kind="another", epoch=3)
    assert [event["epoch"] for event in run.events()] == [1, 3]


def test_a_reader_gets_what_was_added_and_no_half_line(run):
    log, path = EventLog(run.path / "events.jsonl"), run.path / "events.jsonl"
    assert list(log.new()) == []
    run.event(kind="another", epoch=1)
    assert [event["epoch"] for event in log.new()] == [1] and list(log.new()) == []
    run.event(kind="another", epoch=2)
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    assert list(log.new()) == []
    path.write_bytes(whole + b"\n[]\n")
    assert [event["epoch"] for event in log.new()] == [2] and list(log.new()) == []


def test_a_stop_is_asked_for_and_taken_back(run):
    assert not run.stop_requested
    run.request_stop()
    run.request_stop()
    assert run.stop_requested and RunFolder(run.path).stop_requested
    run.clear_stop()
    run.clear_stop()
    assert not run.stop_requested


def test_a_stop_after_the_epoch_is_another_request_and_the_last_one_counts(run):
    def asked():
        return run.stop_requested, run.stop_after_epoch_requested

    run.request_stop(after_epoch=True)
    assert asked() == (False, True)
    run.request_stop()
    assert asked() == (True, False)
    run.request_stop(after_epoch=True)
    run.clear_stop()
    assert asked() == (False, False)
    (run.path / "stop").touch()  # by hand
    assert asked() == (True, False)


def test_each_training_has_its_folder(run):
    folder = run.folder("fold-1/gt+kl+kd")
    assert folder.is_dir() and folder == run.path / "fold-1" / "gt+kl+kd" == run.folder("fold-1/gt+kl+kd")
