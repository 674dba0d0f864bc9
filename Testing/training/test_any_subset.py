"""The systems for any subset of the modalities: what training drops, their losses, what they see, and that they learn."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from KDNetLib.errors import InputError
from KDNetLib.labels import REGIONS
from KDNetLib.measures import dice_by_region
from KDNetLib.model_file import load_model
from KDNetLib.networks.hved import product_of_gaussians
from KDNetTrainingLib.errors import Stopped
from KDNetTrainingLib.evaluation.results import read_scores, read_subset_scores
from KDNetTrainingLib.modalities import MODALITIES
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems import hemis
from KDNetTrainingLib.systems.any_subset import dice_and_cross_entropy
from KDNetTrainingLib.systems.gated_fusion import weighted_cross_entropy
from KDNetTrainingLib.systems.hved import gaussian_divergence, mean_divergence
from KDNetTrainingLib.systems.registry import SYSTEMS
from KDNetTrainingLib.systems.style_reconstruction import style_divergence
from training.generated_cases import write_case
from training.test_experiment import TINY, carried_out, events_of
from training.test_trainer import SETTINGS as TRAINER_SETTINGS
from training.test_trainer import same, trainer, weights

NAMES = ("hemis", "u-hemis", "u-hved", "gated-fusion")
SETTINGS = replace(Settings(), width=2, crop=(32, 32, 32))


def made(name, **changes):
    return SYSTEMS[name].make(replace(SETTINGS, **changes), None)


@pytest.fixture()
def batch():
    """Two cases of 16³ with nested cubes of the three classes, which T1ce and T2 show and the others do not."""
    generator = torch.Generator().manual_seed(1)
    classes = torch.zeros(2, 16, 16, 16, dtype=torch.int64)
    for index, begin in enumerate((1, 4)):
        for value, margin in ((2, 0), (3, 2), (1, 4)):
            part = slice(begin + margin, begin + 11 - margin)
            classes[index, part, part, part] = value
    images = 0.05 * torch.randn(2, 4, 16, 16, 16, generator=generator)
    levels = torch.tensor([0.0, 4.0, 2.0, 6.0])[classes]
    images[:, 1] += levels
    images[:, 2] -= levels
    return images, classes


@pytest.mark.parametrize("name", NAMES)
def test_it_overfits_two_cases_with_the_student_modality_alone(batch, name, monkeypatch):
    """Trained with T1ce and T2, dropped by its rule; the network exported for T1ce alone then reaches a Dice over 0.95 everywhere."""
    monkeypatch.setattr(hemis, "_WARM_UP", 5)
    images, classes = batch
    system = made(name, width=4, teacher_modalities=("t1ce", "t2"))
    optimizer = torch.optim.Adam(system.parameters(), lr=0.02)
    torch.manual_seed(0)
    reached = 0.0
    for step in range(240):
        system.train()
        case = slice(step % 2, step % 2 + 1)
        optimizer.zero_grad(set_to_none=True)
        system(images[case], classes[case])["loss"].backward()
        torch.nn.utils.clip_grad_norm_(system.parameters(), 12.0)
        optimizer.step()
        if step % 10 == 9:
            with torch.no_grad():
                found = system.eval().deployed(images[:, 1:2]).argmax(dim=1)
            dice = [dice_by_region(*pair) for pair in zip(found.numpy(), classes.numpy())]
            reached = min(each[region] for each in dice for region in REGIONS)
            if reached > 0.95:
                break
    assert reached > 0.95


@pytest.mark.parametrize("name", NAMES)
def test_in_evaluation_it_is_its_deployed_network_and_sees_the_student_modality_alone(batch, name):
    images, classes = batch
    system = made(name).eval()
    with torch.no_grad():
        losses, logits = system.losses(images, classes)
        again, _ = system.losses(images, classes)
        hidden = images.clone()
        hidden[:, [0, 2, 3]] = 99.0
        changed, same_logits = system.losses(hidden, classes)
    assert system.modalities == ("t1ce",) and losses == again
    assert torch.equal(logits, same_logits) and torch.equal(changed.get("gt", changed["loss"]), losses.get("gt", losses["loss"]))
    torch.testing.assert_close(system.deployed(system.seen(images)), logits, rtol=1e-4, atol=1e-4)
    assert system.deployed.parameters_given["channels"] == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_training_step_does_not_see_what_was_dropped(batch, name, monkeypatch):
    images, classes = batch
    system = made(name).train()
    monkeypatch.setattr(system, "draw", lambda: [0, 3])

    def segmentation(images):
        torch.manual_seed(5)
        losses = system(images, classes)
        return losses.get("gt", losses["loss"])

    for channel in range(4):
        changed = images.clone()
        changed[:, channel] += torch.randn(16, 16, 16, generator=torch.Generator().manual_seed(4))
        assert torch.equal(segmentation(changed), segmentation(images)) == (channel in (1, 2))


def test_the_network_for_a_subset_in_any_order_of_any_set(batch):
    system = made("u-hemis", teacher_modalities=("flair", "t1ce", "t2")).eval()
    assert len(system.subsets()) == 7 and system.subsets()[-1] == ("flair", "t1ce", "t2")
    images = batch[0]
    with torch.no_grad():
        expected = system.network.decode(system.network.fuse(images[:, [3, 1, 2]], [0, 2]))
        torch.testing.assert_close(system.network_for(("flair", "t2"))(images[:, [3, 2]]), expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(InputError, match="t1, with which this system is tested, must be one of teacher_modalities"):
        made("u-hved", student_modality="t1", teacher_modalities=("t1ce", "t2"))


def test_what_training_drops():
    """Frequencies of 4,000 draws, within four standard deviations of a binomial."""

    def drawn(name, warm_up=0):
        system = made(name).train()
        torch.manual_seed(0)
        assert all(system.draw() == [0, 1, 2, 3] for _ in range(warm_up))
        draws = [tuple(system.draw()) for _ in range(4000)]
        assert all(draw == tuple(sorted(set(draw))) and set(draw) <= {0, 1, 2, 3} for draw in draws)
        return Counter(draws)

    def check(found, expected):
        for what, p in expected.items():
            assert abs(found[what] - 4000 * p) < 4 * np.sqrt(4000 * p * (1 - p)), (what, found[what])

    def sizes(counted):
        found = Counter()
        for draw, count in counted.items():
            found[len(draw)] += count
        return found

    for name in ("u-hemis", "u-hved"):
        counted = drawn(name)
        check(sizes(counted), {size: 1 / 4 for size in (1, 2, 3, 4)})
        check(counted, {(1,): 1 / 16, (0, 2): 1 / 24, (1, 3): 1 / 24, (0, 1, 2): 1 / 16})
    check(sizes(drawn("hemis", warm_up=100)), {4: 1 / 3, 3: 1 / 3, 2: 1 / 6, 1: 1 / 6})
    counted = drawn("gated-fusion")
    check(counted, {(0,): 1 / 16 + 1 / 64, (1, 2): 1 / 16, (0, 1, 2, 3): 1 / 16})


def test_the_total_is_the_published_sum(batch):
    for name in ("u-hved", "gated-fusion"):
        found = made(name)(*batch)
        assert set(found) == {"loss", "gt", "kl", "reconstruction"}
        assert found["loss"].item() == pytest.approx((found["gt"] + 0.1 * found["kl"] + 0.1 * found["reconstruction"]).item(), rel=1e-6)
    assert set(made("hemis")(*batch)) == set(made("u-hemis")(*batch)) == {"loss"}


def test_the_segmentation_losses_by_hand():
    rng = np.random.default_rng(0)
    logits, classes = rng.normal(size=(2, 4, 3, 4, 5)), rng.integers(0, 4, size=(2, 3, 4, 5))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    target = np.moveaxis(np.eye(4)[classes], -1, 1)
    dice = [(2 * (p[b, c] * target[b, c]).sum() + 1) / ((p[b, c] ** 2).sum() + target[b, c].sum() + 1) for b in range(2) for c in (1, 2, 3)]
    cross_entropy = -np.log((p * target).sum(axis=1)).mean()
    found = dice_and_cross_entropy(torch.from_numpy(classes), torch.from_numpy(logits))
    assert found.item() == pytest.approx(1 - np.mean(dice) + cross_entropy, rel=1e-5)
    p[0, :, 0, 0, 0] = (1.0, 0, 0, 0)
    target[0, :, 0, 0, 0] = (0, 1.0, 0, 0)  # as wrong as can be: counts as 0.005
    expected = 0.0
    for b in range(2):
        for c in range(4):
            rarity = 1 - target[b, c].sum() / 60
            expected -= rarity * (target[b, c] * np.log(np.maximum(p[b, c], 0.005))).sum() / 120
    assert weighted_cross_entropy(torch.from_numpy(target), torch.from_numpy(p)).item() == pytest.approx(expected, rel=1e-9)


def test_the_divergences_are_torchs_own():
    generator = torch.Generator().manual_seed(2)
    gaussians = [tuple(torch.randn(2, 3, 2, 2, 2, generator=generator) for _ in range(2)) for _ in range(3)]

    def normal(gaussian):
        return Normal(gaussian[0], (gaussian[1] / 2).exp())

    unit = Normal(torch.zeros(()), torch.ones(()))
    expected = kl_divergence(normal(gaussians[0]), normal(gaussians[1])).mean()
    torch.testing.assert_close(gaussian_divergence(gaussians[0], gaussians[1]), expected)
    # One modality: no subset but itself, and the prior.
    fused = product_of_gaussians(gaussians[:1])
    torch.testing.assert_close(mean_divergence(gaussians[:1], fused), kl_divergence(normal(fused), unit).mean())
    # Two, of which the second was drawn: three subsets.
    fused = product_of_gaussians(gaussians[1:2])
    products = [normal(product_of_gaussians(subset)) for subset in (gaussians[:1], gaussians[1:2], gaussians[:2])]
    expected = sum(kl_divergence(normal(fused), each).mean() for each in products) / 2 + sum(kl_divergence(each, unit).mean() for each in products) / 3
    torch.testing.assert_close(mean_divergence(gaussians[:2], fused), expected)
    shift, scale = (part[:, :, :1, :1, :1] for part in gaussians[2])
    torch.testing.assert_close(style_divergence(shift, scale), kl_divergence(Normal(shift, scale.abs()), unit).sum(dim=1).mean(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["hemis", "u-hved"])
def test_stopped_and_resumed_it_has_the_very_same_weights(tmp_path, name):
    """Of HeMIS also where it is in its warm-up, of U-HVED also its samples."""

    def run(folder, **how):
        settings = replace(TRAINER_SETTINGS, teacher_modalities=("t1", "t1ce", "flair"))
        return trainer(tmp_path / folder, epochs=1, settings=settings, system=SYSTEMS[name].make(settings, None), training=2, validation=1, **how).run()

    expected = weights(run("whole"))
    with pytest.raises(Stopped, match="in epoch 1 of 1"):
        run("cut", reason=lambda: "SIGTERM")
    resumed = weights(run("cut"))
    assert same(resumed, expected) and expected.get("steps", torch.tensor(2)) == 2


def test_a_run_scores_every_subset_and_exports_for_the_student_modality(tmp_path):
    for index in range(4):
        write_case(tmp_path / "data", f"BraTS2021_{index:05}", seed=index)
    plan = Plan(("u-hemis",), replace(TINY, epochs=1), "", test=("BraTS2021_00003",), exported=("u-hemis",), name="tiny")
    carried_out(plan, tmp_path / "data", tmp_path / "run")
    folder = tmp_path / "run" / "all" / "u-hemis"
    rows, scores = read_subset_scores(folder / "subsets.csv"), read_scores(folder / "scores.csv")
    assert len(rows) == 15 * 2 and len({row["modalities"] for row in rows}) == 15
    assert [{key: value for key, value in row.items() if key != "modalities"} for row in rows if row["modalities"] == "t1ce"] == scores
    whole = [row for row in rows if row["modalities"] == "+".join(MODALITIES)]
    assert [row["space"] for row in whole] == ["native", "crop"] and {row["case"] for row in rows} == {"BraTS2021_00003"}
    assert len({tuple(row[f"{region}_volume_ml"] for region in REGIONS) for row in rows if row["space"] == "crop"}) > 8
    network, manifest = load_model(tmp_path / "run" / "models" / "tiny.safetensors")
    assert manifest.modalities == ["t1ce"] and type(network).__name__ == "UHeMIS"
    assert "any subset of t1, t1ce, t2, flair was trained for 1 epochs" in manifest.training["summary"] and "for t1ce alone" in manifest.training["summary"]
    assert events_of(tmp_path / "run")[-1]["what"] == "finished"
