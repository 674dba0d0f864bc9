"""Step time against nnU-Net's network, share of an epoch spent reading, and memory by number of cases, as the README gives them.

    .venv/bin/python Testing/tools/measure_training.py --steps --run RUN --data DATA

Each part is measured where its option is given. ``--steps`` needs nnU-Net's network besides what KD-Net needs:
``pip install dynamic-network-architectures``. ``--run`` is the folder of a run, ``--data`` one with BraTS cases.
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_ROOT / "KDNetSegmentation"), str(_ROOT / "KDNetTraining")]

from KDNetLib.allocator import keep_freed_memory  # noqa: E402  (the path comes first)

_STEPS, _WARM_UP = 15, 3
_SIDE, _WIDTH, _LEVELS, _CLASSES = 64, 16, 5, 4
_LINKED_CASES = 1000
#: Steps of the network while memory is measured; the rest of the epoch is only read, since a step leaves nothing behind.
_STEPS_FOR_MEMORY = 24


def measure_steps() -> None:
    """Forward, loss, backward and Adam of both networks in turn, so that what else the machine does meets both alike."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from KDNetLib.networks.encoder_decoder import EncoderDecoder
    from KDNetTrainingLib.losses import segmentation_loss

    torch.manual_seed(0)
    volume = torch.randn(1, 1, _SIDE, _SIDE, _SIDE).contiguous(memory_format=torch.channels_last_3d)
    reference = torch.randint(_CLASSES, (1, _SIDE, _SIDE, _SIDE))
    own = EncoderDecoder(width=_WIDTH, levels=_LEVELS, skips=_LEVELS - 1)
    networks = {"KD-Net EncoderDecoder": own, "nnU-Net PlainConvUNet": _plain_conv_unet()}
    networks = {name: network.to(memory_format=torch.channels_last_3d).train() for name, network in networks.items()}
    optimizers = {name: torch.optim.Adam(network.parameters(), lr=1e-4) for name, network in networks.items()}

    def step(name: str) -> float:
        started = time.perf_counter()
        optimizers[name].zero_grad(set_to_none=True)
        segmentation_loss(reference, networks[name](volume)).backward()
        optimizers[name].step()
        return time.perf_counter() - started

    gflop = {}
    for name in networks:
        with FlopCounterMode(display=False) as counter:
            step(name)
        gflop[name] = counter.get_total_flops() / 1e9
    seconds = [{name: step(name) for name in networks} for _ in range(_WARM_UP + _STEPS)][_WARM_UP:]
    print(f"Training step at {_SIDE}³, batch 1, width {_WIDTH}, float32, {torch.get_num_threads()} threads, median of {_STEPS} (torch {torch.__version__})")
    for name, network in networks.items():
        taken = statistics.median(each[name] for each in seconds)
        size = sum(parameter.numel() for parameter in network.parameters()) / 1e6
        print(f"{name:22} {1000 * taken:7.0f} ms {gflop[name]:7.1f} GFLOP {gflop[name] / taken:6.0f} GFLOP/s {size:6.2f} M parameters")
    first, second = networks
    ratio = statistics.median(gflop[first] / each[first] / (gflop[second] / each[second]) for each in seconds)
    print(f"{first} does {ratio:.2f} times the GFLOP/s of {second}, median of the pairs.")


def _plain_conv_unet():
    from dynamic_network_architectures.architectures.unet import PlainConvUNet
    from torch import nn

    return PlainConvUNet(
        input_channels=1, n_stages=_LEVELS, features_per_stage=[_WIDTH * 2**level for level in range(_LEVELS)], conv_op=nn.Conv3d, kernel_sizes=3,
        strides=[1, *[2] * (_LEVELS - 1)], n_conv_per_stage=2, num_classes=_CLASSES, n_conv_per_stage_decoder=2, conv_bias=True,
        norm_op=nn.InstanceNorm3d, norm_op_kwargs={"eps": 1e-5, "affine": True}, nonlin=nn.LeakyReLU, nonlin_kwargs={"inplace": True},
        deep_supervision=False,
    )


def measure_reading(run: Path) -> None:
    """The share of reading and augmenting in the epochs of every training of ``run``."""
    from KDNetTrainingLib.run.event_log import EventLog

    seconds: dict[str, list[tuple[float, float]]] = {}
    for event in EventLog(run / "events.jsonl").new():
        if event["kind"] == "epoch":
            seconds.setdefault(event["training"], []).append((event["reading_seconds"], event["seconds"]))
    if not seconds:
        raise SystemExit(f"{run} holds no finished epoch; give the folder of a run.")
    print(f"Reading and augmenting, share of an epoch (training and validation), {run}")
    for name, epochs in (*seconds.items(), ("all", [epoch for epochs in seconds.values() for epoch in epochs])):
        reading, whole = (sum(values) for values in zip(*epochs))
        print(f"{name:24} {len(epochs):5} epochs {100 * reading / whole:6.2f} %  ({reading / len(epochs):.2f} of {whole / len(epochs):.1f} s)")


