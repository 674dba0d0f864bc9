"""Doing one thing to many cases in several processes, which end with this one however it ends."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

import torch

from KDNetLib.allocator import keep_freed_memory
from KDNetLib.errors import DeviceError
from KDNetLib.machine import usable_cores
from KDNetTrainingLib.data.cases import TrainingCase

#: A process needs two seconds to start, in which another one reads this many bytes of compressed images.
_BYTES_WORTH_A_PROCESS = 20_000_000
#: Preparing or generating one case takes up to a gigabyte.
MOST_PROCESSES = 8


def in_processes(function: Callable, tasks: list[tuple], workers: int) -> Iterator[tuple[int, object]]:
    """Yield (place in ``tasks``, ``function(*task)``) as they are done. One worker means this process itself.

    ``function`` belongs to a module and what it takes and returns can be pickled, since the processes start anew (spawn).
    What it raises is raised here. Raises DeviceError where a process was killed, usually for want of memory.
    """
    if workers == 1:
        for place, task in enumerate(tasks):
            yield place, function(*task)
        return
    executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_begin)
    try:
        with _one_thread_each():
            futures = {executor.submit(function, *task): place for place, task in enumerate(tasks)}
        for future in as_completed(futures):
            yield futures.pop(future), future.result()
    except BrokenProcessPool as error:
        raise DeviceError(
            f"One of the {workers} processes that read the cases was killed, most likely for want of memory; close other programs and start again."
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def _one_thread_each():
    """Processes that start in here compute in one thread: numpy's library asks the environment, and does so when it is loaded."""
    before = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    os.environ.update(dict.fromkeys(before, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def workers_for(cases: list[TrainingCase]) -> int:
    """How many processes are worth starting for ``cases``: at most one per core."""
    size = sum(path.stat().st_size for case in cases for path in case.files if path.exists())
    return max(1, min(usable_cores(), MOST_PROCESSES, len(cases), size // _BYTES_WORTH_A_PROCESS))


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the first one decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    keep_freed_memory()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()  # a killed parent leaves the others waiting for work for ever
    os._exit(1)
