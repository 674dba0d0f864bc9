"""``kdnet experiment``: several systems under the same data, folds and measures, and a table that compares them."""

import argparse
import shlex
from pathlib import Path

from KDNetTrainingLib.cli import running
from KDNetTrainingLib.cli.parameters import add_parameters, given_parameters, options_of


def add_parser(subparsers) -> None:
    """Add the subcommand to ``kdnet``."""
    parser = subparsers.add_parser(
        "experiment",
        help="train several systems under the same folds and compare them in a table",
        description="Carry out an experiment file (systems, seeds, preset, settings): train every system in every fold, score it, and "
        "write the table beside the paper's. The same command goes on where it ended.",
    )
    parser.add_argument("file", type=Path, help="experiment file (JSON), or the name of one that comes along, such as table2")
    parser.add_argument("data", type=Path, help="folder that holds the BraTS cases")
    parser.add_argument("run", type=Path, help="folder of the run")
    running.add_device(parser)
    add_parameters(parser)


def run(arguments: argparse.Namespace) -> int:
    """Carry the experiment out; returns 0."""
    from KDNetTrainingLib.experiment_file import read_experiment

    given = given_parameters(arguments)
    command = shlex.join(["kdnet", "experiment", str(arguments.file), "DATA", "RUN", *options_of(given)])
    plan = read_experiment(arguments.file, command, given)
    return running.start(plan, arguments.data, arguments.run, arguments.device)
