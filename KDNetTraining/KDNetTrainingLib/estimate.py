"""What a run will take on this machine: disk, memory and time, measured by a few steps on generated cases.

``python -m KDNetTrainingLib.estimate PLAN.json --cases N`` prints it as one line of JSON.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from KDNetLib.allocator import keep_freed_memory
from KDNetLib.cli.main import EXIT_USAGE
from KDNetLib.device import choose_device
from KDNetLib.errors import InputError, KDNetError
from KDNetLib.memory import available_bytes
from KDNetLib.peak_memory import process_peak
from KDNetLib.preprocessing import Preprocessing
from KDNetTrainingLib.data.cache import CachedCase, fine_of
from KDNetTrainingLib.errors import Stopped
from KDNetTrainingLib.plan import Plan, Training, plan_from
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.stages import SIDES_MM, stages_of
from KDNetTrainingLib.systems.registry import SYSTEMS
from KDNetTrainingLib.training.checkpoints import Checkpoints
from KDNetTrainingLib.training.distributed import World
from KDNetTrainingLib.training.trainer import Trainer, uses_bfloat16
from KDNetTrainingLib.training.validation import validate

#: Steps that are timed after the first, which is slower; no more of them once so many seconds are over.
_STEPS, _SECONDS = 4, 10.0
#: A checkpoint holds every weight and Adam's two means of it; there are two of them, and the best epoch's weights.
_VALUES_PER_WEIGHT = 2 * 3 + 1
#: The files of a generated case.
_BYTES_OF_PHANTOM = 7_000_000


@dataclass(frozen=True)
class Estimate:
    """What a run will take.

    ``disk_bytes`` in the run folder; ``memory_bytes`` at the peak, on ``device``, None where the platform does not
    tell; ``seconds`` for training and validation, without generating and preparing the cases and scoring, which take some
    seconds a case; ``memory_available_bytes`` is what ``device`` had free, None where the platform does not tell.
    """

    disk_bytes: int
    memory_bytes: int | None
    seconds: float
    device: str
    memory_available_bytes: int | None


def estimate(plan: Plan, cases: int, device: str) -> Estimate:
    """Estimate the run of ``plan`` over ``cases`` usable cases of BraTS's size on ``device`` (a name of ``choose_device``).

    Takes seconds to a minute. For a process of its own: its peak memory is what is measured.
    Raises InputError where the cases do not suffice, DeviceError where there is no such device, and TrainingError where
    its memory does not suffice for one step.
    """
    training, validation = _counts(plan, cases)
    world = World(choose_device(device))
    available = available_bytes(str(world.device))
    case = _generated_case(plan.settings)
    trainings = plan.trainings()
    costs = {kind: _Cost(each, plan, case, world) for kind, each in {_kind(each): each for each in trainings}.items()}
    phantoms = max(plan.settings_of(each).phantoms for each in trainings)
    cached = (case.images.nbytes + case.classes.nbytes) * (1 + _coarse_bytes(plan.settings))
    seconds, disk = 0.0, cases * cached + phantoms * (case.images.nbytes + case.classes.nbytes + _BYTES_OF_PHANTOM)
    for each in trainings:
        cost = costs[_kind(each)]
        epochs = plan.epochs(each)
        own = plan.settings_of(each)
        steps = -(-(training + own.phantoms) // own.batch_size)
        seconds += stages_of(own, epochs).cost_from(0) * steps * cost.step_seconds + epochs * validation * cost.validation_seconds
        disk += 4 * cost.weights * (_VALUES_PER_WEIGHT + plan.exports(each))
    return Estimate(round(disk), _peak_memory(world.device), round(seconds, 1), str(world.device), available)


class _Cost:
    """What ``training`` costs: seconds of a step and of the validation of one case, and its number of weights."""

    def __init__(self, training: Training, plan: Plan, case: CachedCase, world: World):
        settings = plan.settings_of(training)
        taught = SYSTEMS[training.system].taught
        teacher = SYSTEMS["teacher"].make(settings, None).network.to(world.device) if taught else None
        system = SYSTEMS[training.system].make(settings, teacher)
        self.weights = sum(weights.numel() for weights in system.parameters())
        clock = _Clock()
        with tempfile.TemporaryDirectory() as folder:
            cases, checkpoints = [case] * settings.batch_size * (_STEPS + 2), Checkpoints(Path(folder), lambda message: None)
            with suppress(Stopped):
                Trainer(system, cases, [], 1, replace(settings, coarse=0.0, whole=0.0), checkpoints, world, lambda **what: None, clock).run()
        self.step_seconds = clock.step_seconds
        half = uses_bfloat16(settings.precision, world.device)
        times = []
        for _ in range(2 if settings.inner_validation else 0):  # the first one is slower
            begin = time.monotonic()
            validate(system, [case], settings, world, half)
            times.append(time.monotonic() - begin)
        self.validation_seconds = min(times, default=0.0)


class _Clock:
    """Times a trainer's steps in the place of its interruption, which is looked at after each, and ends it when that is done."""

    reason_after_epoch = None

    def __init__(self):
        self._times: list[float] = []

    @property
    def reason(self) -> str | None:
        self._times.append(time.monotonic())
        timed, seconds = len(self._times) - 1, self._times[-1] - self._times[0]
        return "measured" if timed >= _STEPS or (timed and seconds > _SECONDS) else None

    @property
    def step_seconds(self) -> float:
        """Mean over the timed steps."""
        return (self._times[-1] - self._times[0]) / (len(self._times) - 1)