def measure_memory(data: Path) -> None:
    """Peak memory of opening the cache and going through an epoch, with the cases of ``data`` and with many links to them."""
    with tempfile.TemporaryDirectory(prefix="kdnet-measure-") as folder:
        few, many = Path(folder) / "few", Path(folder) / "many"
        count = _in_new_process(_prepare, data, few)
        _in_new_process(_link, data, few, many)
        print(f"Peak memory of opening the cache and going through an epoch, preset paper, {_STEPS_FOR_MEMORY} training steps in it")
        for cases, cache, number in ((data, few, count), (many / "cases", many, _LINKED_CASES)):
            peak, reading = _in_new_process(_epoch, cases, cache, number)
            print(f"{number:5} cases {peak / 2**20:7.0f} MiB, {1000 * reading:.1f} ms to read and augment a case")


def _in_new_process(task, *arguments):
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        return executor.submit(task, *arguments).result()


def _cached(data: Path, place: Path, progress):
    from KDNetLib.preprocessing import Preprocessing
    from KDNetTrainingLib.data.cache import build_cache
    from KDNetTrainingLib.data.cases import find_training_cases

    cases, _ = find_training_cases(data)
    return build_cache(cases, place / "cache", Preprocessing("paper", 2.0), progress)[0]


def _prepare(data: Path, place: Path) -> int:
    return len(_cached(data, place, lambda done, total, name: None))


def _link(data: Path, few: Path, many: Path) -> None:
    """1,000 cases that are links to those of ``data``, and their cache, whose files are hard links to those in ``few``."""
    from KDNetLib.preprocessing import Preprocessing
    from KDNetTrainingLib.data.cache import _key  # what is looked for under which name is the cache's own business
    from KDNetTrainingLib.data.cases import find_training_cases

    originals, _ = find_training_cases(data)
    usable = [case for case in originals if (few / "cache" / case.name).exists()]
    source_of = {}
    for number in range(_LINKED_CASES):
        source, name = usable[number % len(usable)], f"BraTS2021_{number:05}"
        folder = many / "cases" / name
        folder.mkdir(parents=True)
        files = {modality: image.path for modality, image in source.images.items()} | {"seg": source.reference}
        for suffix, path in files.items():
            (folder / f"{name}_{suffix}{''.join(path.suffixes[-2:])}").symlink_to(path.resolve())
        source_of[name] = source.name
    for case in find_training_cases(many / "cases")[0]:
        (stored,) = (few / "cache" / source_of[case.name]).iterdir()
        place = many / "cache" / case.name / _key(case, Preprocessing("paper", 2.0))
        place.mkdir(parents=True)
        for path in stored.iterdir():
            os.link(path, place / path.name)


def _epoch(data: Path, place: Path, expected: int) -> tuple[int, float]:
    """Peak memory in bytes of this process after an epoch of the baseline, and seconds of reading per case."""
    keep_freed_memory()
    import torch

    from KDNetLib.peak_memory import process_peak
    from KDNetTrainingLib.settings import Settings
    from KDNetTrainingLib.systems.supervised import baseline
    from KDNetTrainingLib.training.batches import Batches
    from KDNetTrainingLib.training.distributed import World

    def refuse(done: int, total: int, name: str) -> None:
        raise RuntimeError(f"{name} was not found in the cache, so that opening it is not what is measured")

    cases = _cached(data, place, refuse)
    if len(cases) != expected:
        raise RuntimeError(f"{len(cases)} cases were found, {expected} expected")
    settings = Settings()
    system = baseline(settings, None).to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.Adam(system.parameters(), lr=1e-4)
    batches = Batches(cases, settings, World(torch.device("cpu")))
    for number, (images, classes, _) in enumerate(batches.epoch(0, 0)):
        if number < _STEPS_FOR_MEMORY:
            optimizer.zero_grad(set_to_none=True)
            system(images, classes)["loss"].backward()
            optimizer.step()
    return process_peak(), batches.reading_seconds / len(cases)


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", action="store_true", help="time training steps against nnU-Net's network")
    parser.add_argument("--run", type=Path, help="folder of a run: how much of its epochs was reading")
    parser.add_argument("--data", type=Path, help="folder of BraTS cases: memory with them and with 1,000 links to them")
    arguments = parser.parse_args()
    if not (arguments.steps or arguments.run or arguments.data):
        parser.error("give --steps, --run RUN, --data DATA, or several of them")
    if arguments.steps:
        keep_freed_memory()
        measure_steps()
    if arguments.run:
        measure_reading(arguments.run)
    if arguments.data:
        measure_memory(arguments.data)


if __name__ == "__main__":
    main()
