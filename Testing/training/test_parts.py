"""A run that several processes share: who does what, at the same time and refused, killed and resumed, to the same scores as alone."""

import csv
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from KDNetLib.errors import InputError
from KDNetTrainingLib.cli import resume, running, status, stop
from KDNetTrainingLib.errors import Stopped
from KDNetTrainingLib.evaluation.results import read_scores
from KDNetTrainingLib.experiment import run_plan
from KDNetTrainingLib.experiment_file import read_experiment
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.lock import locked
from KDNetTrainingLib.run.part import Part, shared_lock
from KDNetTrainingLib.run.recorded_plan import record_plan
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.run.status import RunState
from KDNetTrainingLib.settings import settings_from
from KDNetTrainingLib.shares import share
from training.generated_cases import write_cases
from training.status_support import command, parsed

TINY = settings_from({
    "crop": (32, 32, 32), "spacing": 4.0, "width": 2, "epochs": 1, "learning_rate": 0.01, "schedule": "polynomial", "inner_validation": 0.3, "folds": 2,
})
PLAN = Plan(("baseline", "gt+kl+kd"), TINY, "kdnet experiment mine.json DATA RUN", exported=("gt+kl+kd",), name="mine")


def test_a_part_is_written_as_one_of_so_many():
    assert Part.parsed("2/4") == Part(2, 4) and str(Part(2, 4)) == "2/4"
    for text in ("0/2", "3/2", "1", "a/b", "1/2/3", "-1/2", "1/0", "", "1/2\n", "١/٢"):
        with pytest.raises(InputError, match="such as 1/4"):
            Part.parsed(text)


@pytest.mark.parametrize(("name", "count"), [("table1", 4), ("table2", 6), ("all", 5), ("all", 1)])
def test_each_training_is_in_one_part_and_a_teacher_with_those_it_teaches(name, count):
    plan = replace(read_experiment(Path(name), "", {}), seeds=(0, 1))
    shares = [share(plan, Part(number, count)) for number in range(1, count + 1)]
    assert sorted(training.key for each in shares for training in each) == sorted(training.key for training in plan.trainings())
    for each in shares:
        for training in each:
            assert "gt" not in training.system or training.teacher in each[: each.index(training)]
    costs = [sum(map(plan.cost, each)) for each in shares]
    assert max(costs) <= 4 / 3 * sum(costs) / count  # Graham's bound, with the mean for the best possible
    dearest = [each for each in shares if any(training.system == "gated-fusion" for training in each)]
    assert len(dearest) == (min(count, 6) if name == "all" else 0)  # 18 times the baseline: none has two while another has none


def test_the_dearest_work_goes_first_to_who_has_least():
    """Of each fold: teacher with two students 100 + 2 × 1.33 × 100 = 366, baseline 100, baseline without skips 100.

    In three parts: 366 to the first, 366 to the second, then three times 100 to the third (100, 200, 300), and the
    fourth to the third too, since 300 < 366.
    """
    plan = Plan(("baseline", "gt+kl", "gt+kd", "baseline-0skips"), settings_from({"folds": 2, "epochs": 100}), "")
    keys = [[training.key for training in share(plan, Part(number, 3))] for number in (1, 2, 3)]
    assert keys[:2] == [[f"fold-{fold}/{system}" for system in ("teacher", "gt+kl", "gt+kd")] for fold in (1, 2)]
    assert keys[2] == [f"fold-{fold}/{label}" for fold in (1, 2) for label in ("baseline", "baseline-0skips")]
    with pytest.raises(InputError, match="work for 6 part.*not for 7"):
        share(plan, Part(1, 7))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("data"), 4)


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    """The run of one process."""
    run = tmp_path_factory.mktemp("alone") / "run"
    running.start(PLAN, data, run, "cpu")
    return run


#: Carries a part out; before its first sample it says so and waits for a line.
PROGRAM = """
import sys
from pathlib import Path
import KDNetTrainingLib.training.batches as batches
from KDNetTrainingLib.cli import running
from training.test_parts import PLAN
real, asked = batches.Batches._sample, []
def waiting(self, *arguments):
    if not asked:
        asked.append(print("training", flush=True))
        sys.stdin.readline()
    return real(self, *arguments)
batches.Batches._sample = waiting
sys.exit(running.start(PLAN, Path(sys.argv[1]), Path(sys.argv[2]), "cpu", sys.argv[3]))
"""


