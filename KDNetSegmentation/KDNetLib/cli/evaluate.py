"""``kdnet evaluate``: Dice, HD95 and volumes of predictions against references, for two files or two folders."""

import argparse
import sys
from collections import Counter
from pathlib import Path
from statistics import mean, median

from KDNetLib.cli.debug_option import show_details
from KDNetLib.csv_report import write_rows
from KDNetLib.errors import InputError, KDNetError
from KDNetLib.file_naming import case_key, is_label_map, is_own_output, nifti_files, stem

_MEASURES = ("dice", "hd95", "volume_prediction_ml", "volume_reference_ml")


def add_parser(subparsers) -> None:
    """Add the subcommand's parser."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure predictions against references",
        description="Dice, HD95 (mm) and volumes of ET, TC and WT for two label maps, or for two folders of them matched by case. "
        "Empty regions count as in BraTS: Dice 1 and HD95 0 where both are empty, Dice 0 and HD95 373.13 where one is. "
        "HD95 is the larger of the two directed 95th percentiles.",
    )
    parser.add_argument("prediction", metavar="PRED", type=Path, help="a label map or a folder")
    parser.add_argument("reference", metavar="REF", type=Path, help="a label map or a folder")
    parser.add_argument(
        "--labels", choices=("1/2/4", "1/2/3", "1/2/3/4", "msd"),
        help="numbering of the label maps: BraTS to 2021, 2023, 2024, or Decathlon (default: told by the files' names; "
        "what kdnet segment wrote is always read as 1/2/4)",
    )
    parser.add_argument("--csv", metavar="FILE", type=Path, help="also write the table, with the volumes, to FILE")


def run(arguments: argparse.Namespace) -> int:
    """Measure, print the table and return the exit code. Raises KDNetError where nothing can be started."""
    # Here and not at the top, so that `kdnet --help` does not wait for nibabel and scipy.
    from KDNetLib.labels import REGIONS

    pairs, alone = _pairs(arguments.prediction, arguments.reference)
    numberings = [_numbering(side, arguments.labels) for side in zip(*pairs.values())]
    width = max(map(len, (*pairs, "median")))
    print(f"{'case':<{width}}" + "".join(f"   {region} Dice  HD95 mm" for region in REGIONS))
    results = {}
    for case, (prediction, reference) in pairs.items():
        try:
            results[case] = _measure(prediction, reference, numberings)
        except KDNetError as error:
            show_details(arguments, error)
            print(f"kdnet: {case}: {error}", file=sys.stderr)
        else:
            print(_line(case, width, results[case]), flush=True)
    if len(pairs) > 1 and results:
        for name, summary in (("mean", mean), ("median", median)):
            values = {
                region: {key: summary(result[region][key] for result in results.values()) for key in ("dice", "hd95")}
                for region in REGIONS
            }
            print(_line(name, width, values))
    if arguments.csv:
        _write_csv(arguments.csv, results)
    for sentence in alone:
        print(f"kdnet: {sentence}", file=sys.stderr)
    return 0 if len(results) == len(pairs) else 1


def _pairs(prediction: Path, reference: Path) -> tuple[dict[str, tuple[Path, Path]], list[str]]:
    """Case → (prediction, reference), and sentences about what has no counterpart."""
    for path in (prediction, reference):
        if not path.exists():
            raise InputError(f"There is no file or folder {path}; check the name.")
    if prediction.is_dir() != reference.is_dir():
        raise InputError("One of PRED and REF is a file and the other a folder; give two files or two folders.")
    if not prediction.is_dir():
        return {stem(prediction): (prediction, reference)}, []
    predictions, references = _by_case(prediction, own=True), _by_case(reference, own=False)
    pairs = {case: (path, references[case]) for case, path in predictions.items() if case in references}
    if not pairs:
        raise InputError(
            f"No case of {prediction} is in {reference} (such as {next(iter(predictions))} and {next(iter(references))}); "
            "name the files alike, apart from the modality and seg."
        )
    alone = []
    for here, there, what in ((predictions, references, "prediction"), (references, predictions, "reference")):
        missing = [case for case in here if case not in there]
        if missing:
            alone.append(f"{len(missing)} {what}(s) without a counterpart were left out, such as {missing[0]}.")
    return pairs, alone


def _by_case(folder: Path, own: bool) -> dict[str, Path]:
    """The label maps of ``folder``: those named as such where there are any, else every NIfTI file.

    Where some are this program's own output and some not, only those are taken that are so (``own``) or not.
    """
    files = nifti_files(folder)
    files = [path for path in files if is_label_map(path, folder)] or files
    files = [path for path in files if is_own_output(path) == own] or files
    if not files:
        raise InputError(f"The folder {folder} holds no NIfTI file; check the name.")
    count = Counter(case_key(path) for path in files)
    doubled = next((case for case, number in count.items() if number > 1), None)
    if doubled is not None:
        names = ", ".join(str(path.relative_to(folder)) for path in files if case_key(path) == doubled)
        raise InputError(f"The folder {folder} holds more than one label map of the case {doubled} ({names}); leave one of them.")
    return {case_key(path): path for path in files}


def _numbering(paths: tuple[Path, ...], given: str | None):
    """A function from (path, values) to the numbering of that label map, one of the several ``paths`` on its side."""
    from KDNetLib.image_io import read_labelmap
    from KDNetLib.labels import convention_of

    def told_by_name(path: Path) -> bool:
        try:
            convention_of(path.name, (3, 4))  # both occur in one numbering only, so values alone do not decide
        except InputError:
            return False
        return True

    if given:
        return lambda path, values: "1/2/4" if is_own_output(path) else given
    silent = [path for path in paths if not told_by_name(path)]
    found = set()
    for path in silent:
        try:
            found |= _values(read_labelmap(path).array)
        except InputError:
            continue  # said when its case is measured
    # A case without enhancing tumour cannot tell the numbering by itself, but its folder has one numbering.
    try:
        convention_of(silent[0].name if silent else "", found)
    except InputError as error:
        raise InputError(f"{str(error).rstrip('.')} with the option --labels.") from error
    return lambda path, values: convention_of(path.name, values)


def _measure(prediction: Path, reference: Path, numberings) -> dict[str, dict[str, float]]:
    from KDNetLib.cli.same_grid import require_same_grid
    from KDNetLib.image_io import read_labelmap
    from KDNetLib.labels import to_classes
    from KDNetLib.measures import compare

    images = read_labelmap(prediction), read_labelmap(reference)
    require_same_grid(*images)
    classes = [
        to_classes(image.array, numbering(path, _values(image.array)))
        for image, path, numbering in zip(images, (prediction, reference), numberings)
    ]
    return compare(*classes, images[1].affine)


def _values(labelmap) -> set[int]:
    import numpy as np

    return set(np.unique(labelmap[labelmap != 0]).tolist())  # sorting the background too takes ten times as long


def _line(name: str, width: int, regions: dict[str, dict[str, float]]) -> str:
    return f"{name:<{width}}" + "".join(f"{measures['dice']:10.3f}{measures['hd95']:9.2f}" for measures in regions.values())


def _write_csv(path: Path, results: dict[str, dict[str, dict[str, float]]]) -> None:
    from KDNetLib.labels import REGIONS

    columns = ("case", *(f"{region}_{measure}" for region in REGIONS for measure in _MEASURES))
    rows = [
        {"case": case} | {f"{region}_{key}": f"{value:.6g}" for region, measures in result.items() for key, value in measures.items()}
        for case, result in results.items()
    ]
    write_rows(path, columns, rows)
