"""``kdnet systems``: what can be trained and compared, under the paper's names."""

import argparse
import json
from dataclasses import asdict


def add_parser(subparsers) -> None:
    """Add the subcommand to ``kdnet``."""
    parser = subparsers.add_parser(
        "systems",
        help="list the systems that can be trained and compared",
        description="List the systems that an experiment file may name, with what they see in training and at test, whether the number "
        "of skips (-0skips to -3skips) and the network (-residual) can be chosen behind the name, and the source. T1ce and the four "
        "stand for the parameters student_modality and teacher_modalities.",
    )
    parser.add_argument("--json", action="store_true", help="machine-readable, everything")


def run(arguments: argparse.Namespace) -> int:
    """List them; returns 0."""
    from KDNetTrainingLib.systems.registry import SYSTEMS

    if arguments.json:
        print(json.dumps([{"name": name, **asdict(entry)} for name, entry in SYSTEMS.items()], indent=1))
        return 0
    header = ("name", "the paper's name", "what it is", "trained with", "tested with", "skips", "network")
    rows = [
        (name, entry.title, entry.what, entry.trained_with, entry.tested_with, "0 to 4" if entry.takes_skips else "-",
         "any" if entry.takes_network else "-")
        for name, entry in SYSTEMS.items()
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    for row in (header, *rows):
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths)).rstrip())
    print("\nSources:")
    for source in dict.fromkeys(entry.source for entry in SYSTEMS.values()):
        print(f"  {', '.join(name for name, entry in SYSTEMS.items() if entry.source == source)}: {source}")
    return 0
