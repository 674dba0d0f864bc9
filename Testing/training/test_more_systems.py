"""Synthesis, shared layers, ProtoKD, and KD-Net with the residual network: terms, gradients, export, resuming."""

from dataclasses import replace

import pytest
import torch

from engine.generated import DESCRIPTION
from KDNetLib.errors import ModelError
from KDNetLib.model_file import load_model, save_model
from KDNetLib.networks.synthesis import SynthesisThenSegmentation
from KDNetTrainingLib import losses, protokd_losses
from KDNetTrainingLib.errors import Stopped
from KDNetTrainingLib.experiment import run_plan
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.recorded_plan import record_plan
from KDNetTrainingLib.settings import Settings, settings_from
from KDNetTrainingLib.systems.backbones import new_network
from KDNetTrainingLib.systems.registry import SYSTEMS
from KDNetTrainingLib.systems.synthesis import synthesis_loss
from training.generated_cases import write_case
from training.test_trainer import same, trainer, weights

SETTINGS = replace(Settings(), width=2, crop=(32, 32, 32))
#: Every system here, with the network it is tried with.
SYSTEMS_HERE = [("synthesis", "plain"), ("shared-layers", "plain"), ("shared-layers", "residual"), ("protokd", "plain"), ("protokd", "residual"), ("gt+kl+kd", "residual")]
TAUGHT = [pair for pair in SYSTEMS_HERE if SYSTEMS[pair[0]].taught]
each = pytest.mark.parametrize(("name", "network"), SYSTEMS_HERE)
each_taught = pytest.mark.parametrize(("name", "network"), TAUGHT)


