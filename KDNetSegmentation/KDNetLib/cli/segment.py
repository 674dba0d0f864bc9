"""``kdnet segment``: one scan, or every post-contrast T1 scan in a folder tree, to label map files."""

import argparse
import os
import sys
from pathlib import Path

from KDNetLib.allocator import keep_freed_memory
from KDNetLib.batch import RESULTS_NAME, Case, find_cases, run_batch
from KDNetLib.cli.debug_option import show_details
from KDNetLib.cli.progress import Progress
from KDNetLib.errors import Cancelled, InputError, KDNetError, ModelError
from KDNetLib.file_naming import PROBABILITIES_SUFFIX, SEGMENTATION_SUFFIX, stem
from KDNetLib.model_store import default_model, find_model, fingerprint

_EPILOG = """\
Label maps hold the BraTS values 1 (necrotic tumour core), 2 (peritumoral edema) and 4 (enhancing tumour) on the scan's
own grid. In a folder, files named as post-contrast T1 (*_t1ce, *-t1c, *_T1gd ...) are taken if there are any, else all
that are not named as something else; a bad case does not end the run, and what an earlier run has done is skipped.
For research use only.
"""


def add_parser(subparsers) -> None:
    """Add the subcommand's parser."""
    parser = subparsers.add_parser(
        "segment",
        help="segment the tumour in a scan or in a folder of scans",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", metavar="IN", type=Path, help="a NIfTI file (post-contrast T1, skull-stripped) or a folder")
    parser.add_argument(
        "-o", "--output", metavar="OUT", type=Path,
        help=f"the file to write, or a folder (default: IN{SEGMENTATION_SUFFIX}.nii.gz beside a file, IN-kdnet beside a folder)",
    )
    parser.add_argument(
        "--model", metavar="NAME|FILE", action="append", default=[],
        help="a model by name (see: kdnet models) or file; given again, the models are averaged (default: the bundled one)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps or openvino (default: auto: a GPU, else openvino where it is installed, else cpu)")
    parser.add_argument("--flips", action="store_true", help="average over all 8 mirrored copies, also where the model asks for one or two: up to 8 times slower")
    parser.add_argument("--probabilities", action="store_true", help="also write the four class probabilities as a 4-D file")
    brain = parser.add_mutually_exclusive_group()
    brain.add_argument("--brain-mask", metavar="FILE", type=Path, help="mask of the brain, for one scan with skull")
    brain.add_argument("--skull-strip", action="store_true", help="extract the brain first with HD-BET, which must be installed")


def run(arguments: argparse.Namespace) -> int:
    """Segment and return the exit code. Raises KDNetError where nothing can be started."""
    for path in filter(None, (arguments.input, arguments.brain_mask)):
        if not path.exists():
            raise InputError(f"There is no file or folder {path}; check the name.")
    models = [find_model(name) for name in arguments.model] or [default_model()]
    made_by = fingerprint(models)  # also refuses a file that is no model before anything else is done
    if arguments.input.is_dir():
        return _segment_folder(arguments, models, made_by)
    return _segment_file(arguments, models)


def _segment_file(arguments: argparse.Namespace, models: list[Path]) -> int:
    source = arguments.input
    output = _output_file(source, arguments.output)
    work = _Work(arguments, models)
    try:
        result = work.segment(source, output, source.name)
    except (Cancelled, ModelError):
        raise
    except KDNetError as error:
        show_details(arguments, error)
        print(f"kdnet: {error}", file=sys.stderr)
        return 1
    _show_warnings(source.name, result)
    for key, value in result.volumes_ml.items():
        confidence = f"   confidence {result.confidence[key]:.2f}" if key in (result.confidence or ()) else ""
        print(f"  {_long_name(key):<24}{key:<5}{value:9.2f} ml{confidence}")
    print(f"{output} written ({result.seconds['total']:.1f} s on {result.device}, model {result.model})")
    return 0


def _segment_folder(arguments: argparse.Namespace, models: list[Path], made_by: str) -> int:
    if arguments.brain_mask:
        raise InputError("A brain mask fits one scan, not a folder; use --skull-strip, or give the scans one by one.")
    root = arguments.input
    if not (arguments.output or root.resolve().name):
        raise InputError(f"{root} has no name that the results' folder could be named after; name that folder with -o.")
    output = arguments.output or root.resolve().with_name(f"{root.resolve().name}-kdnet")
    if output.exists() and not output.is_dir():
        raise InputError(f"The output {output} is a file; name a folder for the results of a folder.")
    cases = find_cases(root)
    options = [name for name in ("flips", "probabilities", "skull_strip") if getattr(arguments, name)]
    settings = ", ".join([made_by, *options])
    work = _Work(arguments, models)
    skipped = 0

    def report(number: int, case: Case, state: str, detail) -> None:
        nonlocal skipped
        title = f"[{number}/{len(cases)}] {case.name}"
        if state == "started":
            work.title = title
        elif state == "skipped":
            skipped += 1
            print(f"{title}: done already")
        elif state == "failed":
            show_details(arguments, detail)
            print(f"kdnet: {case.name}: {detail}", file=sys.stderr)
        else:
            _show_warnings(case.name, detail)
            volumes = "  ".join(f"{key} {value:.1f}" for key, value in detail.volumes_ml.items())
            print(f"{title}: {volumes} ml ({detail.seconds['total']:.1f} s)", flush=True)

    failed = run_batch(cases, root, output, lambda source, target: work.segment(source, target, work.title), report, settings=settings)
    print(f"{len(cases) - failed - skipped} done, {skipped} done already, {failed} failed; see {output / RESULTS_NAME}")
    return 1 if failed else 0


class _Work:
    """One loaded segmenter with the options, for one scan after another; ``title`` is what progress is shown under."""

    def __init__(self, arguments: argparse.Namespace, models: list[Path]):
        keep_freed_memory()
        # Here and not at the top, so that `kdnet --help` does not wait for torch.
        from KDNetLib.device import segmentation_device
        from KDNetLib.segmenter import Segmenter
        from KDNetLib.skull_stripping import find_hd_bet

        segmentation_device(arguments.device)  # a device or a program that is not there ends the command, not every case
        if arguments.skull_strip:
            find_hd_bet()
        self.title = ""
        self._arguments = arguments
        self._segmenter = Segmenter(models, arguments.device, arguments.flips)

    def segment(self, source: Path, output: Path, title: str):
        """Segment the file ``source`` into the file ``output`` and return the Segmentation."""
        from KDNetLib.image_io import read_image, write_array, write_labelmap

        progress = Progress(title, sys.stderr)
        try:
            image = read_image(source)
            mask = self._brain_mask(image, progress)
            result = self._segmenter.segment(image, mask, self._arguments.probabilities, progress.update)
        finally:
            progress.clear()
        if self._arguments.probabilities:
            # NIfTI has no half precision; classes go last, as NIfTI wants what is not space.
            probabilities = result.probabilities.transpose(1, 2, 3, 0).astype("float32")
            write_array(_probabilities_file(output), probabilities, result.affine)
        write_labelmap(output, result.classes, result.affine)
        return result

    def _brain_mask(self, image, progress: Progress):
        if self._arguments.brain_mask:
            # Here, because scipy.spatial behind it takes as long to import as the rest but torch.
            from KDNetLib.cli.same_grid import require_same_grid
            from KDNetLib.image_io import read_labelmap

            mask = read_labelmap(self._arguments.brain_mask)
            require_same_grid(image, mask)
            return mask.array != 0
        if self._arguments.skull_strip:
            from KDNetLib.skull_stripping import brain_mask

            progress.update(0, "Extracting the brain with HD-BET")
            return brain_mask(image, self._arguments.device)
        return None


def _output_file(source: Path, wanted: Path | None) -> Path:
    name = f"{stem(source)}{SEGMENTATION_SUFFIX}.nii.gz"
    if wanted is None:
        return source.with_name(name)
    if wanted.is_dir():
        return wanted / name
    if not wanted.name.endswith((".nii", ".nii.gz")):
        raise InputError(f"The output {wanted} is neither a folder nor named .nii or .nii.gz; choose such a name.")
    if wanted.exists() and os.path.samefile(source, wanted):
        raise InputError(f"The output {wanted} is the scan itself; choose another name.")
    return wanted


def _probabilities_file(output: Path) -> Path:
    return output.with_name(f"{stem(output).removesuffix(SEGMENTATION_SUFFIX)}{PROBABILITIES_SUFFIX}.nii.gz")


def _show_warnings(name: str, result) -> None:
    for warning in result.warnings:
        print(f"kdnet: {name}: {warning}", file=sys.stderr)


def _long_name(key: str) -> str:
    from KDNetLib.labels import LABELS

    return {label.key: label.name for label in LABELS}.get(key) or {"TC": "Tumour core", "WT": "Whole tumour"}[key]
