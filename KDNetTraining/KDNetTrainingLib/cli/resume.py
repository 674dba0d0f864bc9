"""``kdnet resume``: go on with a run that was stopped, killed or failed."""

import argparse
from pathlib import Path

from KDNetTrainingLib.cli import running


def add_parser(subparsers) -> None:
    """Add the subcommand to ``kdnet``."""
    parser = subparsers.add_parser("resume", help="go on with a run that was stopped, killed or failed")
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--data", type=Path, help="where the cases lie now, if they were moved")
    running.add_device(parser)
    running.add_part(parser)


def run(arguments: argparse.Namespace) -> int:
    """Go on; returns 0."""
    return running.resume(arguments.run, arguments.data, arguments.device, arguments.part)
