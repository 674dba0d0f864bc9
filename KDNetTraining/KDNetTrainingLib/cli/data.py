"""``kdnet data``: what a folder of BraTS cases holds, and what is wrong with the cases that cannot be trained on."""

import argparse
import json
import sys
from pathlib import Path


def add_parser(subparsers) -> None:
    """Add the subcommand to ``kdnet``."""
    parser = subparsers.add_parser(
        "data",
        help="say what a BraTS folder holds and which cases can be trained on",
        description="Read every case below a folder of BraTS 2017 to 2021, 2023 or 2024 (glioma), or the Decathlon's Task01, and count per "
        "edition what is usable and what is wrong with the rest. Training uses the usable cases.",
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder that holds the cases, at any depth")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the report; returns 0. Raises InputError where no case is usable."""
    # Here and not at the top, so that `kdnet --help` does not wait for torch and nibabel.
    from KDNetLib.cli.progress import Progress
    from KDNetLib.errors import InputError
    from KDNetTrainingLib.data.inspection import inspect

    line = Progress(str(arguments.folder), sys.stderr)
    try:
        report = inspect(arguments.folder, lambda done, total, name: line.update(done / total, f"reading {total} cases"))
    finally:
        line.clear()
    print(json.dumps(report.as_dict(), indent=1) if arguments.json else report.as_table())
    if not report.usable:
        raise InputError(f"No case of {arguments.folder} can be trained on; see the reasons above.")
    return 0
