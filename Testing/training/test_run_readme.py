"""The README of a run says what its files hold; and what is written down about the machine."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from KDNetLib.errors import InputError
from KDNetTrainingLib.run.recorded_plan import record_plan
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run import environment as environment_module
from KDNetTrainingLib.run.environment import environment
from KDNetTrainingLib.run.lock import locked
from KDNetTrainingLib.run.readme import write_readme
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import Settings

COMMAND = "kdnet train DATA RUN --preset paper --epochs 4"
CHANGED = replace(Settings(), epochs=4, crop=(32, 48, 32))
PLAN = Plan(("teacher", "gt+kl+kd"), CHANGED, COMMAND, test=("BraTS_4",), name="mine", exported=("gt+kl+kd",))
KEYS = ["all/teacher", "all/gt+kl+kd"]


def started(path, plan=PLAN):
    record_plan(plan, path / "data", path / "run")
    return RunFolder(path / "run")


def train(run):
    """What a run leaves that ended in the student's training."""
    run.write("data", {"cases": {"BraTS_1": {}, "BraTS_2": {}, "BraTS_4": {}}, "left_out": {"BraTS_3": "It has no reference."}})
    run.write("folds", {"test": ["BraTS_4"]})
    run.event(kind="warning", message="BraTS_3 is left out: It has no reference.")
    run.event(kind="run", what="begin", trainings=KEYS, epochs=[4, 4])
    dice = {"ET": 0.5, "TC": 0.6, "WT": 0.7}
    for key, last in zip(KEYS, (4, 2)):
        run.event(kind="training", training=key, fold=0, system="teacher", epochs=4, cases=2, validation=1, from_epoch=0)
        for epoch in range(1, last + 1):
            validation = {"loss": 1.0, **dice}
            run.event(kind="epoch", training=key, epoch=epoch, epochs=4, train={"loss": 1.0}, validation=validation, best=epoch < 3, left_run=9,
                      learning_rate=1e-4, seconds=20, gpu_gb=None)  # fmt: skip
    run.event(kind="scores", training=KEYS[0], cases=1, native={"ET": 0.81, "TC": 0.82, "WT": 0.83}, crop=dice)
    run.event(kind="warning", training=KEYS[1], message="Memory does not suffice for the whole batch.")
    run.event(kind="run", what="stopped", message="Stopped (on request) in epoch 3 of 4; everything is saved.")
    (run.folder(KEYS[0]) / "curves.png").touch()
    (run.path / "table.md").write_text("# Comparison\n\n| System | ET |\n|---|---|\n| teacher | 81.0 |\n")
    for name in ("mine-teacher", "mine"):
        run.folder("models").joinpath(f"{name}.safetensors").touch()


def text_of(run):
    write_readme(run)
    return (run.path / "README.md").read_text(encoding="utf-8")


def test_everything_that_a_run_left_is_in_it(tmp_path):
    run = started(tmp_path)
    with locked(run.path / "lock"):  # the run itself writes it, before it ends
        train(run)
        text = text_of(run)
    for expected in (
        "# mine: a training of KD-Net", "research use only", COMMAND,
        "**Stopped** on 20", "1 of 2 trainings done, 75 % of the epochs. Stopped (on request) in epoch 3 of 4; everything is saved.",
        "| all/teacher | 4 of 4 | 2 | 0.500 / 0.600 / 0.700 | 0.810 / 0.820 / 0.830 |", "| all/gt+kl+kd | 2 of 4 | 2 | 0.500 / 0.600 / 0.700 | – |",
        "Warning: Memory does not suffice for the whole batch.", "### Comparison", "| teacher | 81.0 |",
        "[all/teacher/curves.png](all/teacher/curves.png)", "| teacher | t1, t1ce, t2, flair |", "| gt+kl+kd | t1ce |",
        "| epochs | 4 | 500 |", "| crop | 32, 48, 32 | 64, 64, 64 |",
        f"3 cases under {tmp_path / 'data'}; 1 left out.", "- BraTS_3 is left out: It has no reference.", "seen by no training: BraTS_4.", "20 %",
        "`data.json`", "`models`", "kdnet segment SCAN --model RUN/models/mine.safetensors -o OUT", "kdnet resume RUN",
    ):  # fmt: skip
        assert expected in text, expected
    assert text.count("left out: It has no reference") == 1
    assert "environment.json" not in text and "| learning_rate |" not in text  # no file that is not there, no parameter that is the paper's


