"""What each system is made of and computes: parameters and floating-point operations, counted once for a run."""

from dataclasses import asdict, dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from KDNetTrainingLib.evaluation.rebuilt import untrained
from KDNetTrainingLib.evaluation.summaries import in_papers_order
from KDNetTrainingLib.modalities import MODALITIES
from KDNetTrainingLib.plan import Plan, Training
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.systems.any_subset import AnySubsetSystem


@dataclass(frozen=True)
class Counted:
    """What a system is made of: ``parameters`` of the network that is used at test and ``trained_parameters`` in training.

    ``forward_gflop``: 10⁹ operations (a multiplication and an addition are two) of that network on one sample of the
    settings' ``crop``; ``step_gflop`` of a training step, forward and backward, a teacher's pass included.
    """

    parameters: int
    trained_parameters: int
    forward_gflop: float
    step_gflop: float


def count_costs(run: RunFolder, plan: Plan) -> None:
    """Write counted.json: by label what :func:`counted` gives, of every system of ``plan``; what is there already is not counted again."""
    before = run.read("counted") or {}
    missing = [training for training in in_papers_order(plan.trainings()) if training.label not in before]
    if missing:
        run.write("counted", before | {training.label: asdict(counted(plan, training)) for training in missing})


def counted(plan: Plan, training: Training) -> Counted:
    """Count the system of ``training``, on the CPU; systems that drop modalities in training are counted with all of them."""
    settings = plan.settings_of(training)
    with torch.random.fork_rng(devices=[]):
        system = untrained(plan, training).eval()
        network, seen = system.deployed, system.modalities
        if isinstance(system, AnySubsetSystem):
            system.modalities = system.all_modalities
        forward = _operations(lambda images, classes: network(images[:, : len(seen)]), network.divisor, settings.crop)
        step = settings.batch_size * _operations(lambda images, classes: system(images, classes)["loss"].backward(), network.divisor, settings.crop)
    return Counted(_size(network.parameters()), _size(weights for weights in system.parameters() if weights.requires_grad), forward / 1e9, step / 1e9)


def _operations(work, divisor: int, crop: tuple[int, int, int]) -> float:
    """Floating-point operations of ``work``(images, classes) on one sample of ``crop``, without the time that it takes.

    Every operation is done either for all voxels or once, so that two small grids tell what a large one takes. They are
    the smallest at whose deepest level an instance still has a mean and a deviation.
    """
    smallest = max(divisor, 16)
    voxels, operations = [], []
    for sides in ((smallest, smallest, 2 * smallest), (smallest, smallest, 4 * smallest)):
        images, classes = torch.randn(1, len(MODALITIES), *sides), torch.randint(0, 4, (1, *sides))
        with FlopCounterMode(display=False) as counter:
            work(images, classes)
        voxels.append(classes.numel())
        operations.append(counter.get_total_flops())
    per_voxel = (operations[1] - operations[0]) / (voxels[1] - voxels[0])
    return operations[0] + per_voxel * (crop[0] * crop[1] * crop[2] - voxels[0])


def _size(parameters) -> int:
    return sum(weights.numel() for weights in parameters)
