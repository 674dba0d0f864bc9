"""The option ``--debug``, which every command and every action of one takes."""

import argparse
import traceback


def add_debug(parser: argparse.ArgumentParser) -> None:
    """Add the option to ``parser``."""
    # No default of its own (main.py has it): an action that was not given it must leave what its command was given.
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show the details of an error")


def show_details(arguments: argparse.Namespace, error: BaseException) -> None:
    """Print where ``error`` comes from, if that was asked for."""
    if arguments.debug:
        traceback.print_exception(error)
