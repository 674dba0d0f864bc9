"""The learning rate, against hand calculation."""

from dataclasses import replace

import pytest
import torch

from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.training.schedule import new_schedule


def optimizer(rate):
    return torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def test_plateau_waits_for_exactly_its_patience():
    adam = optimizer(1e-4)
    schedule = new_schedule(adam, replace(Settings(), patience=3), 1000)
    rates = []
    for loss in (1.0, 0.9, 0.95, 0.9, 0.91, 0.92, 0.899999, 1.0, 1.0, 1.0):
        schedule.after_epoch(loss)
        rates.append(adam.param_groups[0]["lr"])
    # 0.9 is best in epoch 2; epochs 3 to 5 bring nothing lower, so the rate falls after the 5th. Then 0.899999 in
    # epoch 7 counts as lower, and epochs 8 to 10 bring it down again.
    assert rates == pytest.approx([1e-4] * 4 + [2e-5] * 5 + [4e-6])


def test_polynomial_falls_with_every_step_to_zero():
    adam = optimizer(0.5)
    schedule = new_schedule(adam, replace(Settings(), schedule="polynomial"), 4)
    rates = []
    for _ in range(4):
        adam.step()
        schedule.after_step()
        rates.append(adam.param_groups[0]["lr"])
    assert rates == pytest.approx([0.5 * 0.75**0.9, 0.5 * 0.5**0.9, 0.5 * 0.25**0.9, 0])


@pytest.mark.parametrize("name", ["plateau", "polynomial"])
def test_a_resumed_schedule_goes_on_where_it_was(name):
    settings = replace(Settings(), schedule=name, patience=2)
    losses = [1.0, 1.1, 1.2, 0.5, 0.6, 0.7, 0.8]

    def follow(schedule, adam, part):
        rates = []
        for loss in part:
            adam.step()
            schedule.after_step()
            schedule.after_epoch(loss)
            rates.append(adam.param_groups[0]["lr"])
        return rates

    whole = optimizer(0.1)
    expected = follow(new_schedule(whole, settings, 10), whole, losses)
    first = optimizer(0.1)
    schedule = new_schedule(first, settings, 10)
    begun = follow(schedule, first, losses[:3])
    second = optimizer(0.1)
    resumed = new_schedule(second, settings, 10)
    second.load_state_dict(first.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    assert begun + follow(resumed, second, losses[3:]) == expected
