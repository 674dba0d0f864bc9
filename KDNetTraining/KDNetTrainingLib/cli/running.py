"""What ``train``, ``experiment`` and ``resume`` have in common: carrying out a plan while a line shows how far it is."""

import argparse
import os
import shlex
import sys
from pathlib import Path


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--device``."""
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps ...")


def add_part(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--part``."""
    parser.add_argument("--part", metavar="i/n", help="carry out only the i-th of n parts, such as 1/4; others may run at the same time")


def start(plan, data: Path, run_path: Path, device: str, part: str | None = None) -> int:
    """Begin ``plan`` (or its ``part``, such as 1/4) in ``run_path``, or go on with it there; returns 0.

    Raises what ``find_training_cases`` and ``record_plan`` raise; nothing is written then.
    """
    from KDNetTrainingLib.data.cases import find_training_cases
    from KDNetTrainingLib.run.part import Part
    from KDNetTrainingLib.run.recorded_plan import record_plan
    from KDNetTrainingLib.shares import share

    chosen = Part.parsed(part) if part else None
    if chosen:
        share(plan, chosen)  # refused before anything is written
    if _speaks():
        find_training_cases(data)  # the same
        record_plan(plan, data, run_path, chosen)
    return _carry_out(plan, data, run_path, device, chosen)


def resume(run_path: Path, data: Path | None, device: str, part: str | None = None) -> int:
    """Go on with the run in ``run_path``, or with its ``part``, with the cases under ``data`` (default: where they were); returns 0.

    Raises InputError where there is no run.
    """
    from KDNetTrainingLib.run.part import Part
    from KDNetTrainingLib.run.recorded_plan import recorded_plan
    from KDNetTrainingLib.run.run_folder import existing_run

    plan, place = recorded_plan(existing_run(run_path))
    return _carry_out(plan, data or place, run_path, device, Part.parsed(part) if part else None)


def _carry_out(plan, data: Path, run_path: Path, device: str, part) -> int:
    from KDNetLib.allocator import keep_freed_memory

    keep_freed_memory()  # before torch allocates: page faults cost a third of the time otherwise
    from KDNetTrainingLib.cli.display import Display
    from KDNetTrainingLib.errors import Stopped
    from KDNetTrainingLib.experiment import run_plan

    display = Display(part.folder(run_path) if part else run_path, sys.stderr)
    try:
        run_plan(plan, data, run_path, device, display, part)
    except Stopped as stop:
        again = f" --part {part}" if part else ""
        raise Stopped(f"{stop} Go on with: kdnet resume {shlex.quote(str(run_path))}{again}") from stop
    finally:
        display.close()
    if _speaks():
        print(f"{f'Part {part} of the run' if part else 'The run'} is finished; see {run_path / 'README.md'}.")
    return 0


def _speaks() -> bool:
    """Whether this is the first of the processes that torchrun started, which speaks for all, or the only one."""
    return os.environ.get("RANK", "0") == "0"
