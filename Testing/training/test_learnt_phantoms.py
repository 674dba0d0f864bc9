"""Runs that learn generated cases beside their own."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from KDNetLib.errors import InputError
from KDNetLib.model_file import load_model
from KDNetTrainingLib.cli import running
from KDNetTrainingLib.data.cases import find_training_cases
from KDNetTrainingLib.errors import Stopped
from KDNetTrainingLib.estimate import estimate
from KDNetTrainingLib.experiment import run_plan
from KDNetTrainingLib.phantom.case import make_case
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.recorded_plan import record_plan
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.run_data import prepare
from KDNetTrainingLib.settings import settings_from
from KDNetTrainingLib.training.distributed import World
from training.generated_cases import write_cases

SETTINGS = settings_from({
    "preprocessing": "whole-brain", "spacing": 6.0, "crop": (32, 32, 32), "width": 2, "epochs": 2, "schedule": "polynomial", "inner_validation": 0.3,
    "phantoms": 2, "whole": 0.5, "seed": 4, "epochs_student": 2,
})  # fmt: skip
PLAN = Plan(("teacher", "gt+kd"), SETTINGS, "kdnet train DATA RUN --phantoms 2", test=("BraTS2021_00003",), exported=("teacher", "gt+kd"), name="taught")


def _refuse(done, total, name):
    assert done == total, f"{name} was there already"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("data"), 4)


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    run = tmp_path_factory.mktemp("run") / "run"
    running.start(PLAN, data, run, "cpu")
    return run


def test_the_student_learns_them_and_they_are_neither_tested_nor_asked(finished, data):
    phantom = "BraTS2021_90001"
    prepared = prepare(PLAN, PLAN.trainings(), data, RunFolder(finished), World(torch.device("cpu")), _refuse)
    for training, generated in zip(PLAN.trainings(), ([], [phantom, "BraTS2021_90002"]), strict=True):
        train, validation, test = prepared.split(training)
        assert [len(train), len(validation), len(test)] == [2, 1, 1] and phantom not in [*validation, *test]
        learnt, coarse = prepared.learnt(train, PLAN.settings_of(training))
        assert [case.name for case in learnt] == [*train, *generated] and not coarse
        epoch = next(event for event in RunFolder(finished).events() if event["kind"] == "steps" and event["training"] == training.key)
        assert epoch["steps"] == len(learnt)
    assert (finished / "phantoms" / phantom).is_dir() and (finished / "cache-phantoms" / phantom).is_dir()
    for name in ("data.json", "folds.json", "results.csv"):
        assert "BraTS2021_00003" in (finished / name).read_text() and phantom not in (finished / name).read_text()
    assert len(json.loads((finished / "data.json").read_text())["cases"]) == 4


def test_they_are_those_of_the_runs_own_seed(finished):
    found = find_training_cases(finished / "phantoms")[0]
    assert [case.name for case in found] == ["BraTS2021_90001", "BraTS2021_90002"]
    assert np.array_equal(found[1].read_reference(), make_case(SETTINGS.seed, 2).classes)


def test_run_and_model_say_so(finished):
    assert "Every student learns 2 generated cases besides" in (finished / "README.md").read_text()
    summary = load_model(finished / "models" / "taught.safetensors")[1].training["summary"]
    assert "on 2 cases and 2 generated ones. " in summary and "phantoms 2 (paper: 0)" in summary
    teachers = load_model(finished / "models" / "taught-teacher.safetensors")[1].training["summary"]
    assert "generated" not in teachers and "phantoms" not in teachers


def test_what_was_deleted_is_generated_again_and_gives_the_same(finished, data, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    for folder in ("phantoms", "cache-phantoms", "all"):
        shutil.rmtree(run / folder)
    running.resume(run, data, "cpu")
    scores = "all/gt+kd/scores.csv"
    assert (run / scores).read_bytes() == (finished / scores).read_bytes()


def test_a_damaged_one_is_told_and_is_no_case_left_out(finished, data, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    shutil.rmtree(run / "cache-phantoms")
    image = next((run / "phantoms" / "BraTS2021_90002").glob("*_flair.nii.gz"))
    image.write_bytes(image.read_bytes()[:5000])
    with pytest.raises(InputError, match="generated case BraTS2021_90002 in .*phantoms cannot be used .*; delete that folder and start again"):
        running.resume(run, data, "cpu")
    assert not json.loads((run / "data.json").read_text())["left_out"]


def test_stopped_while_they_are_generated_it_goes_on_from_there(data, tmp_path):
    run = tmp_path / "run"

    def stopping(event):
        if event["kind"] == "prepare" and event["name"] == "generated" and event["done"] == 1:
            RunFolder(run).request_stop()

    record_plan(PLAN, data, run)
    with pytest.raises(Stopped, match="preparing the cases; 1 of 2"):
        run_plan(PLAN, data, run, "cpu", stopping)
    written = {path: path.stat().st_mtime_ns for path in (run / "phantoms").rglob("*.nii.gz")}
    assert written
    running.resume(run, data, "cpu")
    assert len(list((run / "phantoms").glob("BraTS*"))) == 2 and all(path.stat().st_mtime_ns == since for path, since in written.items())


def test_without_a_student_none_are_generated(data, tmp_path):
    running.start(replace(PLAN, systems=("baseline",), exported=("baseline",)), data, tmp_path / "run", "cpu")
    assert not (tmp_path / "run" / "phantoms").exists() and "generated" not in (tmp_path / "run" / "README.md").read_text()


def test_the_estimate_counts_them():
    with_, without = (estimate(replace(PLAN, settings=replace(SETTINGS, phantoms=count)), 4, "cpu") for count in (98, 0))
    assert with_.seconds > 10 * without.seconds
    assert with_.disk_bytes - without.disk_bytes > 98 * 7_000_000
