"""Training one system epoch by epoch, so that it survives a kill and goes on with the same numbers."""

import math
import time
from collections.abc import Callable, Sequence

import torch
from torch import nn

from KDNetLib.memory import is_out_of_memory
from KDNetLib.peak_memory import process_peak
from KDNetTrainingLib.data.cache import CachedCase
from KDNetTrainingLib.errors import Stopped, TrainingError
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.stages import stages_of
from KDNetTrainingLib.systems.base import System
from KDNetTrainingLib.training.batches import Batches, seed_of
from KDNetTrainingLib.training.checkpoints import Checkpoints
from KDNetTrainingLib.training.distributed import World
from KDNetTrainingLib.training.interruption import Interruption
from KDNetTrainingLib.training.schedule import new_schedule
from KDNetTrainingLib.training.validation import validate

#: Gradients longer than this are shortened to it (nnU-Net's value).
_LONGEST_GRADIENT = 12.0
#: Seconds between two events of kind ``steps``.
_REPORT_SECONDS = 2.0


class Trainer:
    """Trains ``system`` for ``epochs`` passes over ``cases``.

    Args:
        validation: cases for the schedule and for choosing the best epoch; may be empty, then the last epoch counts.
        coarse: ``cases`` at half the resolution, for the first epochs where ``settings.coarse`` is not 0.
        report: called with the fields of every event of kind ``steps``, ``epoch`` or ``warning``.
        interruption: looked at after every step and epoch.
    """

    def __init__(
        self, system: System, cases: list[CachedCase], validation: list[CachedCase], epochs: int, settings: Settings,
        checkpoints: Checkpoints, world: World, report: Callable[..., None], interruption: Interruption, coarse: Sequence[CachedCase] = (),
    ):
        if world.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(world.device)  # the epochs tell the peak of this training, not of one before
        self._system = system.to(world.device, memory_format=torch.channels_last_3d)
        self._validation, self._epochs, self._settings = validation, epochs, settings
        self._checkpoints, self._world, self._report, self._interruption = checkpoints, world, report, interruption
        self._stages = stages_of(settings, epochs)
        self._batches = Batches(cases, settings, world, self._stages, coarse)
        self._module = world.wrap(self._system)
        # Parameters that must not be trained (a teacher's) do not ask for a gradient.
        parameters = [parameter for parameter in system.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.Adam(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
        self._schedule = new_schedule(self._optimizer, settings, epochs * self._batches.steps)
        self._half = uses_bfloat16(settings.precision, world.device)
        self._parts = 1  # into how many a batch is cut where memory does not suffice
        self._epoch, self._step, self._sums, self._seconds, self._best = 0, 0, {}, 0.0, None
        self._reported_at = 0.0
        self._restore()

    @property
    def epochs_done(self) -> int:
        """How many epochs were finished before, by the last checkpoint."""
        return self._epoch

    @property
    def steps_per_epoch(self) -> int:
        """How many steps an epoch has."""
        return self._batches.steps

    def run(self) -> System:
        """Train from where the last checkpoint left it to the end; returns the system with the best epoch's weights, evaluating.

        Raises Stopped where ``interruption`` asked for the end (everything is saved then), TrainingError where it
        cannot go on.
        """
        while self._epoch < self._epochs:
            self._train_epoch()
            self._end_epoch()
        best = self._checkpoints.load_best(self._world.device) if self._best else None
        if best:
            self._system.load_state_dict(best["network"])
        elif self._best:
            self._report(kind="warning", message="The best epoch's checkpoint is damaged; the last epoch's weights are used instead.")
        return self._system.eval().requires_grad_(False)

    def _train_epoch(self) -> None:
        self._module.train()
        started = time.monotonic()
        for images, classes, names in self._batches.epoch(self._epoch, self._step):
            # What the system itself draws at random is the same again after a resume.
            torch.manual_seed(seed_of(self._settings.seed, self._epoch, self._step, self._world.rank, "step"))
            losses, length = self._optimize(images, classes)
            stop, broken = self._agreed(self._interruption.reason is not None, not all(map(math.isfinite, (*losses.values(), length))))
            if broken:
                raise TrainingError(
                    f"The loss or its gradient is not a finite number in epoch {self._epoch + 1}, case {', '.join(names)}; the checkpoint of epoch {self._epoch} is "
                    "intact. Look at that case, or resume with a lower learning rate in a new run."
                )
            self._optimizer.step()
            self._schedule.after_step()
            self._step += 1
            for name, value in losses.items():
                self._sums[name] = self._sums.get(name, 0.0) + value
            now = time.monotonic()
            self._seconds, started = self._seconds + now - started, now
            self._report_steps(now)
            if stop and self._step < self._batches.steps:
                self._save()
                raise self._stopped()

    def _optimize(self, images: torch.Tensor, classes: torch.Tensor) -> tuple[dict[str, float], float]:
        """Gradients of the mean loss over the batch, in as many parts as memory demands; the losses and the gradient's length."""
        while True:
            try:
                return self._backward(images, classes)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if self._parts >= len(images) or self._world.size > 1:
                    raise self._no_memory("a step") from error
                self._parts = min(len(images), 2 * self._parts)
                self._report(kind="warning", message=f"Memory does not suffice for the whole batch; going on with {self._parts} parts of it one after the other.")

    def _no_memory(self, what: str) -> TrainingError:
        return TrainingError(
            f"{self._world.device} has not enough memory for {what}; resume on another device, or take a new run with a smaller batch_size, "
            "crop or width. The last checkpoint is intact."
        )

    def _backward(self, images, classes) -> tuple[dict[str, float], float]:
        self._optimizer.zero_grad(set_to_none=True)
        means: dict[str, float] = {}
        for part_images, part_classes in zip(images.chunk(self._parts), classes.chunk(self._parts)):
            share = len(part_images) / len(images)
            with torch.autocast(self._world.device.type, torch.bfloat16, enabled=self._half):
                losses = self._module(part_images, part_classes)
            (losses["loss"] * share).backward()
            for name, loss in losses.items():
                means[name] = means.get(name, 0.0) + share * loss.item()
        return means, nn.utils.clip_grad_norm_(self._system.parameters(), _LONGEST_GRADIENT).item()

    def _end_epoch(self) -> None:
        started = time.monotonic()
        train = self._averaged({name: value / self._batches.steps for name, value in self._sums.items()})
        measured = self._validated() if self._validation else {}
        self._epoch, self._step, self._sums = self._epoch + 1, 0, {}
        score = sum(measured[region] for region in ("ET", "TC", "WT")) if measured else 0.0
        better = not self._best or score > self._best["score"] or not measured
        if better:
            self._best = {"epoch": self._epoch, "score": score}
        rate = self._optimizer.param_groups[0]["lr"]
        if measured:
            self._schedule.after_epoch(measured["loss"])
        if self._world.leads and better:
            self._checkpoints.save_best(self._epoch, self._system.state_dict())
        seconds, self._seconds = self._seconds + time.monotonic() - started, 0.0
        self._save()
        self._report(
            kind="epoch", epoch=self._epoch, epochs=self._epochs, train=_rounded(train), validation=_rounded(measured), learning_rate=rate,
            seconds=round(seconds, 2), reading_seconds=round(self._batches.reading_seconds, 3), gpu_gb=_gpu_gigabytes(self._world.device),
            memory_gb=_gigabytes(process_peak()), best=better, left=round(seconds / self._stages.cost(self._epoch - 1) * self._stages.cost_from(self._epoch)),
        )
        self._batches.reading_seconds = 0.0
        if self._epoch < self._epochs and self._agreed(self._interruption.reason_after_epoch is not None)[0]:
            raise self._stopped()

    def _validated(self) -> dict[str, float]:
        try:
            return validate(self._system, self._validation, self._settings, self._world, self._half)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise self._no_memory("a whole validation case") from error

    def _stopped(self) -> Stopped:
        reason = self._interruption.reason_after_epoch or "asked by another process"
        where = f"in epoch {self._epoch + 1}" if self._step else f"after epoch {self._epoch}"
        return Stopped(f"Stopped ({reason}) {where} of {self._epochs}; everything is saved.")

    def _agreed(self, *flags: bool) -> list[bool]:
        """For each flag whether any process has it up."""
        return [total > 0 for total in self._world.sums([float(flag) for flag in flags])]

    def _averaged(self, values: dict[str, float]) -> dict[str, float]:
        return {name: total / self._world.size for name, total in zip(values, self._world.sums(list(values.values())))}

    def _report_steps(self, now: float) -> None:
        if now - self._reported_at < _REPORT_SECONDS and self._reported_at:
            return
        self._reported_at = now
        per_step = self._seconds / self._step
        left = per_step * (self._batches.steps * self._stages.cost_from(self._epoch) / self._stages.cost(self._epoch) - self._step)
        self._report(
            kind="steps", epoch=self._epoch + 1, epochs=self._epochs, step=self._step, steps=self._batches.steps,
            train=_rounded({name: value / self._step for name, value in self._sums.items()}), seconds_per_step=round(per_step, 4), left=round(left),
        )

    def _save(self) -> None:
        if self._world.leads:
            self._checkpoints.save({
                "epoch": self._epoch, "step": self._step, "sums": self._sums, "seconds": self._seconds, "best": self._best,
                "network": self._system.state_dict(), "optimizer": self._optimizer.state_dict(), "schedule": self._schedule.state_dict(),
            })
        self._world.any_of(False)  # nobody goes on before the checkpoint is there

    def _restore(self) -> None:
        state = self._checkpoints.load(self._world.device)
        if state is None:
            return
        self._system.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self._epoch, self._step, self._sums = state["epoch"], state["step"], state["sums"]
        self._seconds, self._best = state["seconds"], state["best"]


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether a training of ``precision`` computes in bfloat16 on ``device`` (``auto``: on GPUs that have it)."""
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return precision == "bfloat16"


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in values.items()}


def _gpu_gigabytes(device: torch.device) -> float | None:
    return _gigabytes(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else None


def _gigabytes(count: int | None) -> float | None:
    return None if count is None else round(count / 2**30, 2)