def _kind(training: Training) -> tuple:
    """What trainings of about the same cost have in common: the file that makes them, skips and network."""
    return SYSTEMS[training.system].maker.split(".")[0], training.skips, training.network


def _counts(plan: Plan, cases: int) -> tuple[int, int]:
    """How many cases one training trains on and validates with."""
    settings = plan.settings
    rest = cases - math.ceil(cases / settings.folds) if settings.folds else cases - len(plan.test)
    validation = max(1, round(settings.inner_validation * rest)) if settings.inner_validation and rest > 1 else 0
    if cases < settings.folds or rest - validation < 1:
        raise InputError(f"{cases} usable case(s) do not suffice for this training; choose a folder with more.")
    return rest - validation, validation


def _coarse_bytes(settings: Settings) -> float:
    """What the cases at half the resolution take on disk, as a share of the others: all of it where only they are kept on a finer grid."""
    if not settings.coarse:
        return 0.0
    fine, coarse = (fine_of(Preprocessing(settings.preprocessing, spacing)) for spacing in (settings.spacing, 2 * settings.spacing))
    return (coarse / (2 * fine)) ** 3


def _generated_case(settings: Settings) -> CachedCase:
    """A case of the usual size with a tumour, as the cache would hold it."""
    preprocessing = Preprocessing(settings.preprocessing, settings.spacing)
    fine = fine_of(preprocessing)
    shape = [math.ceil(side / settings.spacing) * fine for side in SIDES_MM[settings.preprocessing]]
    images = np.random.default_rng(0).normal(size=(4, *[side - fine + 1 for side in shape])).astype(np.float16)
    classes = np.zeros(shape, np.uint8)
    for index, part in ((2, 0.2), (1, 0.15), (3, 0.1)):  # one in the other, the widest about 6 % of the grid
        classes[tuple(slice(int(side * (0.4 - part)), int(side * (0.4 + part))) for side in shape)] = index
    return CachedCase("generated", images, classes, fine, "")


def _peak_memory(device: torch.device) -> int | None:
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    return torch.mps.driver_allocated_memory() if device.type == "mps" else process_peak()


def main(argv: list[str] | None = None) -> int:
    """Print the estimate as one line of JSON; returns 0, or 2 with a sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python -m KDNetTrainingLib.estimate", description="Print what a run would take on this machine as JSON.")
    parser.add_argument("plan", type=Path, help="JSON file of the plan (what Plan.as_dict gives)")
    parser.add_argument("--cases", type=int, required=True, help="number of usable cases")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps ...")
    arguments = parser.parse_args(argv)
    try:
        content = json.loads(arguments.plan.read_text(encoding="utf-8"))
        print(json.dumps(asdict(estimate(plan_from(content), arguments.cases, arguments.device))))
    except (OSError, ValueError) as error:
        print(f"{arguments.plan} cannot be read as a plan ({error}).", file=sys.stderr)
        return EXIT_USAGE
    except KDNetError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    return 0


if __name__ == "__main__":
    keep_freed_memory()  # as a run does
    sys.exit(main())
