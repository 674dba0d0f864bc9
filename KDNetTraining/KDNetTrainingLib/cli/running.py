"""What ``train``, ``experiment`` and ``resume`` have in common: carrying out a plan while a line shows how far it is."""

import argparse
import os
import shlex
import sys
from pathlib import Path


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--device``."""
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps ...")


def start(plan, data: Path, run_path: Path, device: str) -> int:
    """Begin ``plan`` in ``run_path``, or go on with it there; returns 0. Raises what ``record_plan`` raises."""
    from KDNetTrainingLib.run.recorded_plan import record_plan

    record_plan(plan, data, run_path)
    return _carry_out(plan, data, run_path, device)


def resume(run_path: Path, data: Path | None, device: str) -> int:
    """Go on with the run in ``run_path`` with the cases under ``data`` (default: where they were); returns 0.

    Raises InputError where there is no run.
    """
    from KDNetLib.errors import InputError

    if not (run_path / "run.json").exists():
        raise InputError(f"{run_path} holds no run; begin one with kdnet train or kdnet experiment.")
    from KDNetTrainingLib.run.recorded_plan import recorded_plan
    from KDNetTrainingLib.run.run_folder import RunFolder

    plan, place = recorded_plan(RunFolder(run_path))
    return _carry_out(plan, data or place, run_path, device)


def _carry_out(plan, data: Path, run_path: Path, device: str) -> int:
    from KDNetLib.allocator import keep_freed_memory

    keep_freed_memory()  # before torch allocates: page faults cost a third of the time otherwise
    from KDNetTrainingLib.cli.display import Display
    from KDNetTrainingLib.errors import Stopped
    from KDNetTrainingLib.experiment import run_plan

    display = Display(run_path, sys.stderr)
    try:
        run_plan(plan, data, run_path, device, display)
    except Stopped as stop:
        raise Stopped(f"{stop} Go on with: kdnet resume {shlex.quote(str(run_path))}") from stop
    finally:
        display.close()
    if os.environ.get("RANK", "0") == "0":  # of the processes that torchrun started the first speaks for all
        print(f"The run is finished; see {run_path / 'README.md'}.")
    return 0
