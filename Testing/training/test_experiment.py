"""Whole runs from a generated BraTS folder: cross-validation, killed and resumed, stopped, refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from KDNetLib.errors import InputError
from KDNetLib.labels import REGIONS
from KDNetLib.model_file import load_model
from KDNetTrainingLib.cli import running
from KDNetTrainingLib.errors import Stopped
from KDNetTrainingLib.experiment import run_plan
from KDNetTrainingLib.export import export_model
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.recorded_plan import record_plan
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import preset, preset_names, settings_from
from KDNetTrainingLib.systems.registry import SYSTEMS
from training.generated_cases import write_case, write_cases

TINY = settings_from({
    "crop": (32, 32, 32), "spacing": 4.0, "width": 2, "epochs": 2, "learning_rate": 0.01, "schedule": "polynomial", "inner_validation": 0.3,
    "least_enhancing": 0.5,
})
PLAN = Plan(("teacher", "gt+kl+kd"), TINY, "kdnet train DATA RUN", test=("BraTS2021_00004",), exported=("gt+kl+kd",), name="tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("data"), 5)


def carried_out(plan, data, run, listener=lambda event: None):
    record_plan(plan, data, run)
    run_plan(plan, data, run, "cpu", listener)


def events_of(run):
    return list(RunFolder(run).events())


def model_of(run, name="tiny"):
    return load_model(run / "models" / f"{name}.safetensors")


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    run = tmp_path_factory.mktemp("run") / "run"
    running.start(PLAN, data, run, "cpu")
    return run


def test_a_run_explains_itself(finished, data):
    run = finished
    names = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file() and "cache" not in path.parts}
    assert {"run.json", "settings.json", "origin.json", "data.json", "folds.json", "environment.json", "events.jsonl", "README.md", "results.csv",
            "table.md", "report.html", "models/tiny.safetensors"} <= names
    for training in ("all/teacher", "all/gt+kl+kd"):
        assert {f"{training}/{name}" for name in ("last.pt", "previous.pt", "best.pt", "scores.csv", "curves.png", "preview.png", "preview/preview.json")} <= names
    assert not [name for name in names if Path(name).name.startswith(".")]
    listed = json.loads((run / "data.json").read_text())
    assert len(listed["cases"]) == 5 and all(len(files) == 5 for files in listed["cases"].values())
    kinds = [event["kind"] for event in events_of(run)]
    assert kinds.count("epoch") == 4 and kinds.count("training") == 2 and kinds[-1] == "run"


def test_the_model_file_is_what_segments_and_says_what_it_is(finished):
    run = finished
    _, manifest = model_of(run)
    assert manifest.modalities == ["t1ce"] and manifest.preprocessing == {"preset": "paper", "spacing": 4.0}
    assert manifest.least_enhancing_ml == 0.5 and not manifest.mirrored
    own, teachers = manifest.measured
    assert own["cases"] == 1 and "BraTS2021_00004, held out of training" in own["dataset"] and "its teacher" in teachers["dataset"]
    scores = (run / "all/gt+kl+kd/scores.csv").read_text()
    assert "BraTS2021_00004" in scores and "BraTS2021_00001" not in scores
    assert "epochs 2 (paper: 500)" in manifest.training["summary"]


def test_the_same_command_again_does_nothing_anew(finished, data):
    run = finished
    before = (run / "all/teacher/last.pt").stat().st_mtime_ns, len([e for e in events_of(run) if e["kind"] == "epoch"])
    running.start(PLAN, data, run, "cpu")
    running.resume(run, None, "cpu")
    assert ((run / "all/teacher/last.pt").stat().st_mtime_ns, len([e for e in events_of(run) if e["kind"] == "epoch"])) == before


def test_killed_between_its_last_scores_and_the_tables_it_writes_them_when_it_goes_on(finished, data, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    expected = {name: (run / name).read_bytes() for name in ("results.csv", "table.md", "table1.csv", "boxplots.png")}
    for name in expected:
        (run / name).write_bytes(b"of the training before")
    running.resume(run, data, "cpu")
    assert {name: (run / name).read_bytes() for name in expected} == expected


def test_another_plan_or_other_data_in_the_same_folder_are_refused(finished, data, tmp_path):
    run = finished
    with pytest.raises(InputError, match="other settings"):
        running.start(replace(PLAN, settings=replace(TINY, seed=3)), data, run, "cpu")
    with pytest.raises(InputError, match="other run"):
        running.start(replace(PLAN, test=()), data, run, "cpu")
    for index in range(5):
        write_case(tmp_path, f"BraTS2021_{index:05}", seed=index + 50)
    with pytest.raises(InputError, match="BraTS2021_00000"):
        running.resume(run, tmp_path, "cpu")


PROGRAM = """
import os, signal, sys
from pathlib import Path
import KDNetTrainingLib.training.batches as batches
from KDNetTrainingLib.cli import running
from training.test_experiment import PLAN
signal_number, samples = int(sys.argv[3]), int(sys.argv[4])
real = batches.Batches._sample
def dying(self, *arguments):
    global samples
    samples -= 1
    if samples == 0:
        os.kill(os.getpid(), signal_number)
    return real(self, *arguments)
