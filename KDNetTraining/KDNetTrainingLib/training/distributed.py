"""Several processes as one: what ``torchrun`` starts works on one training, each on its part of every batch."""

import os
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from KDNetTrainingLib.errors import Stopped
from KDNetTrainingLib.systems.base import System


@dataclass(frozen=True)
class World:
    """The processes of a training: this one's ``rank`` among ``size``, and the ``device`` it works on."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the run folder."""
        return self.rank == 0

    def wrap(self, system: System) -> nn.Module:
        """``system`` so that its gradients are averaged over the processes."""
        if self.size == 1:
            return system
        return DistributedDataParallel(system, find_unused_parameters=not system.uses_every_parameter)

    def sums(self, values: list[float]) -> list[float]:
        """Element by element the sum over the processes; every process must call it."""
        if self.size == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64, device=self._device_of_messages())
        distributed.all_reduce(tensor)
        return tensor.tolist()

    def any_of(self, flag: bool) -> bool:
        """Whether ``flag`` is up in any process; all wait here for the last of them."""
        return self.sums([float(flag)])[0] > 0

    def led(self, work: Callable):
        """What ``work`` gives in the first process, None in the others, which wait for it; where it fails there, they raise Stopped."""
        result = error = None
        if self.leads:
            try:
                result = work()
            except BaseException as failure:
                error = failure
        failed = self.any_of(error is not None)
        if error:
            raise error
        if failed:
            raise Stopped("The first of the processes has ended; its message says why.")
        return result

    def _device_of_messages(self) -> torch.device:
        return self.device if self.device.type == "cuda" else torch.device("cpu")


@contextmanager
def world(device: torch.device):
    """The :class:`World` that ``torchrun`` set up (its environment variables), or this process alone.

    With CUDA each process takes the GPU of its local rank (backend nccl); otherwise the backend is gloo.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    # The others wait while the first prepares a large data set or scores a fold, which may take hours.
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(days=7))
    try:
        yield World(device, distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()