def started(data, run, part):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, "-c", PROGRAM, str(data), str(run), part]
    return subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@pytest.fixture(scope="module")
def shared(data, tmp_path_factory):
    """A run of two parts, and what was seen of it: both at work, then the first killed and the second finished, then the first resumed."""
    run, seen = tmp_path_factory.mktemp("shared") / "run", {}
    parts = [started(data, run, part) for part in ("1/2", "2/2")]
    try:
        for process in parts:  # both are between the cases and the end of their first training
            assert process.stdout.readline() == "training\n"
        seen["working"] = RunState.read(run)
        with redirect_stdout(io.StringIO()) as printed:
            status.run(parsed(status, run))
        seen["status"] = printed.getvalue()
        for name, part in (("same", "1/2"), ("whole", None), ("other", "1/3")):
            with pytest.raises(InputError) as refused:
                running.start(PLAN, data, run, "cpu", part)
            seen[name] = str(refused.value)
        parts[0].kill()
        parts[0].wait()
        seen["printed"] = parts[1].communicate("\n", timeout=300)[0]
    finally:
        for process in parts:
            process.kill()
            process.communicate()
    seen["killed"], seen["pids"] = RunState.read(run), [process.pid for process in parts]
    running.resume(run, None, "cpu", "1/2")
    return run, seen


def test_both_parts_end_in_the_very_scores_of_one_process(alone, shared):
    run, _ = shared
    assert read_scores(run / "results.csv") == read_scores(alone / "results.csv") != []
    assert (run / "table1.csv").read_text() == (alone / "table1.csv").read_text()
    assert (run / "data.json").read_text() == (alone / "data.json").read_text()
    assert sorted(path.name for path in (run / "models").iterdir()) == ["mine-fold-1.safetensors", "mine-fold-2.safetensors"]
    for folder in ("fold-1/gt+kl+kd", "fold-2/baseline"):
        ours, theirs = (torch.load(each / folder / "best.pt", weights_only=True)["network"] for each in (run, alone))
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_the_cases_are_prepared_once_and_each_training_is_carried_out_by_its_part(shared):
    run, _ = shared
    events = {part: [json.loads(line) for line in (run / "parts" / part / "events.jsonl").read_text().splitlines()] for part in ("1-of-2", "2-of-2")}
    prepared = [event["name"] for each in events.values() for event in each if event["kind"] == "prepare"]
    assert sorted(prepared) == [f"BraTS2021_{index:05}" for index in range(4)]
    for part, number in (("1-of-2", 1), ("2-of-2", 2)):
        trained = {event["training"] for event in events[part] if event["kind"] == "epoch"}
        assert trained == {training.key for training in share(PLAN, Part(number, 2))}
    assert not (run / "events.jsonl").exists() and len(list(RunFolder(run).events())) == sum(map(len, events.values()))


def test_two_parts_work_at_once_and_nobody_else_does(shared):
    _, seen = shared
    working, pids = seen["working"], seen["pids"]
    assert working.state == "running" and [place.state for place in working.parts.values()] == ["running", "running"]
    assert [place.holder.pid for place in working.parts.values()] == pids and list(working.trainings) == [training.key for training in PLAN.trainings()]
    assert ": running (part 1/2, 2/2)\n" in seen["status"] and f"Part 2/2: running (process {pids[1]} on " in seen["status"]
    assert f"Another training (process {pids[0]} on " in seen["same"] and "1-of-2" in seen["same"]
    for name in ("whole", "other"):
        assert f"process {pids[0]} on " in seen[name] and "divides the run otherwise" in seen[name]


def test_a_killed_part_is_told_and_the_other_one_is_not_disturbed(shared):
    run, seen = shared
    assert "Part 2/2 of the run is finished" in seen["printed"]
    assert seen["killed"].state == "killed" and [place.state for place in seen["killed"].parts.values()] == ["killed", "finished"]
    assert set(seen["killed"].done) == {training.key for training in share(PLAN, Part(2, 2))}
    after = RunState.read(run)
    assert after.state == "finished" and after.fraction == 1 and len(after.done) == 6