batches.Batches._sample = dying
try:
    sys.exit(running.start(PLAN, Path(sys.argv[1]), Path(sys.argv[2]), "cpu"))
except Exception as error:
    print(type(error).__name__, error)
    sys.exit(3)
"""


def started(data, run, number, samples):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", PROGRAM, str(data), str(run), str(int(number)), str(samples)], env=environment, capture_output=True, text=True)


@pytest.mark.skipif(os.name != "posix", reason="a kill without warning is a signal of POSIX")
def test_killed_and_terminated_runs_go_on_to_the_very_same_model(finished, data, tmp_path):
    """kill -9 in the teacher's second epoch, SIGTERM in the student's first, then to the end."""
    run = tmp_path / "run"
    assert started(data, run, signal.SIGKILL, 5).returncode == -signal.SIGKILL
    assert [event["epoch"] for event in events_of(run) if event["kind"] == "epoch"] == [1]
    terminated = started(data, run, signal.SIGTERM, 5)
    assert terminated.returncode == 3 and "Stopped" in terminated.stdout and f"kdnet resume {run}" in terminated.stdout
    assert torch.load(run / "all/gt+kl+kd/last.pt", weights_only=True)["step"] > 0  # saved in the middle of the epoch
    assert started(data, run, signal.SIGTERM, 0).returncode == 0
    expected, found = (model_of(each)[0].state_dict() for each in (finished, run))
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert (run / "all/gt+kl+kd/scores.csv").read_text() == (finished / "all/gt+kl+kd/scores.csv").read_text()


def test_a_second_ctrl_c_is_a_stop_too(data, tmp_path):
    run = RunFolder(tmp_path / "run")

    def press_twice(event):
        if event["kind"] == "epoch":
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Stopped, match="in the middle of a step; the last checkpoint is intact"):
        carried_out(PLAN, data, run.path, press_twice)
    assert list(run.events())[-1]["what"] == "stopped"


def test_a_card_lists_few_cases_by_name_so_that_a_run_of_thousands_has_one(tmp_path):
    names = [f"BraTS-GLI-{index:05}-100" for index in range(20_000)]
    rows = [{"case": name, "space": "native", **{f"{region}_dice": 0.5 for region in REGIONS}} for name in names]
    plan = replace(PLAN, test=tuple(names[:500]), command=f"kdnet train DATA RUN --test {' '.join(names[:500])}")
    training = plan.trainings()[0]
    path = export_model(tmp_path, plan, training, SYSTEMS["teacher"].make(TINY, None), rows, rows, 20_000, True)
    dataset = load_model(path)[1].measured[0]["dataset"]
    assert names[19] in dataset and names[20] not in dataset and "and 19980 more, held out of training" in dataset


def test_a_stop_request_ends_it_and_the_next_start_forgets_it(data, tmp_path):
    run = RunFolder(tmp_path / "run")

    def ask(event):
        if event["kind"] == "epoch":
            run.request_stop()

    with pytest.raises(Stopped, match="on request.*after epoch 1 of 2"):
        carried_out(PLAN, data, run.path, ask)
    assert list(run.events())[-1]["what"] == "stopped"
    carried_out(PLAN, data, run.path)
    assert list(run.events())[-1]["what"] == "finished"


def test_a_stop_after_the_epoch_finishes_and_scores_what_has_no_other_epoch_left(data, tmp_path):
    run = RunFolder(tmp_path / "run")

    def ask(event):
        if event["kind"] == "epoch" and event["epoch"] == 2:
            run.request_stop(after_epoch=True)

    with pytest.raises(Stopped, match=r"on request\) before all/gt\+kl\+kd"):
        carried_out(PLAN, data, run.path, ask)
    assert [event["training"] for event in run.events() if event["kind"] == "scores"] == ["all/teacher"]


def test_a_prolonged_run_is_scored_and_exported_anew_also_after_a_stop(data, tmp_path):
    plan = replace(PLAN, settings=replace(TINY, epochs_teacher=1, epochs=1))
    carried_out(plan, data, tmp_path)
    first = model_of(tmp_path)[1].sha256
    longer = replace(plan, settings=replace(plan.settings, epochs=2))

    def stop_at_the_end(event):
        if event["kind"] == "epoch" and event["epoch"] == 2:
            RunFolder(tmp_path).request_stop()  # after the last checkpoint, before the scores

    with pytest.raises(Stopped, match="while scoring"):
        carried_out(longer, data, tmp_path, stop_at_the_end)
    assert not (tmp_path / "all/gt+kl+kd/scores.csv").exists()
    running.resume(tmp_path, None, "cpu")
    assert (tmp_path / "all/gt+kl+kd/scores.csv").exists() and model_of(tmp_path)[1].sha256 != first
    with pytest.raises(InputError, match="other settings .*epochs_teacher"):
        record_plan(replace(plan, settings=replace(plan.settings, epochs_teacher=2)), data, tmp_path)


def test_a_refused_command_leaves_the_run_as_it_was_and_a_failed_start_can_be_put_right(finished, data, tmp_path):
    write_case(tmp_path / "other", "BraTS2021_00077")
    before = (finished / "origin.json").read_bytes()
    with pytest.raises(InputError, match="does not hold the cases|no complete case"):
        running.start(PLAN, tmp_path / "other", finished, "cpu")
    assert (finished / "origin.json").read_bytes() == before
    many = Plan(("baseline",), replace(TINY, folds=9, epochs=1), "")
    with pytest.raises(InputError, match="cannot be split into 9 folds"):
        carried_out(many, data, tmp_path / "run")
    record_plan(replace(many, settings=replace(TINY, folds=2, epochs=1)), data, tmp_path / "run")
    assert RunFolder(tmp_path / "run").read("settings")["folds"] == 2


def test_cross_validation_tests_every_case_once_and_compares_the_systems(data, tmp_path):
    settings = replace(TINY, folds=2, epochs=1)
    plan = Plan(("baseline", "gt+kl", "gt+kd", "gt+kl+kd"), settings, "kdnet experiment", exported=("baseline", "gt+kl+kd"), name="cv")
    carried_out(plan, data, tmp_path)
    from KDNetTrainingLib.evaluation.results import read_scores

    rows = read_scores(tmp_path / "results.csv")
    for system in ("baseline", "teacher", "gt+kl", "gt+kd", "gt+kl+kd"):
        for space in ("native", "crop"):
            names = sorted(row["case"] for row in rows if row["system"] == system and row["space"] == space)
            assert names == [f"BraTS2021_{index:05}" for index in range(5)]
    table = (tmp_path / "table.md").read_text()
    assert all(name in table for name in ("Baseline", "Teacher", "GT+KL+KD", "71.67"))
    models = sorted(path.stem for path in (tmp_path / "models").iterdir())
    assert models == ["cv-baseline-fold-1", "cv-baseline-fold-2", "cv-gt-kl-kd-fold-1", "cv-gt-kl-kd-fold-2"]
    folds = json.loads((tmp_path / "folds.json").read_text())["folds"]
    assert sorted(name for fold in folds for name in fold) == [f"BraTS2021_{index:05}" for index in range(5)]


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_trains(data, tmp_path, name):
    """Made small: everything else of the preset (losses, masks, augmentation, schedule, warm start) as it is."""
    small = {"crop": (32, 32, 32), "spacing": 4.0, "width": 2, "epochs": 1, "epochs_teacher": 1, "epochs_student": 1}
    carried_out(Plan(("gt+kl+kd",), settings_from(small, preset(name)), "", exported=("gt+kl+kd",), name="tiny"), data, tmp_path)
    [event] = [event for event in events_of(tmp_path) if event["kind"] == "epoch" and event["training"] == "all/gt+kl+kd"]
    assert set(event["train"]) == {"loss", "gt", "kd", "kl"} and all(0 < value < 100 for value in event["train"].values())
    assert model_of(tmp_path)[1].preprocessing["preset"] == preset(name).preprocessing


def test_a_second_process_in_the_same_folder_is_refused(data, tmp_path):
    def begin_again(event):
        if event["kind"] == "steps":
            with pytest.raises(InputError, match="Another training .* works in"):
                carried_out(PLAN, data, tmp_path)
            RunFolder(tmp_path).request_stop()

    with pytest.raises(Stopped):
        carried_out(PLAN, data, tmp_path, begin_again)
    # What it was refused did not end the first one's events.
    assert [event["what"] for event in events_of(tmp_path) if event["kind"] == "run"] == ["begin", "stopped"]


def test_unknown_test_cases_and_nothing_left_to_train_on_are_said(data, tmp_path):
    with pytest.raises(InputError, match="no complete case nobody"):
        carried_out(replace(PLAN, test=("nobody",)), data, tmp_path / "1")
    everything = tuple(f"BraTS2021_{index:05}" for index in range(5))
    with pytest.raises(InputError, match="No case is left to train all.teacher"):
        carried_out(replace(PLAN, test=everything), data, tmp_path / "2")
