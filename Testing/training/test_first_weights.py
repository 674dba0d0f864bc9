"""A student that begins with the weights of the baseline: which is trained first, in the same part, and stays as it was."""

import shutil
from dataclasses import replace

import pytest
import torch

from KDNetLib.errors import InputError
from KDNetLib.model_file import load_model
from KDNetTrainingLib.cli import running
from KDNetTrainingLib.evaluation.rebuilt import trained
from KDNetTrainingLib.evaluation.results import scores_path
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.part import Part
from KDNetTrainingLib.run.recorded_plan import record_plan
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import settings_from
from KDNetTrainingLib.shares import share
from KDNetTrainingLib.systems.registry import SYSTEMS
from KDNetTrainingLib.systems.taught import TaughtSystem
from KDNetTrainingLib.training.checkpoints import Checkpoints
from training.generated_cases import write_cases

TINY = settings_from({
    "crop": (32, 32, 32), "spacing": 4.0, "width": 2, "epochs": 1, "epochs_teacher": 1, "learning_rate": 0.01, "schedule": "polynomial",
    "inner_validation": 0.3, "student_from_baseline": True,
})


def keys(trainings):
    return [training.key for training in trainings]


@pytest.mark.parametrize("name", [name for name, entry in SYSTEMS.items() if entry.taught])
def test_a_student_takes_all_weights_that_are_its_own_to_train(name):
    teacher = SYSTEMS["teacher"].make(TINY, None).network
    baseline = SYSTEMS["baseline"].make(replace(TINY, seed=5), None).network
    system = SYSTEMS[name].make(TINY, teacher)
    fixed = {key: weights.clone() for key, weights in system.network.named_parameters() if not weights.requires_grad}
    system.begin_with(baseline)
    expected = baseline.state_dict() | fixed
    assert bool(fixed) == (name == "shared-layers")
    assert all(torch.equal(weights, expected[key]) for key, weights in system.network.state_dict().items())


def test_the_mean_of_first_and_last_weights_is_deployed_and_the_last_are_trained_on():
    system = SYSTEMS["gt+kd"].make(replace(TINY, mean_with_baseline=True), SYSTEMS["teacher"].make(TINY, None).network)
    assert system.deployed is system.network, "nothing to average with before it begins"
    baseline = SYSTEMS["baseline"].make(replace(TINY, seed=5), None).network
    system.begin_with(baseline)
    with torch.no_grad():
        for weights in system.network.parameters():
            weights.add_(3.0)
    found, first, last = system.deployed.state_dict(), baseline.state_dict(), system.network.state_dict()
    for key, weights in first.items():
        torch.testing.assert_close(found[key], weights + 1.5)
        torch.testing.assert_close(last[key], weights + 3.0)
    assert not any(weights.requires_grad for weights in system.deployed.parameters()) and set(system.state_dict()) == {f"network.{key}" for key in first}


def test_one_begins_with_one_network():
    with pytest.raises(InputError, match="give student_from_baseline with mean_with_baseline"):
        replace(TINY, student_from_baseline=False, mean_with_baseline=True)
    with pytest.raises(InputError, match="one of student_from_teacher and student_from_baseline"):
        replace(TINY, student_from_teacher=True)


def test_the_baseline_goes_before_the_student_once():
    plan = Plan(("gt+kd", "gt+kl+kd-0skips", "gt+kl", "baseline"), replace(TINY, folds=2), "")
    assert keys(plan.trainings())[:7] == [
        f"fold-1/{label}" for label in ("baseline", "teacher", "gt+kd", "baseline-0skips", "teacher-0skips", "gt+kl+kd-0skips", "gt+kl")
    ]
    assert len(plan.trainings()) == 14
    given = replace(TINY, teacher_model="teacher.safetensors")
    assert keys(Plan(("gt+kd",), given, "").trainings()) == ["all/baseline", "all/gt+kd"]


def test_a_part_holds_all_that_its_students_need():
    plan = Plan(("gt+kl", "gt+kd", "hemis"), replace(TINY, folds=2), "")
    shares = [keys(share(plan, Part(number, 4))) for number in range(1, 5)]
    assert sorted(shares) == sorted([[f"fold-{fold}/{system}" for system in ("baseline", "teacher", "gt+kl", "gt+kd")] for fold in (1, 2)]
                                    + [[f"fold-{fold}/hemis"] for fold in (1, 2)])  # fmt: skip
    with pytest.raises(InputError, match="work for 4 part"):
        share(plan, Part(1, 5))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("data"), 4)


