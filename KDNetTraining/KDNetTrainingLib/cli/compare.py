"""``kdnet compare``: several runs beside each other, to decide what to keep."""

import argparse
from pathlib import Path


def add_parser(subparsers) -> None:
    """Add the subcommand to ``kdnet``."""
    parser = subparsers.add_parser(
        "compare",
        help="set several runs beside each other",
        description="Print a Markdown table of the finished systems of several runs: what each run changed against the first, mean Dice over the tested "
        "cases in per cent on the scans' own grid with its 95 % interval (bootstrap over cases), and the mean difference to the first line, case by "
        "case, with Wilcoxon's p (not corrected for how many are compared).",
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path, help="folders of runs; the first is what the others are held against")
    parser.add_argument("--systems", metavar="LABEL", nargs="+", help="only these systems (default: all that are scored in every fold)")


def run(arguments: argparse.Namespace) -> int:
    """Print the table; returns 0. Raises InputError where there is no run or nothing is finished."""
    from KDNetTrainingLib.evaluation.comparison import compare_runs, comparison_markdown

    print(comparison_markdown(compare_runs(arguments.runs, arguments.systems)))
    return 0
