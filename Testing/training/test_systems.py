"""The systems: what each sees, which terms it minimises, and that a teacher only teaches."""

from dataclasses import replace

import pytest
import torch

from KDNetTrainingLib import losses
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.backbones import new_network
from KDNetTrainingLib.systems.registry import SYSTEMS

SETTINGS = replace(Settings(), width=2, crop=(32, 32, 32))


@pytest.fixture()
def batch():
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(2, 4, 32, 32, 32, generator=generator)
    classes = (images[:, 1] > 1).long() + (images[:, 3] > 1.2).long()
    return images, classes


@pytest.fixture()
def teacher():
    return new_network(SETTINGS.teacher_modalities, SETTINGS)


def made(name, teacher, **changes):
    settings = replace(SETTINGS, **changes)
    return SYSTEMS[name].make(settings, teacher if SYSTEMS[name].taught else None)


@pytest.mark.parametrize(("name", "terms", "modalities"), [
    ("baseline", set(), ("t1ce",)), ("teacher", set(), ("t1", "t1ce", "t2", "flair")),
    ("gt+kl", {"gt", "kl"}, ("t1ce",)), ("gt+kd", {"gt", "kd"}, ("t1ce",)), ("gt+kl+kd", {"gt", "kl", "kd"}, ("t1ce",)),
])
def test_each_system_has_the_papers_terms(batch, teacher, name, terms, modalities):
    system = made(name, teacher)
    found = system(*batch)
    assert set(found) == {"loss"} | terms and system.modalities == modalities
    assert system.network.parameters_given["channels"] == len(modalities)


def test_the_total_is_equation_5_of_its_terms(batch, teacher):
    found = {name: made(name, teacher)(*batch) for name in ("gt+kl", "gt+kd", "gt+kl+kd")}
    whole = found["gt+kl+kd"]
    assert whole["loss"].item() == pytest.approx((0.75 * whole["kd"] + 0.25 * whole["gt"] + 10 * whole["kl"]).item(), rel=1e-6)
    # A term that is switched off leaves the reference with its full weight where it was the soft labels' λ.
    assert found["gt+kl"]["loss"].item() == pytest.approx((whole["gt"] + 10 * whole["kl"]).item(), rel=1e-6)
    assert found["gt+kd"]["loss"].item() == pytest.approx((0.75 * whole["kd"] + 0.25 * whole["gt"]).item(), rel=1e-6)


def test_the_baseline_is_the_student_without_a_teacher(batch, teacher):
    alone, taught = made("baseline", None), made("gt+kl+kd", teacher)
    assert alone(*batch)["loss"].item() == pytest.approx(taught(*batch)["gt"].item(), rel=1e-6)


def test_a_network_sees_its_own_modalities_only(batch, teacher):
    images, classes = batch
    system = made("baseline", None, student_modality="flair")
    before = system(images, classes)["loss"]
    hidden = images.clone()
    hidden[:, :3] = 0
    assert torch.equal(system(hidden, classes)["loss"], before)
    hidden[:, 3] = 0
    assert not torch.equal(system(hidden, classes)["loss"], before)


def test_a_teacher_of_any_set_in_any_order(batch):
    settings = replace(SETTINGS, teacher_modalities=("flair", "t1ce"))
    teacher = new_network(settings.teacher_modalities, settings)
    found = SYSTEMS["gt+kd"].make(settings, teacher)(*batch)
    with torch.no_grad():
        expected = losses.distillation_loss(teacher(batch[0][:, [3, 1]]), SYSTEMS["baseline"].make(settings, None).network(batch[0][:, [1]]), 5.0)
    assert found["kd"].item() == pytest.approx(expected.item(), rel=1e-6)


def test_training_leaves_the_teacher_as_it_was(batch, teacher):
    before = {name: weight.clone() for name, weight in teacher.state_dict().items()}
    system = made("gt+kl+kd", teacher).train()
    optimizer = torch.optim.Adam(system.parameters(), lr=0.1)
    for _ in range(2):
        system(*batch)["loss"].backward()
        optimizer.step()
    assert not teacher.training and all(parameter.grad is None and not parameter.requires_grad for parameter in teacher.parameters())
    assert all(torch.equal(before[name], weight) for name, weight in teacher.state_dict().items())
    assert set(system.state_dict()) == {f"network.{name}" for name in before}  # the teacher is not saved with the student
    start = made("gt+kl+kd", teacher).state_dict()
    assert not any(torch.equal(start[name], weight) for name, weight in system.state_dict().items() if name.endswith("0.weight"))


def test_a_student_may_start_from_its_teacher(teacher):
    student = made("gt+kl+kd", teacher, student_from_teacher=True).network.state_dict()
    weights = teacher.state_dict()
    first = "encoder.0.0.0.weight"
    assert torch.equal(student[first], weights[first][:, 1:2])  # T1ce is the second modality
    assert all(torch.equal(student[name], weights[name]) for name in weights if name != first)


@pytest.mark.parametrize("skips", range(5))
def test_skips_are_the_same_in_teacher_and_student(batch, skips):
    settings = replace(SETTINGS, skips=skips)
    teacher = SYSTEMS["teacher"].make(settings, None).network
    student = SYSTEMS["gt+kl+kd"].make(settings, teacher).network
    assert teacher.parameters_given["skips"] == student.parameters_given["skips"] == skips
