"""``kdnet stop``: ask a training to save and end."""

import argparse
import shlex
from pathlib import Path

from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.run.status import RunState


def add_parser(subparsers) -> None:
    """Add the subcommand to ``kdnet``."""
    parser = subparsers.add_parser("stop", help="ask a running training to save and end; it can be resumed")
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--after-epoch", action="store_true", help="let it finish the epoch that it is in")


def run(arguments: argparse.Namespace) -> int:
    """Ask, and say what will happen; returns 0. Raises InputError where there is no run or its folder cannot be written to."""
    state = RunState.read(arguments.run)
    if state.state != "running":
        print(f"Nothing runs in {arguments.run} ({state.state}).")
        return 0
    RunFolder(arguments.run).request_stop(after_epoch=arguments.after_epoch)
    what = "epoch" if arguments.after_epoch else "step"
    asked = ", ".join(f"part {part} ({place.holder})" for part, place in state.parts.items() if place.state == "running") or state.holder
    print(
        f"Asked {asked} to stop: it finishes the {what} (or the scoring) it is in, saves, and ends.\n"
        f"See it end with: kdnet status {shlex.quote(str(arguments.run))} --follow\n"
        f"Go on later with: kdnet resume {shlex.quote(str(arguments.run))}"
    )
    return 0
