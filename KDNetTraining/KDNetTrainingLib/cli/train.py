"""``kdnet train``: teacher, then student, then a model file, from a BraTS folder."""

import argparse
import shlex
from pathlib import Path

from KDNetTrainingLib.cli import running
from KDNetTrainingLib.cli.parameters import add_parameters, given_parameters, options_of


def add_parser(subparsers) -> None:
    """Add the subcommand to ``kdnet``."""
    parser = subparsers.add_parser(
        "train",
        help="train teacher and student on a BraTS folder and export a model file",
        description="Train KD-Net's teacher, then its student, and write the model files of both. The same command (or kdnet resume) "
        "goes on where a stopped run ended. With more --epochs-student, where that was given, it prolongs a finished one; else with more --epochs, if --epochs-teacher stays as it was "
        "given and the student does not begin with the baseline.",
    )
    parser.add_argument("data", type=Path, help="folder that holds the BraTS cases")
    parser.add_argument("run", type=Path, help="folder of the run: settings, events, checkpoints, model file")
    parser.add_argument("--preset", default="paper", help="parameters to start from: paper (default), full or student (of the model that ships; its student was GT+KD: kdnet experiment student)")
    running.add_device(parser)
    parser.add_argument("--test", nargs="+", default=[], metavar="CASE", help="cases kept out of training and scored at the end")
    parser.add_argument("--name", default="my-student", help="name of the exported model (default: my-student)")
    parser.add_argument("--data-text", default="", metavar="TEXT", help="what the data are and whom to attribute, for the model's card")
    parser.add_argument("--licence", default="not stated", metavar="TEXT", help="licence of the model file (default: not stated)")
    add_parameters(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train and export; returns 0."""
    from KDNetTrainingLib.plan import Plan
    from KDNetTrainingLib.settings import preset, settings_from

    given = given_parameters(arguments)
    settings = settings_from(given, preset(arguments.preset))
    systems = ("gt+kl+kd",) if settings.teacher_model else ("teacher", "gt+kl+kd")
    plan = Plan(
        systems, settings, _command(arguments, given), test=arguments.test,
        name=arguments.name, exported=systems, data_text=arguments.data_text, licence=arguments.licence,
    )
    return running.start(plan, arguments.data, arguments.run, arguments.device)


def _command(arguments: argparse.Namespace, given: dict) -> str:
    texts = {"name": arguments.name, "data-text": arguments.data_text, "licence": arguments.licence}
    described = [word for option, text in texts.items() if text for word in (f"--{option}", text)]
    test = ["--test", *arguments.test] if arguments.test else []
    return shlex.join(["kdnet", "train", "DATA", "RUN", "--preset", arguments.preset, *options_of(given), *described, *test])
