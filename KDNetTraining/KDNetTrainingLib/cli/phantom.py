"""``kdnet phantom``: a folder of generated cases in the manner of BraTS, to try out and to test training with."""

import argparse
import sys
from pathlib import Path


def add_parser(subparsers) -> None:
    """Add the subcommand to ``kdnet``."""
    parser = subparsers.add_parser(
        "phantom",
        help="write a BraTS-like folder of generated cases",
        description="Write generated cases of four modalities with tumour labels, named as an edition of BraTS: procedural brains with grown "
        "tumours, about 5 seconds and 7 MB each. No patient data are needed or used. The same command goes on where it was stopped; "
        "a larger --cases adds more.",
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder to write, new or written by this command")
    parser.add_argument("--cases", metavar="N", type=_count, required=True, help="how many cases the folder shall hold")
    editions = "BraTS 2018, 2019, 2020, 2021, 2023 GLI, 2024 GLI, or MSD Task01"
    parser.add_argument("--edition", default="BraTS 2021", help=f"whose naming: {editions} (default: BraTS 2021)")
    parser.add_argument("--seed", type=int, default=0, help="another number gives other cases (default: 0)")


def run(arguments: argparse.Namespace) -> int:
    """Write the cases; returns 0. Raises InputError where the folder or the edition cannot be used."""
    # Here and not at the top, so that `kdnet --help` does not wait for torch, scipy and nibabel.
    from KDNetLib.cli.progress import Progress
    from KDNetLib.errors import InputError
    from KDNetTrainingLib.phantom.folder import write_folder
    from KDNetTrainingLib.phantom.writing import NAMINGS

    editions = {name.lower(): name for name in NAMINGS}
    editions |= {name.lower().removeprefix("brats "): name for name in NAMINGS}
    edition = editions.get(arguments.edition.lower())
    if edition is None:
        raise InputError(f"There is no edition {arguments.edition}; choose from {', '.join(NAMINGS)}.")
    if arguments.seed < 0:
        raise InputError(f"The seed {arguments.seed} is negative; give 0 or more.")
    line = Progress(str(arguments.folder), sys.stderr)
    try:
        new = write_folder(
            arguments.folder, arguments.cases, edition, arguments.seed, lambda done, total: line.update(done / total, f"generating {total} cases")
        )
    finally:
        line.clear()
    print(f"{arguments.folder}: {arguments.cases} generated cases named as {edition}, {new} of them new.")
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)
