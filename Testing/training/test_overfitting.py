"""Every system here can learn two cases by heart: what it minimises leads to the reference."""

from dataclasses import replace

import pytest
import torch

from KDNetLib.measures import dice_by_region
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.registry import SYSTEMS

#: With these first weights the slowest system takes 60 steps on a CPU with AVX-512; a step size this large makes others chaotic.
SETTINGS = replace(Settings(), width=4, crop=(32, 32, 32), seed=4)


@pytest.fixture(scope="module")
def cases():
    """Two cubes in each other, each as bright as its class says, in all modalities alike."""
    images, classes = torch.randn(2, 4, 32, 32, 32, generator=torch.Generator().manual_seed(1)) * 0.3, torch.zeros(2, 32, 32, 32, dtype=torch.int64)
    for sample, corner in enumerate((2, 5)):
        for index, begin, end in ((2, 0, 24), (1, 2, 21), (3, 4, 18)):
            classes[(sample, *[slice(corner + begin, corner + end)] * 3)] = index
    return images + torch.tensor([0.0, 4.0, 2.0, 6.0])[classes][:, None], classes


@pytest.fixture(scope="module")
def teacher(cases):
    return learned(SYSTEMS["teacher"].make(SETTINGS, None), *cases).network


def learned(system, images, classes):
    """Trained until every region's Dice is above 0.95 in both cases; fails where 100 steps do not suffice."""
    optimizer = torch.optim.Adam([parameter for parameter in system.parameters() if parameter.requires_grad], lr=0.05)
    for _ in range(100):
        found, logits = system.losses(images, classes)
        pairs = zip(logits.argmax(dim=1).numpy(), classes.numpy())
        if min(dice for pair in pairs for dice in dice_by_region(*pair).values()) > 0.95:
            return system.eval().requires_grad_(False)
        optimizer.zero_grad()
        found["loss"].backward()
        optimizer.step()
    pytest.fail("The system did not learn two cases.")


@pytest.mark.parametrize("name", ["baseline", "gt+kl", "gt+kd", "gt+kl+kd", "synthesis", "shared-layers", "protokd"])
def test_a_student_learns_two_cases(cases, teacher, name):
    images, classes = cases
    system = learned(SYSTEMS[name].make(SETTINGS, teacher if SYSTEMS[name].taught else None), images, classes)
    for image, true in zip(images[:, 1:2], classes.numpy()):
        found = system.deployed(image[None]).argmax(dim=1)[0].numpy()
        assert min(dice_by_region(found, true).values()) > 0.95


def test_the_residual_network_learns_two_cases(cases):
    learned(SYSTEMS["baseline"].make(replace(SETTINGS, network="residual", width=2), None), *cases)
