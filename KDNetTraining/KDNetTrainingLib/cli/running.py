"""What ``train``, ``experiment`` and ``resume`` have in common: carrying out a plan while a line shows how far it is."""

import argparse
import os
import shlex
import sys
from pathlib import Path


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--device``."""
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps ...")


def record_plan(plan, data: Path, run_path: Path) -> None:
    """Write into ``run_path`` what the run is, so that :func:`resume` can carry it out. Needs no torch.

    What never got as far as its data is replaced; otherwise the plan must be the one that the run began with, or have
    more epochs. Raises InputError where the folder holds another run, is at work, or cannot be written.
    """
    from KDNetLib.errors import InputError
    from KDNetTrainingLib.run.lock import locked
    from KDNetTrainingLib.run.run_folder import RunFolder

    run = RunFolder(run_path)
    facts = plan.as_dict()
    settings, command = facts.pop("settings"), facts.pop("command")
    # A teacher that learnt more would have taught the student's first epochs differently, so only the student's grow.
    may_grow = ("epochs",) if plan.settings.epochs_teacher else ()
    try:
        with locked(run.path / "lock"):
            if run.read("data") is None:
                run.write("run", facts)
                run.write("settings", settings)
                run.write("origin", {"data": str(data.resolve()), "command": command})
            else:
                run.record("run", facts)
                run.record("settings", settings, may_grow)
    except OSError as error:
        raise InputError(f"{run.path} cannot be written to ({error.strerror}); choose another run folder.") from error


def start(plan, data: Path, run_path: Path, device: str) -> int:
    """Begin ``plan`` in ``run_path``, or go on with it there; returns 0. Raises what :func:`record_plan` raises."""
    record_plan(plan, data, run_path)
    return _carry_out(plan, data, run_path, device)


def resume(run_path: Path, data: Path | None, device: str) -> int:
    """Go on with the run in ``run_path`` with the cases under ``data`` (default: where they were); returns 0.

    Raises InputError where there is no run.
    """
    from KDNetLib.errors import InputError
    from KDNetTrainingLib.plan import plan_from
    from KDNetTrainingLib.run.run_folder import RunFolder

    if not (run_path / "run.json").exists():
        raise InputError(f"{run_path} holds no run; begin one with kdnet train or kdnet experiment.")
    run = RunFolder(run_path)
    facts, settings, origin = (run.read(name) for name in ("run", "settings", "origin"))
    if not settings or not origin or not {"data", "command"} <= set(origin):
        raise InputError(f"{run_path} lacks settings.json or origin.json, or they are damaged; bring them back from a copy or begin a new run.")
    plan = plan_from({**facts, "settings": settings, "command": origin["command"]})
    return _carry_out(plan, data or Path(origin["data"]), run_path, device)


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
