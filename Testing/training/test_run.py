"""Teacher, then student: the teacher stays as it is, a killed run goes on to the very same weights, a run is one run."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from training.generated_cases import write_case
from KDNetLib.errors import InputError
from KDNetTrainingLib.data.cache import cached_case
from KDNetTrainingLib.data.cases import find_training_cases
from KDNetTrainingLib.systems.distillation import new_network, train_student, train_teacher
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import Settings

SETTINGS = Settings(epochs_teacher=3, epochs_student=3, learning_rate=1e-2, width=2, spacing=8.0, crop=(32, 32, 32))


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    for index in range(2):
        write_case(folder / "data", f"BraTS2021_0000{index}", index)
    return [cached_case(case, folder / "cache", SETTINGS.spacing) for case in find_training_cases(folder / "data")[0]]


@pytest.fixture(scope="module")
def trained(cases, tmp_path_factory):
    """An uninterrupted run: its folder, the teacher, the teacher's weights before the student, and the student."""
    run = RunFolder(tmp_path_factory.mktemp("run"))
    teacher = train_teacher(cases, SETTINGS, run)
    for parameter in teacher.parameters():
        parameter.grad = None  # its own training's last one
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    return run, teacher, before, train_student(teacher, cases, SETTINGS, run)


def same(first, second) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_teacher_is_unchanged_frozen_and_in_evaluation_mode(trained):
    _, teacher, before, student = trained
    assert same(teacher.state_dict(), before)
    assert not teacher.training and all(not p.requires_grad and p.grad is None for p in teacher.parameters())
    assert not student.training


def test_both_learn(trained, cases):
    run, teacher, _, student = trained
    events = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    assert [(e["stage"], e["epoch"]) for e in events] == [(stage, epoch) for stage in ("teacher", "student") for epoch in (1, 2, 3)]
    for stage in ("teacher", "student"):
        losses = [e["loss"] for e in events if e["stage"] == stage]
        assert losses[-1] < losses[0]
    for e in events[3:]:
        total = SETTINGS.imitation * e["kd"] + (1 - SETTINGS.imitation) * e["gt"] + SETTINGS.alpha * e["kl"]
        assert e["loss"] == pytest.approx(total, abs=2e-3)
    assert not same(student.state_dict(), new_network(1, SETTINGS).state_dict())


def test_the_seed_decides_everything(cases, trained, tmp_path):
    torch.manual_seed(99)
    again = train_teacher(cases, SETTINGS, RunFolder(tmp_path / "same"))
    assert same(again.state_dict(), trained[2])
    other = train_teacher(cases, replace(SETTINGS, seed=1), RunFolder(tmp_path / "other"))
    assert not same(other.state_dict(), trained[2])


def test_student_may_start_as_the_teacher(trained, cases, tmp_path):
    _, teacher, before, _ = trained
    student = train_student(teacher, cases, replace(SETTINGS, student_from_teacher=True, epochs_student=0), RunFolder(tmp_path))
    weights = student.state_dict()
    first = "encoder.0.0.0.weight"
    assert torch.equal(weights[first], before[first][:, 1:2])  # T1ce is the second modality
    assert all(torch.equal(weights[key], before[key]) for key in before if key != first)
    assert same(teacher.state_dict(), before)


PROGRAM = """
import os, signal, sys
from pathlib import Path
from KDNetTrainingLib.training import trainer
from KDNetTrainingLib.data.cache import CachedCase
from KDNetTrainingLib.systems.distillation import train_student, train_teacher
from KDNetTrainingLib.run.run_folder import RunFolder
import numpy as np
from training.test_run import SETTINGS
run, steps = RunFolder(sys.argv[1]), int(sys.argv[2])
cases = [CachedCase(name, np.load(images, mmap_mode="r"), np.load(classes, mmap_mode="r")) for name, images, classes in zip(*[iter(sys.argv[3:])] * 3)]
real = trainer._sample
def dying(*arguments):
    global steps
    steps -= 1
    if steps < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)
trainer._sample = dying
train_student(train_teacher(cases, SETTINGS, run), cases, SETTINGS, run)
"""


@pytest.mark.skipif(os.name != "posix", reason="a kill without warning is a signal of POSIX")
def test_a_killed_run_goes_on_to_the_very_same_weights(trained, cases, tmp_path):
    """Killed in the middle of the teacher's third epoch, then in the student's second; the last process finishes."""
    _, _, teacher_weights, student = trained
    given = [text for case in cases for text in (case.name, case.images.filename, case.classes.filename)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for steps, ended in ((5, -signal.SIGKILL), (3, -signal.SIGKILL), (1000, 0)):
        done = subprocess.run([sys.executable, "-c", PROGRAM, tmp_path, str(steps), *map(str, given)], env=environment)
        assert done.returncode == ended
    run = RunFolder(tmp_path)
    assert run.load("teacher")["epoch"] == 3 and run.load("student")["epoch"] == 3
    assert same(run.load("teacher")["network"], teacher_weights)
    assert same(run.load("student")["network"], student.state_dict())
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(cases, tmp_path):
    run = RunFolder(tmp_path)
    train_teacher(cases, replace(SETTINGS, epochs_teacher=1), run)
    saved = (tmp_path / "teacher.pt").read_bytes()
    broken = [replace(case, images=case.images * float("nan")) for case in cases]
    with pytest.raises(FloatingPointError, match="teacher is not a number in epoch 2"):
        train_teacher(broken, replace(SETTINGS, epochs_teacher=2), run)
    assert (tmp_path / "teacher.pt").read_bytes() == saved


def test_a_run_folder_keeps_to_its_settings(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.record("settings", SETTINGS.as_dict())
    run.record("settings", SETTINGS.as_dict())
    with pytest.raises(InputError, match="other settings"):
        run.record("settings", replace(SETTINGS, width=4).as_dict())
    assert run.load("teacher") is None


def test_a_failed_save_keeps_the_checkpoint_before(tmp_path):
    run = RunFolder(tmp_path)
    run.save("teacher", {"epoch": 1})
    with pytest.raises(Exception, match="pickle"):
        run.save("teacher", {"epoch": 2, "what": lambda: None})
    assert run.load("teacher") == {"epoch": 1}


def test_a_checkpoint_cannot_run_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    torch.save({"epoch": Evil()}, tmp_path / "teacher.pt")
    with pytest.raises(Exception, match="(?i)weights.only|unsupported"):
        RunFolder(tmp_path).load("teacher")
    assert not (tmp_path / "written").exists()


def test_a_run_keeps_its_settings_but_may_be_prolonged(tmp_path):
    folder = RunFolder(tmp_path)
    folder.record("settings", {"epochs_student": 2, "width": 4})
    folder.record("settings", {"epochs_student": 3, "width": 4}, may_grow=("epochs_student",))
    assert json.loads((tmp_path / "settings.json").read_text())["epochs_student"] == 3
    for other in ({"epochs_student": 1, "width": 4}, {"epochs_student": 3, "width": 8}):
        with pytest.raises(InputError, match="other settings"):
            folder.record("settings", other, may_grow=("epochs_student",))
