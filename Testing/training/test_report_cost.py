"""The cost of systems: operations counted layer by layer in another way, and what the events tell, by hand."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from KDNetTrainingLib.evaluation.cost import costs, costs_csv, costs_markdown
from KDNetTrainingLib.evaluation.counting import count_costs, counted
from KDNetTrainingLib.evaluation.rebuilt import untrained
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import settings_from
from KDNetTrainingLib.stages import Stages

SETTINGS = settings_from({"width": 2, "crop": (32, 48, 32), "batch_size": 3, "folds": 2})
PLAN = Plan(("baseline", "gt+kl+kd", "hemis"), SETTINGS, "kdnet experiment DATA RUN")


def convolutions(network, channels, sides):
    """Operations of every convolution on a grid of ``sides``, in their order: 2 per weight and voxel of the output."""
    found = []
    hooks = [
        layer.register_forward_hook(lambda layer, _, output: found.append(2 * layer.weight.numel() * output[0, 0].numel()))
        for layer in network.modules() if isinstance(layer, nn.Conv3d)
    ]  # fmt: skip
    with torch.no_grad():
        network(torch.zeros(1, channels, *sides))
    for hook in hooks:
        hook.remove()
    return found


def training_of(label):
    return next(training for training in PLAN.trainings() if training.label == label)


def test_operations_are_those_of_the_layers():
    student, teacher = (untrained(PLAN, training_of(label)).network for label in ("baseline", "teacher"))
    own, teachers = convolutions(student, 1, SETTINGS.crop), convolutions(teacher, 4, SETTINGS.crop)
    # Backwards each convolution is done twice, for its weights and for its input; the scan needs no gradient.
    step = 3 * sum(own) - own[0]
    baseline, taught = counted(PLAN, training_of("baseline")), counted(PLAN, training_of("gt+kl+kd"))
    assert 1e9 * baseline.forward_gflop == pytest.approx(sum(own), rel=1e-9) and 1e9 * baseline.step_gflop == pytest.approx(3 * step, rel=1e-9)
    assert 1e9 * taught.step_gflop == pytest.approx(3 * (step + sum(teachers)), rel=1e-9)
    assert baseline.parameters == baseline.trained_parameters == sum(weights.numel() for weights in student.parameters())


def test_a_network_for_any_subset_is_counted_with_one_modality_at_test_and_all_in_training():
    system = untrained(PLAN, training_of("hemis"))
    found = counted(PLAN, training_of("hemis"))
    assert 1e9 * found.forward_gflop == pytest.approx(sum(convolutions(system.network_for(("t1ce",)), 1, SETTINGS.crop)), rel=1e-9)
    everything = sum(convolutions(system.network, 4, SETTINGS.crop))
    assert 3 * 2 < 1e9 * found.step_gflop / everything <= 3 * 3  # three samples, between two and three times the forward pass
    assert found.trained_parameters == sum(weights.numel() for weights in system.parameters()) > found.parameters


def test_counts_are_kept_and_leave_the_random_numbers_alone(tmp_path):
    run = RunFolder(tmp_path)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    count_costs(run, replace(PLAN, systems=("baseline",)))
    assert torch.equal(torch.rand(3), expected)
    kept = run.read("counted")
    assert list(kept) == ["baseline"]
    run.write("counted", {"baseline": kept["baseline"] | {"parameters": 7}})
    count_costs(run, replace(PLAN, systems=("baseline", "teacher")))
    assert run.read("counted")["baseline"]["parameters"] == 7 and run.read("counted")["teacher"]["parameters"] > 7


def test_time_and_memory_are_the_events(tmp_path):
    run, first, second = RunFolder(tmp_path), *[training for training in PLAN.trainings() if training.label == "baseline"]

    def steps(training, epoch, per_step):
        return {"kind": "steps", "training": training.key, "epoch": epoch, "epochs": 2, "seconds_per_step": per_step}

    def epoch(training, number, seconds, memory):
        return {"kind": "epoch", "training": training.key, "epoch": number, "seconds": seconds, "gpu_gb": None, "memory_gb": memory}

    events = [
        steps(first, 1, 9.0), steps(first, 1, 1.0), epoch(first, 1, 1000, 1.5),  # of an epoch the last mean counts
        steps(first, 2, 2.0), epoch(first, 2, 4000, 2.5), epoch(first, 2, 2600, 2.25),  # trained again after a kill
        steps(second, 1, 6.0), epoch(second, 1, 7200, 1.0), {"kind": "warning", "message": "no training"},
        epoch(training_of("teacher"), 1, 99999, 99.0),
    ]  # fmt: skip
    run.write("counted", {"baseline": {"parameters": 2_500_000, "trained_parameters": 3_000_000, "forward_gflop": 1.25, "step_gflop": 4567.0}})
    (cost,) = costs(run, [first, second], events)
    assert (cost.seconds_per_step, cost.hours, cost.gpu_gb, cost.memory_gb) == (2.0, 1.5, None, 2.25)  # hours: 3600 s and 7200 s
    assert costs(run, [first, second], [*events, steps(second, 2, 30.0)], lambda training: Stages(2, 1, 2, 1.0))[0].seconds_per_step == 16.0  # of the second epochs alone
    assert costs_csv([cost]).splitlines()[1] == "baseline,2500000,3000000,1.25,4567,2,1.5,,2.25"
    text = costs_markdown([cost], PLAN)
    assert "| Baseline | 2.5 | 3 | 1.25 | 4567 | 2 | 1.5 | – | 2.25 |" in text and "32 × 48 × 32" in text and "kdnet report" not in text
    (cost,) = costs(run, [training_of("hemis")], [])
    assert cost.counted == (None,) * 4 and "kdnet report" in costs_markdown([cost], PLAN) and costs_markdown([], PLAN) == ""
