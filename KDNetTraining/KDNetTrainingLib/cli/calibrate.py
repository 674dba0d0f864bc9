"""``kdnet calibrate``: from a finished run to a calibrated confidence by region, on the cases that its networks never saw."""

import argparse
import sys
from pathlib import Path


def add_parser(subparsers) -> None:
    """Add the subcommand to ``kdnet``."""
    parser = subparsers.add_parser(
        "calibrate",
        help="calibrate the confidence that comes with results",
        description="Segments every case of a finished run by the network that was not trained on it (cross-validation, or the test cases) and "
        "fits the confidence of each region: the Dice to be expected. Prints how far it can be relied on, and writes the predictions "
        "(RUN/calibration-SYSTEM.csv) and the reliability curve (and .png). The same command goes on where it was stopped.",
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a finished run")
    parser.add_argument("--system", help="label of the system whose model files are calibrated (needed where the run exports several)")
    parser.add_argument("--model", metavar="FILE", type=Path, nargs="+", default=[], help="model files to put the calibration into: trained as the run's networks were")
    parser.add_argument("--data", type=Path, help="where the cases lie now (default: where they were)")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps ...")


def run(arguments: argparse.Namespace) -> int:
    """Calibrate; returns 0. Raises KDNetError where the run is not finished, tells too little or fits no model given."""
    # Here and not at the top, so that `kdnet --help` does not wait for torch and scipy.
    from KDNetLib.allocator import keep_freed_memory

    keep_freed_memory()
    from KDNetLib.cli.progress import Progress
    from KDNetLib.labels import REGIONS
    from KDNetLib.manifest import read_manifest
    from KDNetLib.model_file import write_calibration
    from KDNetTrainingLib.evaluation.calibration import calibration_of, columns_of, held_out_confidence, predictions
    from KDNetTrainingLib.evaluation.held_out import held_out
    from KDNetTrainingLib.run.recorded_plan import recorded_plan
    from KDNetTrainingLib.run.reliability import draw_reliability
    from KDNetTrainingLib.run.run_folder import existing_run

    folder = existing_run(arguments.run)
    plan, place = recorded_plan(folder)
    label, trained = held_out(folder, plan, arguments.data or place, arguments.system)
    _require_alike(arguments.model, trained[0][2])
    table = folder.path / f"calibration-{label.replace('+', '-')}.csv"
    line = Progress("calibrate", sys.stderr)
    try:
        rows = predictions(trained, arguments.device, table, lambda done, total, what: line.update(done / total, what))
    finally:
        line.clear()
    calibration = calibration_of(rows, f"{plan.command}, then kdnet calibrate RUN --system {label} --model FILE")
    confidence = {region: held_out_confidence(rows, region) for region in REGIONS}
    promised, dice = ({region: columns_of(rows, region)[which] for region in REGIONS} for which in (0, 1))
    draw_reliability(table.with_suffix(".png"), promised, confidence, dice, calibration["curve"])
    print(_as_text(calibration, promised, confidence, dice))
    print(f"{table} and {table.with_suffix('.png').name} are written.")
    for path in arguments.model:
        data = read_manifest(path).training.get("data", "the cases of the run")
        write_calibration(path, calibration | {"data": f"{data}, each predicted by a network that was not trained on its patient"})
        print(f"{path} holds the calibration now.")
    return 0


def _require_alike(paths: list[Path], own: Path) -> None:
    """Raise ModelError where a file of ``paths`` sees something else than the run's model file ``own``."""
    from KDNetLib.errors import ModelError
    from KDNetLib.manifest import read_manifest

    of_run = read_manifest(own)
    for path in paths:
        manifest = read_manifest(path)
        if manifest.use != of_run.use:
            raise ModelError(f"{path} differs from the run's models in input, preprocessing or output; calibrate models of one training only.")


def _as_text(calibration: dict, promised: dict, confidence: dict, dice: dict) -> str:
    from KDNetLib.model_card import expected_calibration_error
    from KDNetTrainingLib.evaluation.calibration import reliability_curve, warned

    lines = [
        f"{calibration['cases']} cases, each judged by a map fitted without its fold; the expected calibration error (ECE) is the mean",
        "distance between what was expected and Dice, in five groups of like expectation.",
        f"{'region':<8}{'Dice':>6}{'promised':>10}{'ECE':>7}{'confidence':>12}{'ECE':>7}{'Dice < 0.5':>12}{'warned':>8}{'in vain':>9}",
    ]
    for region, values in dice.items():
        errors = [expected_calibration_error(curve) for curve in (reliability_curve(promised[region], values), calibration["curve"][region])]
        poor, right, vain = warned(confidence[region], values)
        lines.append(
            f"{region:<8}{values.mean():6.3f}{promised[region].mean():10.3f}{errors[0]:7.3f}{confidence[region].mean():12.3f}{errors[1]:7.3f}"
            f"{poor:12}{right:8}{vain:9}"
        )
    return "\n".join(lines)
