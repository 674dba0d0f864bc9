"""Coarse epochs first, whole scans last: when they begin and end, what a run prepares for them, and what they count in time left, cost and estimate."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from KDNetLib.errors import InputError
from KDNetTrainingLib.cli import running
from KDNetTrainingLib.data.cache import CachedCase
from KDNetTrainingLib.data.sampling import plain_sample
from KDNetTrainingLib.errors import Stopped
from KDNetTrainingLib.evaluation.results import read_scores, scores_path
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.recorded_plan import record_plan
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import settings_from
from KDNetTrainingLib.stages import stages_of
from KDNetTrainingLib.systems.registry import SYSTEMS
from KDNetTrainingLib.training.batches import Batches
from KDNetTrainingLib.training.checkpoints import Checkpoints
from KDNetTrainingLib.training.distributed import World
from KDNetTrainingLib.training.trainer import Trainer
from training.generated_cases import write_case

CPU = World(torch.device("cpu"))
SETTINGS = settings_from({"crop": (64, 64, 64), "width": 1, "spacing": 4.0, "coarse": 0.75, "schedule": "polynomial", "inner_validation": 0.0})


class Never:
    reason = reason_after_epoch = None


class AfterLooks:
    """In the place of an interruption: asked to stop once ``reason`` was looked at so often."""

    reason_after_epoch = None

    def __init__(self, looks):
        self._left = looks

    @property
    def reason(self):
        self._left -= 1
        return None if self._left > 0 else "SIGTERM"


def case(side):
    classes = np.zeros([2 * side] * 3, np.uint8)
    classes[side // 2 : side, side // 2 : side, side : 3 * side // 2] = 2
    return CachedCase("case", np.random.default_rng(0).normal(size=(4, *[2 * side - 1] * 3)).astype(np.float16), classes, 2, "")


def test_costs_by_hand():
    def stages(epochs, **changes):
        return stages_of(replace(SETTINGS, **{"coarse": 0.0, **changes}), epochs)

    assert stages(10, coarse=0.75).fine_from == 8 and stages(10).fine_from == 0 and stages(10).whole_from == 10
    assert [stages(epochs, coarse=0.9).fine_from for epochs in (1, 2, 3, 20)] == [0, 1, 2, 18]
    half = stages(4, coarse=0.5)
    assert [half.cost(epoch) for epoch in range(4)] == [0.125, 0.125, 1, 1]
    assert [half.cost_from(epoch) for epoch in range(5)] == [2.25, 2.125, 2, 1, 0]
    # A brain's box of 143 × 174 × 136 mm is 72 × 87 × 68 voxels of 2 mm, as inference pads it 80 × 96 × 80.
    whole = stages(10, coarse=0.5, whole=0.2, spacing=2.0, preprocessing="whole-brain")
    assert (whole.fine_from, whole.whole_from) == (5, 8) and whole.whole_cost == pytest.approx(80 * 96 * 80 / 64**3)
    assert whole.cost_from(0) == pytest.approx(5 / 8 + 3 + 2 * whole.whole_cost)
    plan = Plan(("baseline",), replace(SETTINGS, epochs=8), "")
    assert plan.cost(plan.trainings()[0]) == 6 / 8 + 2


def test_the_last_samples_are_whole_scans_as_inference_pads_them():
    settings = replace(SETTINGS, coarse=0.0, whole=0.5, epochs=2)
    classes = np.zeros((100, 131, 150), np.uint8)
    classes[40:70, 50:80, 60:90] = 3
    scan = CachedCase("case", np.random.default_rng(0).normal(size=(4, 99, 130, 149)).astype(np.float16), classes, 2, "")
    batches = Batches([scan], settings, CPU, stages_of(settings, 2))
    assert [tuple(images.shape[2:]) for epoch in range(2) for images, _, _ in batches.epoch(epoch, 0)] == [(64, 64, 64), (64, 80, 80)]
    (image, found), (plain, expected) = next((i[0], c[0]) for i, c, _ in batches.epoch(1, 0)), plain_sample(scan, None, 16)
    assert image.shape == plain.shape and found.sum() == expected.sum() and image.abs().sum() == pytest.approx(plain.abs().sum().item(), rel=1e-6)


def test_the_first_epochs_are_coarse_and_the_time_left_knows(tmp_path):
    fine, coarse = case(64), case(32)
    shapes = [[images.shape[-1] for images, _, _ in Batches([fine], SETTINGS, CPU, stages_of(SETTINGS, 3), [coarse]).epoch(epoch, 0)] for epoch in range(3)]
    assert shapes == [[32], [32], [64]]
    events = []
    Trainer(
        SYSTEMS["baseline"].make(SETTINGS, None), [fine], [], 4, SETTINGS, Checkpoints(tmp_path, print), CPU, lambda **what: events.append(what), Never(), [coarse],
    ).run()
    epochs = [event for event in events if event["kind"] == "epoch"]
    # After the first epoch two coarse ones and a fine one are left, as long as ten coarse ones; after the third the fine one.
    assert [event["left"] for event in epochs] == [pytest.approx(event["seconds"] * factor, abs=0.6) for event, factor in zip(epochs, (10, 9, 8, 0))]


@pytest.mark.parametrize("looks", [1, 3, 5])
def test_stopped_in_any_stage_it_goes_on_to_the_very_same_weights(tmp_path, looks):
    """Three epochs of two steps: coarse, crop, whole; stopped after the first step of one."""
    settings = replace(SETTINGS, coarse=0.34, whole=0.33)

    def train(folder, interruption):
        system = SYSTEMS["baseline"].make(settings, None)
        Trainer(system, [case(64)] * 2, [], 3, settings, Checkpoints(folder, print), CPU, lambda **what: None, interruption, [case(32)] * 2).run()
        return system.state_dict()

    expected = train(tmp_path / "whole", Never())
    with pytest.raises(Stopped):
        train(tmp_path / "cut", AfterLooks(looks))
    found = train(tmp_path / "cut", Never())
    assert all(torch.equal(weight, expected[name]) for name, weight in found.items())


@pytest.mark.parametrize("crop", [(32, 64, 64), (64, 80, 64)])
def test_a_crop_that_cannot_be_halved_is_refused(crop):
    with pytest.raises(InputError, match="multiples of 32, at least 64"):
        replace(SETTINGS, crop=crop)
    assert replace(SETTINGS, crop=crop, coarse=0.0)
    with pytest.raises(InputError, match="at most 4 mm"):
        replace(SETTINGS, spacing=5.0)


def test_a_run_prepares_the_cases_at_both_resolutions(tmp_path):
    for index in range(3):
        write_case(tmp_path / "data", f"BraTS2021_{index:05}", seed=index)
    plan = Plan(("baseline",), replace(SETTINGS, epochs=2, coarse=0.5), "kdnet train DATA RUN", test=("BraTS2021_00000",))
    running.start(plan, tmp_path / "data", tmp_path / "run", "cpu")
    sides = {folder: np.load(next((tmp_path / "run" / folder).rglob("classes.npy"))).shape for folder in ("cache", "cache-coarse")}
    assert all(abs(fine - 2 * coarse) <= 2 for fine, coarse in zip(sides["cache"], sides["cache-coarse"])), sides
    assert read_scores(scores_path(tmp_path / "run", plan.trainings()[0]))
    assert "`cache-coarse`" in (tmp_path / "run" / "README.md").read_text(encoding="utf-8")


def test_a_student_begins_where_the_teachers_coarse_epochs_have_ended():
    with pytest.raises(InputError, match="student_from_teacher"):
        Plan(("gt+kl+kd",), SETTINGS, "")
    plan = Plan(("baseline", "gt+kl+kd"), replace(SETTINGS, epochs=8, epochs_teacher=12, student_from_teacher=True), "")
    of = {training.label: training for training in plan.trainings()}
    assert {label: plan.epochs(training) for label, training in of.items()} == {"baseline": 8, "teacher": 12, "gt+kl+kd": 2}
    assert [plan.settings_of(of[label]).coarse for label in ("baseline", "gt+kl+kd")] == [0.75, 0.0]
    plan = replace(plan, settings=replace(plan.settings, epochs=320, whole=0.0625))
    stages = {label: plan.stages(training) for label, training in of.items()}
    assert [(each.fine_from, each.whole_from, each.epochs) for each in (stages["baseline"], stages["gt+kl+kd"])] == [(240, 300, 320), (0, 60, 80)]
    plan = replace(plan, settings=replace(plan.settings, epochs=8, whole=0.0))
    assert plan.cost(of["gt+kl+kd"]) == 2 * SYSTEMS["gt+kl+kd"].cost and plan.cost(of["teacher"]) == 9 / 8 + 3


def test_coarse_epochs_neither_grow_nor_go_with_the_plateau_schedule(tmp_path):
    with pytest.raises(InputError, match="polynomial"):
        replace(SETTINGS, schedule="plateau", inner_validation=0.2)
    for coarse, growing in ((0.0, True), (0.5, False)):
        settings = replace(SETTINGS, coarse=coarse, epochs_teacher=4)
        path = tmp_path / str(coarse)
        record_plan(Plan(("baseline",), replace(settings, epochs=4), ""), tmp_path, path)
        RunFolder(path).write("data", {"cases": {}})
        longer = Plan(("baseline",), replace(settings, epochs=6), "")
        if growing:
            record_plan(longer, tmp_path, path)
        else:
            with pytest.raises(InputError, match="epochs"):
                record_plan(longer, tmp_path, path)


@pytest.mark.parametrize(("changes", "word"), [({"coarse": 0.8, "whole": 0.3}, "at most 1 together"), ({"whole": 0.1, "batch_size": 2}, "batch_size 1")])
def test_stages_that_do_not_fit_are_refused(changes, word):
    with pytest.raises(InputError, match=word):
        replace(SETTINGS, **changes)
