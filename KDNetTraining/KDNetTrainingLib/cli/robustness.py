"""``kdnet robustness``: how far Dice falls on distorted versions of cases with a reference."""

import argparse
import sys
from pathlib import Path


def add_parser(subparsers) -> None:
    """Add the subcommand to ``kdnet``."""
    parser = subparsers.add_parser(
        "robustness",
        help="measure how far Dice falls on distorted scans",
        description="Segments every case of a BraTS folder as it is and distorted: thick slices, a turned head, bias field, noise, another "
        "contrast, other number types, padding, another background, left-over skull, a smaller field of view. Prints mean Dice on the distorted "
        "scan's own grid, its fall against the undistorted case with a 95 % bootstrap interval, and the cases missed as a whole (whole tumour's "
        "Dice under 10 %). Cases the model was trained on flatter it; --run avoids that.",
    )
    parser.add_argument("data", metavar="DATA", type=Path, help="folder of BraTS cases")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", metavar="NAME|FILE", action="append", default=[], help="a model by name or file; given again, the models are averaged (default: the bundled one)")
    which.add_argument("--run", metavar="RUN", type=Path, dest="run_folder", help="a finished run: every case by the network that was not trained on it")
    parser.add_argument("--system", metavar="LABEL", help="with --run: label of the system (needed where the run exports several)")
    parser.add_argument("--cases", metavar="NAME", nargs="+", help="these cases alone (default: all)")
    parser.add_argument("--only", metavar="DISTORTION", nargs="+", help="these distortions alone, named as in the table's first column (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="another number draws other noise, fields and axes (default: 0)")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps ...")
    parser.add_argument(
        "-o", "--output", metavar="CSV", type=Path,
        help="write the table there and each case's Dice beside it (…-cases.csv), from which the same command goes on where it was stopped",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Measure, print and write the table; returns 1 where a case was left out or a scan refused, else 0. Raises KDNetError."""
    # Here and not at the top, so that `kdnet --help` does not wait for torch, scipy and nibabel.
    from KDNetLib.allocator import keep_freed_memory

    keep_freed_memory()
    from KDNetLib.cli.progress import Progress
    from KDNetLib.errors import InputError
    from KDNetLib.manifest import read_manifest
    from KDNetLib.model_store import fingerprint
    from KDNetLib.segmenter import Segmenter
    from KDNetTrainingLib.evaluation.distortions import DISTORTIONS, UNDISTORTED
    from KDNetTrainingLib.evaluation.robustness import as_text, measure, summarise, write_table
    from KDNetTrainingLib.modalities import modality_of

    tested = _tested(arguments)
    chosen = _chosen(arguments.only, DISTORTIONS, "distortion")
    wanted = _chosen(arguments.cases, [case.name for _, cases in tested for case in cases], "complete case")
    output, rows, left_out = arguments.output, [], {}
    line = Progress("robustness", sys.stderr)
    try:
        for number, (models, cases) in enumerate(tested):
            rows += measure(
                [case for case in cases if case.name in wanted],
                modality_of(read_manifest(models[0]).modalities[0]),
                [UNDISTORTED, *(name for name in chosen if name != UNDISTORTED)],
                Segmenter(models, arguments.device),
                fingerprint(models),
                arguments.seed,
                output.with_name(f"{output.stem}-cases.csv") if output else None,
                lambda done, total, what: line.update((number + done / total) / len(tested), what),
                left_out.__setitem__,
            )
    finally:
        line.clear()
    for name, reason in left_out.items():
        print(f"kdnet: {name} is left out: {reason}", file=sys.stderr)
    if not rows:
        raise InputError("None of the cases can be used; correct the data.")
    lines = summarise(rows)
    print(as_text(lines))
    if output:
        write_table(output, lines)
    refused = [row for row in rows if row["refused"]]
    for row in refused:
        print(f"kdnet: {row['case']}, {row['distortion']}: {row['refused']}", file=sys.stderr)
    return 1 if refused or left_out else 0


def _tested(arguments: argparse.Namespace) -> list[tuple]:
    """Model files that are averaged, with the cases that they are to segment."""
    from KDNetLib.errors import InputError
    from KDNetLib.model_store import default_model, find_model
    from KDNetTrainingLib.data.cases import find_training_cases
    from KDNetTrainingLib.evaluation.held_out import held_out
    from KDNetTrainingLib.run.recorded_plan import recorded_plan
    from KDNetTrainingLib.run.run_folder import existing_run

    if arguments.run_folder:
        folder = existing_run(arguments.run_folder)
        plan = recorded_plan(folder)[0]
        if len(plan.seeds) > 1:
            raise InputError(f"{arguments.run_folder} has several networks for every case, one per seed; give a run of one seed.")
        _, trained = held_out(folder, plan, arguments.data, arguments.system)
        return [([path], cases) for _, _, path, cases in trained]
    if arguments.system:
        raise InputError("--system belongs to --run; a model file is of one system.")
    models = [find_model(name) for name in arguments.model] or [default_model()]
    cases, left_out = find_training_cases(arguments.data)
    for name, reason in left_out.items():
        print(f"kdnet: {name} is left out: {reason}", file=sys.stderr)
    return [(models, cases)]


def _chosen(names, known, what: str) -> list[str]:
    """Those of ``known`` that ``names`` lists, all where it is None, in the order of ``known``. Raises InputError for another name."""
    from KDNetLib.errors import InputError

    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        raise InputError(f"There is no {what} {', '.join(unknown)}; choose from {', '.join(known)}.")
    return [name for name in known if names is None or name in names]