def test_the_commands_see_the_whole_run(shared, capsys):
    run, _ = shared
    code, text = command(capsys, status, run)
    assert code == 0 and "6 of 6 trainings done" in text and "Part 1/2: finished\n" in text and "fold-2/gt+kl+kd" in text
    told = json.loads(command(capsys, status, run, "--json")[1])
    assert told["state"] == "finished" and {part: each["state"] for part, each in told["parts"].items()} == {"1/2": "finished", "2/2": "finished"}
    assert command(capsys, stop, run)[1] == f"Nothing runs in {run} (finished).\n"
    assert command(capsys, resume, run, "--part", "2/2", "--device", "cpu")[1].startswith("Part 2/2 of the run is finished")
    assert command(capsys, resume, run, "--device", "cpu")[1].startswith("The run is finished")  # the whole, in one process
    readme = (run / "README.md").read_text(encoding="utf-8")
    assert "**Finished**" in readme and "`parts`" in readme and "6 of 6 trainings done" in readme


def test_a_part_waits_for_the_cases_and_can_be_stopped_meanwhile(data, tmp_path):
    part, told = Part(1, 2), []

    def ask(event):
        told.append(event["kind"])
        if event["kind"] == "waiting":
            assert RunState.read(tmp_path).parts[part].stage == "waiting for the cases that another part prepares"
            RunFolder(tmp_path).request_stop()

    record_plan(PLAN, data, tmp_path, part)
    with locked(shared_lock(tmp_path, "cases")), pytest.raises(Stopped, match="on request.*while another part prepares"):
        run_plan(PLAN, data, tmp_path, "cpu", ask, part)
    assert told == ["waiting", "run"] and not (tmp_path / "data.json").exists()


def test_a_request_to_stop_reaches_every_part_and_one_that_has_not_begun_is_missed(tmp_path):
    whole, first = RunFolder(tmp_path), RunFolder(tmp_path, Part(1, 3))
    second = RunFolder(tmp_path, Part(2, 3))
    whole.request_stop(after_epoch=True)
    assert first.stop_after_epoch_requested and second.stop_after_epoch_requested
    first.clear_stop()
    assert not first.stop_after_epoch_requested and second.stop_after_epoch_requested
    for part in (first, second):
        part.event(kind="run", what="begin", trainings=[f"fold-{part.part.number}/baseline"], epochs=[2], planned={f"fold-{n}/baseline": 2 for n in (1, 2, 3)})
        part.event(kind="run", what="finished", message="")
    state = RunState.read(tmp_path)
    assert list(state.trainings) == [f"fold-{number}/baseline" for number in (1, 2, 3)]
    assert (state.state, state.message) == ("stopped", "Some of its parts have not begun.")
    second.event(kind="run", what="failed", message="The disk is full.")
    state.refresh()
    assert (state.state, state.message) == ("failed", "The disk is full.")


def test_seeds_are_trainings_of_their_own_in_one_table(alone, data, tmp_path):
    plan = replace(PLAN, systems=("baseline",), exported=(), seeds=(0, 1))
    running.start(plan, data, tmp_path, "cpu")
    first, second = (torch.load(tmp_path / f"fold-1-seed-{seed}/baseline/best.pt", weights_only=True)["network"] for seed in (0, 1))
    expected = torch.load(alone / "fold-1/baseline/best.pt", weights_only=True)["network"]
    assert all(torch.equal(first[name], expected[name]) for name in expected)  # seed 0 is the run that has it alone
    assert not all(torch.equal(second[name], expected[name]) for name in expected)
    rows = [row for row in read_scores(tmp_path / "results.csv") if row["space"] == "native"]
    assert sorted((row["seed"], row["case"]) for row in rows) == [(seed, f"BraTS2021_{index:05}") for seed in (0, 1) for index in range(4)]
    with open(tmp_path / "table1.csv", newline="", encoding="utf-8") as file:
        (line,) = [line for line in csv.DictReader(file) if line["system"] == "baseline"]
    of_folds = []  # by hand: mean over seeds and cases within each fold, then over the folds
    for fold in (1, 2):
        values = [row["WT_dice"] for row in rows if row["fold"] == fold]
        of_folds.append(100 * sum(values) / len(values))
    assert float(line["native_WT_dice"]) == pytest.approx(sum(of_folds) / 2, rel=1e-5)
