"""The systems of a run made again: as they were before their training, and with the weights that it gave them."""

import torch

from KDNetLib.errors import InputError
from KDNetTrainingLib.plan import Plan, Training
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.systems.base import System
from KDNetTrainingLib.systems.registry import SYSTEMS
from KDNetTrainingLib.training.checkpoints import Checkpoints


def untrained(plan: Plan, training: Training) -> System:
    """The system of ``training`` with random weights, also its teacher's."""
    settings, entry = plan.settings_of(training), SYSTEMS[training.system]
    return entry.make(settings, SYSTEMS["teacher"].make(settings, None).network if entry.taught else None)


def trained(run: RunFolder, plan: Plan, training: Training, device: torch.device) -> System:
    """The system of the finished ``training`` with the best epoch's weights, on ``device``, evaluating; its teacher is none.

    Of a student that is averaged with the baseline, the baseline's weights are needed too. Raises InputError where a
    checkpoint is missing or damaged.
    """
    best = Checkpoints(run.path / training.key, lambda message: None).load_best(device)
    if best is None:
        raise InputError(f"{run.path / training.key} lacks best.pt, or it is damaged: the weights of {training.key} are needed to segment anew.")
    system = untrained(plan, training).to(device)
    if SYSTEMS[training.system].taught and plan.settings.mean_with_baseline:
        system.begin_with(trained(run, plan, training.baseline, device).network)
    system.load_state_dict(best["network"])
    return system.eval().requires_grad_(False)