def test_a_run_gives_the_student_the_weights_of_its_own_baseline_also_when_resumed(data, tmp_path, monkeypatch):
    begun, original = [], TaughtSystem.begin_with

    def begin_with(system, baseline):
        original(system, baseline)
        begun.append({key: weights.clone() for key, weights in system.network.state_dict().items()})

    monkeypatch.setattr(TaughtSystem, "begin_with", begin_with)
    run = tmp_path / "run"
    plan = Plan(("gt+kd",), TINY, "", name="x", exported=("baseline", "teacher", "gt+kd"), seeds=(3,))
    running.start(plan, data, run, "cpu")
    shutil.rmtree(run / "all/gt+kd")
    running.resume(run, None, "cpu")
    given = replace(plan, settings=replace(TINY, teacher_model=str(run / "models/x-teacher.safetensors")), exported=("baseline", "gt+kd"))
    running.start(given, data, tmp_path / "given", "cpu")

    own = load_model(run / "models/x-baseline.safetensors")[0].state_dict()  # in half precision
    random = SYSTEMS["baseline"].make(replace(TINY, seed=3), None).network.state_dict()
    assert len(begun) == 3 and any((own[key] - random[key]).abs().max() > 0.005 for key in own)
    for first in begun:
        for key, weights in own.items():
            torch.testing.assert_close(first[key], weights, rtol=1e-3, atol=1e-4)
    summary = load_model(run / "models/x-gt-kd.safetensors")[1].training["summary"]
    assert "a student seeing t1ce, begun with the weights of the same network after 1 epochs without a teacher, for 1 epochs" in summary
    assert "mean of those" not in summary
    with pytest.raises(InputError, match="other settings .*epochs"):  # a baseline that learnt more would have given it other weights
        record_plan(replace(plan, settings=replace(TINY, epochs=2)), data, run)


def test_a_student_with_epochs_of_its_own_may_have_more_of_them(data, tmp_path):
    plan = Plan(("gt+kd",), replace(TINY, epochs_student=1), "", name="x", exported=("gt+kd",))
    running.start(plan, data, tmp_path, "cpu")
    running.start(replace(plan, settings=replace(plan.settings, epochs_student=2)), data, tmp_path, "cpu")
    student = plan.trainings()[-1]
    assert "for 2 epochs" in load_model(tmp_path / "models/x.safetensors")[1].training["summary"] and scores_path(tmp_path, student).exists()
    assert Checkpoints(tmp_path / student.key, print).load(torch.device("cpu"))["epoch"] == 2
    with pytest.raises(InputError, match="other settings .*epochs"):
        record_plan(replace(plan, settings=replace(plan.settings, epochs=2, epochs_student=2)), data, tmp_path)


@pytest.mark.parametrize("name", ["gt+kd", "shared-layers"])
def test_a_run_scores_and_exports_the_mean_and_makes_it_again_from_its_checkpoints(data, tmp_path, name):
    plan = Plan((name,), replace(TINY, mean_with_baseline=True, mirrored=True), "", name="x", exported=("baseline", name))
    running.start(plan, data, tmp_path, "cpu")
    first, mean = (load_model(tmp_path / f"models/x-{each.replace('+', '-')}.safetensors") for each in ("baseline", name))
    assert first[1].mirrored and mean[1].mirrored
    assert "; its weights are the mean of those it began and ended with, on " in mean[1].training["summary"]
    student = next(training for training in plan.trainings() if training.system == name)
    system = trained(RunFolder(tmp_path), plan, student, torch.device("cpu"))
    last, again = system.network.state_dict(), system.deployed.state_dict()
    fixed = {key for key, weights in SYSTEMS[name].make(TINY, SYSTEMS["teacher"].make(TINY, None).network).network.named_parameters() if not weights.requires_grad}
    assert any((last[key] - weights).abs().max() > 0.005 for key, weights in first[0].state_dict().items())
    for key, weights in mean[0].state_dict().items():  # files are in half precision
        torch.testing.assert_close(weights, again[key], rtol=1e-3, atol=1e-4)
        began = last if key in fixed else first[0].state_dict()
        torch.testing.assert_close(weights, (began[key] + last[key]) / 2, rtol=1e-3, atol=1e-3)