@pytest.fixture(scope="module")
def batch():
    """Random images of four modalities; the background around the brain is exactly 0."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(2, 4, 32, 32, 32, generator=generator)
    images[:, :, :3] = images[:, :, 29:] = 0
    return images, (images[:, 1] > 1).long() + (images[:, 3] > 1.2).long()


def made(name, network="plain", seed=0, **changes):
    settings = replace(SETTINGS, network=network, **changes)
    teacher = new_network(settings.teacher_modalities, replace(settings, seed=7)) if SYSTEMS[name].taught else None
    return SYSTEMS[name].make(replace(settings, seed=seed), teacher)


@pytest.mark.parametrize(("name", "terms"), [("synthesis", {"gt", "l1"}), ("shared-layers", {"gt", "kd", "kl"}), ("protokd", {"gt", "kd", "proto"})])
def test_each_has_its_terms_and_sees_t1ce_alone(batch, name, terms):
    images, classes = batch
    system = made(name).eval()
    with torch.no_grad():
        found, logits = system.losses(images, classes)
        assert set(found) == {"loss"} | terms and system.modalities == ("t1ce",) and system.deployed.parameters_given["channels"] == 1
        assert torch.equal(system.deployed(images[:, 1:2]), logits)
        hidden = images.clone()
        hidden[:, [0, 2, 3]] = 0
        assert torch.equal(system.losses(hidden, classes)[1], logits)


def test_the_totals_are_what_the_sources_say(batch):
    found = made("synthesis")(*batch)
    assert found["loss"].item() == pytest.approx((found["gt"] + found["l1"]).item(), rel=1e-6)
    found = made("shared-layers")(*batch)
    assert found["loss"].item() == pytest.approx((0.75 * found["kd"] + 0.25 * found["gt"] + 10 * found["kl"]).item(), rel=1e-6)
    found = made("protokd")(*batch)
    assert found["loss"].item() == pytest.approx((found["gt"] + 10 * found["kd"] + 0.1 * found["proto"]).item(), rel=1e-6)


def test_synthesis_loss_by_hand():
    """First sample: brain voxels 1 and −2, made 0 and 1: (1 + 3) / 2 = 2, its background does not count. Second: none, 0. Mean 1."""
    true = torch.tensor([[1.0, -2.0, 0.0], [0.0, 0.0, 0.0]]).reshape(2, 1, 1, 1, 3)
    made_image = torch.tensor([[0.0, 1.0, 9.0], [5.0, 5.0, 5.0]]).reshape(2, 1, 1, 1, 3)
    assert synthesis_loss(true, made_image).item() == 1.0


@pytest.mark.parametrize(("modality", "synthesised"), [("t1ce", 3), ("t2", 3), ("flair", 1)])
def test_synthesis_makes_flair_or_t1ce_and_segments_both(batch, modality, synthesised):
    images, classes = batch
    system = made("synthesis", student_modality=modality)
    seen = images[:, ["t1", "t1ce", "t2", "flair"].index(modality)][:, None]
    image = system.network.synthesiser(seen)
    found = system(images, classes)
    assert found["l1"].item() == pytest.approx((images[:, synthesised] - image[:, 0]).abs()[images[:, synthesised] != 0].mean().item(), rel=1e-5)
    assert found["gt"].item() == pytest.approx(losses.segmentation_loss(classes, system.network.segmenter(torch.cat([seen, image], dim=1))).item(), rel=1e-5)


def test_in_synthesis_the_made_image_serves_both_and_the_segmenter_its_own_loss_alone(batch):
    for term, reached in (("l1", {"synthesiser"}), ("gt", {"synthesiser", "segmenter"})):
        network = made("synthesis")
        network(*batch)[term].backward()
        assert {key.split(".")[1] for key, value in network.named_parameters() if value.grad is not None} == reached


def test_the_synthesising_network_in_parts_and_its_limits():
    network = SynthesisThenSegmentation(2, width=2, levels=3, skips=2)
    assert [network.synthesiser.parameters_given[key] for key in ("channels", "classes")] == [2, 1]
    assert [network.segmenter.parameters_given[key] for key in ("channels", "classes")] == [3, 4]
    shares = []
    network(torch.randn(1, 2, 16, 16, 16), shares.append)
    assert sum(shares) == pytest.approx(1) and min(shares) > 0 and network.divisor == 4
    for wrong in ({"channels": 16}, {"channels": 0}, {"classes": 17}, {"classes": 4.0}, {"width": 65}, {"levels": 8}, {"skips": 5}):
        with pytest.raises(ValueError, match="must be a whole number"):
            SynthesisThenSegmentation(**wrong)


def test_protokd_compares_the_features_before_the_last_layer(batch):
    images, classes = batch
    system = made("protokd").eval()
    caught = {}
    for who, network in (("teacher", system.teacher), ("student", system.network)):
        network.head.register_forward_hook(lambda module, given, out, who=who: caught.update({who: (given[0], out)}))
    with torch.no_grad():
        found, _ = system.losses(images, classes)
    (taught, teacher_logits), (own, logits) = caught["teacher"], caught["student"]
    assert taught.shape == own.shape == (2, 2, 32, 32, 32)
    assert found["proto"].item() == protokd_losses.prototype_loss(classes, taught, own).item()
    assert found["kd"].item() == protokd_losses.pixel_distillation(teacher_logits, logits, 10.0).item()
    assert torch.equal(teacher_logits, system.teacher(images))


@each_taught
def test_training_leaves_the_teacher_as_it_was_and_trains_the_rest(batch, name, network):
    system = made(name, network).train()
    before, start = weights(system.teacher), weights(system)
    trained = [parameter for parameter in system.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=0.01)
    for _ in range(2):  # what a weight of 0 hides moves from the second step on
        optimizer.zero_grad()
        system(*batch)["loss"].backward()
        optimizer.step()
    assert same(weights(system.teacher), before) and not system.teacher.training
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in system.teacher.parameters())
    assert set(system.state_dict()) == {f"network.{key}" for key in before}
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in trained)
    fixed = {key for key, value in system.state_dict().items() if torch.equal(value, start[key])}
    assert fixed == {key for key, value in system.named_parameters() if not value.requires_grad}
    assert bool(fixed) is (name == "shared-layers")


@pytest.mark.parametrize(("network", "prefixes"), [("plain", ("encoder.4.", "decoder.0.")), ("residual", ("encoder.4.", "up.0.", "decoder.0."))])
@pytest.mark.parametrize("skips", [4, 0])
def test_the_shared_layers_are_the_teachers_deepest(network, prefixes, skips):
    system = made("shared-layers", network, skips=skips)
    own, teachers = weights(system.network), weights(system.teacher)
    fixed = {key for key, value in system.network.named_parameters() if not value.requires_grad}
    assert fixed == {key for key in own if key.startswith(prefixes)} and fixed
    assert all(torch.equal(own[key], teachers[key]) for key in fixed)
    kernels = [key for key in own if own[key].dim() == 5 and key not in fixed]
    assert not any(torch.equal(own[key], teachers[key]) for key in kernels)  # the others are the student's own


@pytest.mark.parametrize("name", ["gt+kl", "gt+kd", "gt+kl+kd", "shared-layers", "protokd"])
@pytest.mark.parametrize("network", ["plain", "residual"])
def test_a_student_may_start_from_its_teacher(name, network):
    system = made(name, network, student_from_teacher=True)
    student, teacher = weights(system.network), weights(system.teacher)
    first = next(iter(teacher))
    assert torch.equal(student[first], teacher[first][:, 1:2])  # T1ce is the second modality
    assert same({key: value for key, value in student.items() if key != first}, {key: value for key, value in teacher.items() if key != first})


@each
def test_a_model_file_gives_back_what_was_trained(batch, tmp_path, name, network):
    deployed = made(name, network).deployed.eval()
    with torch.no_grad():
        for parameter in deployed.parameters():
            parameter.add_(torch.rand_like(parameter), alpha=0.1)
            parameter.copy_(parameter.half())  # what a model file keeps
    save_model(tmp_path / "model.safetensors", deployed, DESCRIPTION | {"name": "model"})
    loaded, manifest = load_model(tmp_path / "model.safetensors")
    expected = {"synthesis": "SynthesisThenSegmentation"}.get(name, {"plain": "EncoderDecoder", "residual": "ResidualEncoderDecoder"}[network])
    assert manifest.architecture == {"name": expected, "parameters": deployed.parameters_given}
    assert torch.equal(loaded(batch[0][:, 1:2]), deployed(batch[0][:, 1:2]))


def test_a_synthesising_model_of_a_wrong_number_of_classes_is_refused(tmp_path):
    save_model(tmp_path / "model.safetensors", SynthesisThenSegmentation(classes=1, width=2), DESCRIPTION | {"name": "model"})
    with pytest.raises(ModelError, match="damaged"):
        load_model(tmp_path / "model.safetensors")


@pytest.mark.parametrize(("name", "network"), [("synthesis", "plain"), ("shared-layers", "residual"), ("protokd", "plain")])
def test_stopped_and_resumed_it_ends_with_the_very_same_weights(tmp_path, name, network):
    settings = settings_from({"crop": (32, 32, 32), "width": 2, "learning_rate": 0.01, "patience": 1, "spacing": 4.0, "network": network})

    def trained(folder, **given):
        teacher = new_network(settings.teacher_modalities, settings) if SYSTEMS[name].taught else None
        return trainer(folder, settings=settings, system=SYSTEMS[name].make(settings, teacher), training=2, validation=1, **given)

    expected = weights(trained(tmp_path / "whole").run())
    asked = iter([None, "SIGTERM", "SIGTERM", "SIGTERM"])
    with pytest.raises(Stopped):
        trained(tmp_path / "cut", reason=lambda: next(asked)).run()
    assert same(weights(trained(tmp_path / "cut").run()), expected)


def test_a_whole_run_of_them_is_scored_and_exported(tmp_path):
    for index in range(4):
        write_case(tmp_path / "data", f"BraTS2021_{index:05}", seed=index)
    settings = settings_from({"crop": (32, 32, 32), "spacing": 4.0, "width": 2, "epochs": 1, "learning_rate": 0.01, "schedule": "polynomial", "inner_validation": 0.0})
    labels = ("synthesis", "protokd-residual")
    plan = Plan(labels, settings, "kdnet experiment", test=("BraTS2021_00003",), exported=labels, name="more")
    record_plan(plan, tmp_path / "data", tmp_path / "run")
    run_plan(plan, tmp_path / "data", tmp_path / "run", "cpu", lambda event: None)
    assert {folder.name for folder in (tmp_path / "run/all").iterdir()} == {*labels, "teacher-residual"}
    names = {label: load_model(tmp_path / f"run/models/more-{label}.safetensors")[1] for label in labels}
    assert {label: manifest.architecture["name"] for label, manifest in names.items()} == {
        "synthesis": "SynthesisThenSegmentation", "protokd-residual": "ResidualEncoderDecoder",
    }
    assert all(manifest.modalities == ["t1ce"] and manifest.measured[0]["cases"] == 1 for manifest in names.values())