def test_a_run_that_has_only_begun_says_so(tmp_path):
    text = text_of(started(tmp_path, Plan(("baseline",), Settings(), COMMAND)))
    assert "**Not started**" in text and "not prepared yet" in text and "Every parameter is the paper's." in text
    assert "## Results" not in text and "## Pictures" not in text and "kdnet segment" not in text


def test_cross_validation_and_many_cases_left_out(tmp_path):
    run = started(tmp_path, Plan(("baseline", "baseline-0skips"), Settings(folds=3), COMMAND))
    run.write("data", {"cases": dict.fromkeys(map(str, range(8)), {}), "left_out": {f"bad-{n:02}": "It is empty." for n in range(40)}})
    run.write("folds", {"folds": [["0", "1", "2"], ["3", "4", "5"], ["6", "7"]]})
    text = text_of(run)
    assert "in 3 folds (3, 3, 2 test cases)" in text and text.count("It is empty.") == 30 and "- and 10 more" in text
    assert "| baseline | t1ce |" in text and "| baseline-0skips | t1ce |" in text


def test_what_chooses_the_epoch_is_told_from_the_trainings_themselves(tmp_path):
    def text_with(folder, settings, counts, test):
        run = started(tmp_path / folder, Plan(("teacher", "gt+kl+kd"), settings, COMMAND, test=test))
        run.write("data", {"cases": {"a": {}, "b": {}}, "left_out": {}})
        run.write("folds", {"test": list(test)})
        run.event(kind="run", what="begin", trainings=KEYS, epochs=[4, 4])
        for key, count in zip(KEYS, counts):
            run.event(kind="training", training=key, fold=0, system="teacher", epochs=4, cases=2, validation=count, from_epoch=0)
        return text_of(run)

    polynomial = replace(CHANGED, schedule="polynomial")
    text = text_with("none", polynomial, (0, 0), ())  # too few patients
    assert "so no Dice is given" in text and "No case chooses the epoch" in text and "Of the training cases" not in text and "also chose" not in text
    text = text_with("off", replace(polynomial, inner_validation=0.0), (), ("b",))
    assert "No case chooses the epoch" in text and "Of the training cases" not in text and "no Dice" not in text
    text = text_with("all", polynomial, (1, 1), ())
    assert "20 % choose the epoch and the schedule and are not trained on." in text and "also chose the epoch" in text
    assert "20 % are to choose the epoch" in text_with("before", polynomial, (), ())
    assert "not trained on, except in all/gt+kl+kd: too few" in text_with("some", polynomial, (1, 0), ())


def test_a_folder_that_is_no_run_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="lacks one of run.json"):
        write_readme(RunFolder(tmp_path))
    run = started(tmp_path)
    run.write("origin", {"data": "/d"})
    with pytest.raises(InputError, match="or it is damaged"):
        write_readme(run)


def test_the_environment_is_plain_and_names_nobody():
    found = environment()
    assert json.loads(json.dumps(found)) == found
    assert found["packages"]["torch"] == torch.__version__ and found["cores"] >= 1 and found["memory_gb"] > 0 and found["cpu"]
    assert str(Path.home()) not in json.dumps(found)


def test_the_commit_is_the_checkouts(tmp_path, monkeypatch):
    def git(*arguments):
        done = subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    copy = tmp_path / "environment.py"
    copy.write_text("1")
    monkeypatch.setattr(environment_module, "__file__", str(copy))
    assert environment_module._commit() is None
    git("init")
    git("commit", "--allow-empty", "-m", "of something else")
    assert environment_module._commit() is None  # installed inside a foreign repository
    git("add", ".")
    git("commit", "-m", "with this file")
    assert environment_module._commit() == git("rev-parse", "HEAD")
    copy.write_text("2")
    assert environment_module._commit() == git("rev-parse", "HEAD") + "+changes"
