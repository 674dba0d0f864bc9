"""``kdnet benchmark``: KDNet and its peers side by side on this machine, from file to file."""

import argparse
import json
import platform
import sys
import tempfile
from pathlib import Path

from KDNetLib import __version__
from KDNetLib.atomic_file import replacing
from KDNetLib.benchmark.measure import PARTS, SMALL, WHOLE, Task, measure
from KDNetLib.benchmark.registry import CONTESTANTS
from KDNetLib.benchmark.tables import summarise, text
from KDNetLib.cli.progress import Progress
from KDNetLib.errors import InputError
from KDNetLib.machine import package_version, processor_name

_PACKAGES = ("torch", "openvino", "numpy", "nibabel")
_AS_THEY_COME = "KDNet keeps freed memory, as kdnet segment always does on Linux; peers run as they come (see --tuned-peers)"
_TUNED = "KDNet and the peers keep freed memory on Linux (--tuned-peers); as they come, the peers may be slower"

_EPILOG = """\
What is compared:
{contestants}
and of KDNet alone: cold (kdnet segment in a new process, at 64³ and on the whole brain), stages (time around the network),
convolution (the machine's best convolution, and the network's share of it).

Every run is a fresh process, the programs take turns, all read one NIfTI and write one. Weights are random unless --model
is given. Leave the machine alone meanwhile. On 2 CPU cores with all peers about 3 minutes and 2 more for every repeat.
"""


def add_parser(subparsers) -> None:
    """Add the subcommand's parser."""
    width = max(map(len, CONTESTANTS))
    contestants = "\n".join(f"  {name:<{width}}  {kind.title}" for name, kind in CONTESTANTS.items())
    parser = subparsers.add_parser(
        "benchmark",
        help="measure the speed of KDNet and of other programs on this machine",
        epilog=_EPILOG.format(contestants=contestants),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scan", metavar="IN", type=Path, nargs="?", help="a NIfTI scan, skull-stripped (default: the synthetic sample)")
    parser.add_argument(
        "--only", metavar="NAME", nargs="+", choices=(*CONTESTANTS, *PARTS), default=(*CONTESTANTS, *PARTS),
        help=f"measure these alone: {', '.join((*CONTESTANTS, *PARTS))} (default: all)",
    )
    parser.add_argument("--repeats", metavar="N", type=_positive, default=5, help="runs of each (default: 5)")
    parser.add_argument("--threads", metavar="N", type=_positive, help="CPU threads of each process (default: as torch chooses)")
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda, cuda:1 or mps (default: cpu); openvino: KDNet in OpenVINO beside the peers on the CPU")
    own = parser.add_mutually_exclusive_group()
    own.add_argument("--model", metavar="NAME|FILE", help="KDNet with this model (default: random weights of the bundled network, whole brain at 1 mm)")
    own.add_argument("--width", metavar="N", type=_positive, help="width of that random network (default: the bundled one's)")
    parser.add_argument("--tuned-peers", action="store_true", help="give the peers KDNet's allocator setting, which makes them faster on Linux")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write every single measurement to FILE")


def run(arguments: argparse.Namespace) -> int:
    """Measure, print the tables and return the exit code. Raises KDNetError where nothing can be started."""
    # Here and not at the top, so that `kdnet --help` does not wait for torch.
    import torch

    from KDNetLib.device import segmentation_device
    from KDNetLib.image_io import read_image
    from KDNetLib.voxel_size import voxel_spacing
    from KDNetLib.resources import resources_folder

    scan = arguments.scan or resources_folder() / "Sample" / "KDNetSampleT1ce.nii.gz"
    image = read_image(scan)
    device = segmentation_device(arguments.device)
    progress = Progress("kdnet benchmark", sys.stderr)

    def failed(name: str, error) -> None:
        progress.clear()
        print(f"kdnet: {name}: {error}", file=sys.stderr)
        if arguments.debug:
            print(error.details, file=sys.stderr)

    with tempfile.TemporaryDirectory(prefix="kdnet-benchmark-") as folder:
        models, ours = _models(arguments, Path(folder))
        task = Task(scan, models, tuple(arguments.only), arguments.repeats, arguments.threads, device, arguments.tuned_peers)
        measured = measure(task, progress.update, failed)
    progress.clear()
    spacing = [round(float(side), 4) for side in voxel_spacing(image.affine)]
    report = {
        "scan": {"name": scan.name, "voxels": image.array.shape, "spacing": spacing},
        "machine": {"processor": processor_name(), "threads": arguments.threads or torch.get_num_threads(), "platform": platform.platform()},
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        "versions": _versions(),
        "ours": ours,
        "allocator": _TUNED if arguments.tuned_peers else _AS_THEY_COME,
        "repeats": arguments.repeats,
        **summarise(measured, spacing),
    }
    print(text(report))
    if arguments.json:
        _write(arguments.json, report)
    parts = [*report["contestants"].values(), *(report[part] for part in PARTS if part in report)]
    return 1 if any(part["failed"] for part in parts) else 0


def _models(arguments: argparse.Namespace, folder: Path) -> tuple[dict[str, Path], str]:
    """KDNet's model files by size, and a sentence about them."""
    from KDNetLib.benchmark.random_weights import random_model
    from KDNetLib.manifest import read_manifest
    from KDNetLib.model_card import printable
    from KDNetLib.model_store import default_model, find_model
    from KDNetLib.preprocessing import Preprocessing

    given = find_model(arguments.model) if arguments.model else None
    manifest = read_manifest(given or default_model())
    kind, parameters = manifest.architecture["name"], dict(manifest.architecture["parameters"])
    network = _in_words(kind, parameters)
    if kind == "Ensemble":  # random weights are those of one network, as every peer is one
        kind = parameters.pop("of")
        del parameters["members"]
    if arguments.width:
        parameters["width"] = arguments.width
    try:
        small = random_model(folder / "small.safetensors", kind, parameters, "paper", 2.0)
        whole = given or random_model(folder / "whole.safetensors", kind, parameters, "whole-brain", 1.0)
    except ValueError as error:
        raise InputError(f"Such a network cannot be built: {error}; choose another width.") from error
    one = _in_words(kind, parameters)
    if given:
        used = Preprocessing(**manifest.preprocessing)
        ours = f"the model {printable(manifest.name)} ({network}, {used.preset} at {used.spacing:g} mm); at 64³ {one} with random weights"
    else:
        ours = f"random weights, {one}, whole brain at 1 mm"
    return {SMALL: small, WHOLE: whole}, ours


def _in_words(kind: str, parameters: dict) -> str:
    return f"{kind} of width {parameters['width']}" + (f" ({parameters['members']} networks)" if "members" in parameters else "")


def _versions() -> dict[str, str | None]:
    names = [*_PACKAGES, *(package for kind in CONTESTANTS.values() for package in kind.packages)]
    return {"kdnet": __version__, "python": platform.python_version()} | {name: package_version(name) for name in names}


def _write(path: Path, report: dict) -> None:
    try:
        with replacing(path) as partial:
            partial.write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror or error}); choose another folder or free some space.") from error


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


_positive.__name__ = "whole number from 1"  # what argparse calls the type in its error
