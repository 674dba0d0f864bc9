"""``kdnet benchmark``: its arithmetic on timings made by hand, and real runs on a small scan."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cli_support import SHAPE, declare, installed, make_scan, model, run  # noqa: F401 (fixtures)
from engine.generated import DESCRIPTION, random_model, random_network
from torch import nn

from KDNetLib.benchmark.contestant import Contestant
from KDNetLib.benchmark.convolution import sweep
from KDNetLib.benchmark.measure import Task, _Measurement
from KDNetLib.benchmark.observation import NetworkWatch, OpenVINOWatch, clock, counting
from KDNetLib.benchmark.processes import MeasurementError, Processes
from KDNetLib.benchmark.registry import CONTESTANTS, absence
from KDNetLib.benchmark.tables import spread, summarise, text
from KDNetLib.cli import benchmark
from KDNetLib.manifest import read_manifest
from KDNetLib.model_file import save_model
from KDNetLib.networks.base import Network
from KDNetLib.networks.ensemble import ensemble_of
from KDNetLib.runners.openvino_runner import OpenVINORunner
from KDNetLib.runners.runner import FLIPS, ONCE


def timed(seconds, network, peak=1e9, spacing=None, **stages):
    """One run as child.py answers it."""
    return {
        "seconds": seconds, "network_seconds": network, "process_seconds": seconds + 2, "forwards": 8, "voxels": [4, 5, 6],
        "spacing": spacing, "precision": "float32", "peak_bytes": peak, "stages": stages,
    }  # fmt: skip


def entry(runs, gflop=None, **notes):
    return {"title": "a title", "absent": None, "failed": None, "gflop": gflop, "runs": runs} | notes


@pytest.fixture
def measured():
    ours = [timed(1, 0.5, spacing=(1, 1, 1)), timed(2, 0.8, 2e9, (1, 1, 1)), timed(4, 3, spacing=(1, 1, 1))]
    return {
        "contestants": {
            "ours": entry(ours, 100),
            "nnunet": entry([timed(8, 7), timed(30, 20), timed(4, 3)], 7000),
            "segresnet": entry([], absent="left out; install it with: pip install monai"),
            "segresnet-window": entry([timed(5, None)], failed="RuntimeError: no more"),
        },
        "cold": {"failed": None, "seconds": {"64³": [3.0, 1.0], "whole brain": []}},
        "stages": {"failed": None, "runs": [timed(0.9, 0.4, reading=0.2, writing=0.1), timed(0.7, 0.5, reading=0.1, writing=0.3)]},
        "convolution": {
            "failed": None,
            "precision": "bfloat16",
            "rates": [{"channels": 16, "side": 8, "layout": "channels last", "gflops": rate} for rate in (250.0, 500.0)],
        },
    }


def test_medians_spreads_ratios_and_rates(measured):
    assert spread([]) is None and spread([3, 1, 2, 10]) == {"median": 2.5, "min": 1, "max": 10}
    result = summarise(measured, (1.0, 2.0, 0.5))
    ours, peer, absent, broken = (each["summary"] for each in result["contestants"].values())
    assert ours["seconds"] == {"median": 2, "min": 1, "max": 4} and ours["process_seconds"]["median"] == 4
    assert ours["times_ours"] == {"median": 1, "min": 1, "max": 1}
    assert peer["times_ours"] == {"median": 8, "min": 1, "max": 15}, "8/1, 30/2 and 4/4, not the ratio of the medians, 4"
    assert ours["gflop_per_second"] == 100 / 0.8 and peer["gflop_per_second"] == 1000
    assert ours["peak_gb"] == 2 and ours["gpu_peak_gb"] is None
    assert ours["seen_mm"] == [4, 5, 6] and peer["seen_mm"] == [4, 10, 3], "the scan's own grid where none is said"
    assert absent is None and broken["network_seconds"] is None and broken["gflop_per_second"] is None
    assert broken["times_ours"] == {"median": 5, "min": 5, "max": 5}, "its only run against ours of the same turn"
    assert result["cold"]["summary"] == {"64³": {"median": 2, "min": 1, "max": 3}, "whole brain": None}
    stages = result["stages"]["summary"]
    assert list(stages) == ["reading", "writing", "in the network", "around the network", "file to file"]
    assert stages["around the network"]["median"] == pytest.approx((0.5 + 0.2) / 2)
    shares = result["convolution"]["summary"]["shares"]
    assert result["convolution"]["summary"]["best"]["gflops"] == 500
    assert shares["fresh process"] == {"gflop_per_second": 125, "share": 0.25}
    assert shares["warm process"]["share"] == pytest.approx(100 / 0.45 / 500)


def test_without_ours_or_without_any_run_there_is_no_ratio_and_no_share(measured):
    measured["contestants"]["ours"]["runs"] = []
    measured["convolution"]["rates"] = []
    result = summarise(measured, (1.0, 1.0, 1.0))
    assert result["contestants"]["nnunet"]["summary"]["times_ours"] is None
    assert result["convolution"]["summary"] == {"best": None, "shares": {}}
    measured["contestants"] = {}
    assert summarise(measured, (1.0, 1.0, 1.0))["contestants"] == {}


def test_what_is_printed(measured):
    report = {
        "scan": {"name": "case.nii.gz", "voxels": [4, 5, 6], "spacing": [1.0, 2.0, 0.5]},
        "machine": {"processor": "An Engine", "threads": 3, "platform": "Here-1"},
        "device": "cpu", "versions": {"kdnet": "9.9", "monai": None}, "ours": "random weights", "allocator": "as it comes",
        **summarise(measured, (1.0, 2.0, 0.5)),
    }  # fmt: skip
    lines = text(report).splitlines()
    assert "An Engine, 3 threads" in lines[1] and "random" in text(report) and "monai None" not in text(report)
    (row,) = (line for line in lines if line.startswith("nnunet ") and "8.00 (4.00–30.00)" in line)
    cells = "nnunet 8.00 (4.00–30.00) 8.00 (1.00–15.00) 7.00 (3.00–20.00) float32 7000 1000 4×5×6 4×10×3 1.00 10.00 (6.00–32.00) 3"
    assert row.split() == cells.split()
    assert "GPU" not in text(report), "a column without values is left out"
    assert any("pip install monai" in line for line in lines)
    assert any("failed after 1 runs: RuntimeError: no more" in line for line in lines)
    assert any("bfloat16" in line and "500 GFLOP/s" in line for line in lines) and any("125 GFLOP/s, 25 % of that" in line for line in lines)


def test_an_absent_peer_is_a_sentence_with_the_command_that_installs_it():
    class Peer(Contestant):
        packages, install = ("kdnet-no-such-package", "numpy"), "pip install it"

    sentence = absence(Peer)
    assert "kdnet-no-such-package is not" in sentence and "numpy" not in sentence and sentence.endswith("pip install it")
    assert absence(CONTESTANTS["ours"]) is None
    assert all(kind.install == f"pip install {kind.packages[0]}" for name, kind in CONTESTANTS.items() if name != "ours")


def test_contestants_take_turns(tmp_path):
    task = Task(tmp_path, {"64³": tmp_path, "whole brain": tmp_path}, ("ours", "segresnet", "cold"), 2, None, "cpu", False)
    steps = [(name, what) for name, what, *_ in _Measurement(task, tmp_path, None, None)._steps()]
    turns = [("ours", "counting operations"), ("segresnet", "counting operations")]
    turns += [("ours", "run 1 of 2"), ("segresnet", "run 1 of 2"), ("ours", "run 2 of 2"), ("segresnet", "run 2 of 2")]
    assert steps == turns + [("cold", f"{size}, run {turn} of 2") for turn in (1, 2) for size in ("64³", "whole brain")]


def test_operations_are_those_of_the_formula():
    layer, volume = nn.Conv3d(4, 6, 3, padding=1, groups=2), torch.randn(2, 4, 5, 6, 7)
    expected = 2 * 2 * (5 * 6 * 7) * 6 * (4 // 2) * 27  # two per product: samples, voxels, channels out, in of a group, taps
    with torch.inference_mode(), counting() as counter:
        layer(volume)
    assert counter.get_total_flops() == expected
    if torch.backends.mkldnn.is_available():
        with torch.inference_mode(), counting() as counter:
            torch.mkldnn_convolution(volume, layer.weight, layer.bias, (1, 1, 1), (1, 1, 1), (1, 1, 1), 2)
        assert counter.get_total_flops() == expected


def test_only_the_named_network_is_watched():
    inner = nn.Conv3d(1, 1, 3)
    network = nn.Sequential(inner, nn.ReLU())
    with NetworkWatch(nn.Sequential, clock(torch.device("cpu"))) as watch:
        network(torch.zeros(1, 1, 8, 9, 10))
        network(torch.zeros(1, 1, 4, 4, 4))
        inner(torch.zeros(1, 1, 20, 20, 20))
    assert watch.calls == 2 and watch.voxels == (8, 9, 10) and watch.total > 0
    before = watch.total
    network(torch.zeros(1, 1, 8, 9, 10))
    assert (watch.calls, watch.total) == (2, before), "not after the context"
    with counting() as counter, NetworkWatch(nn.Sequential, counter.get_total_flops) as watch:
        torch.ones(9, 9) @ torch.ones(9, 9)
        network(torch.zeros(1, 1, 4, 4, 4))
    assert watch.total == 2 * 2**3 * 27, "what lies around the network is not counted"


def test_a_network_within_a_network_counts_once():
    sizes = {"width": 2, "levels": 3, "skips": 2}
    volume = torch.zeros(1, 1, 16, 16, 16)
    counts = []
    for network in (random_network(0, **sizes), ensemble_of([random_network(seed, **sizes) for seed in range(3)])):
        with counting() as counter, NetworkWatch(Network, counter.get_total_flops) as watch:
            network(volume)
        counts.append(watch.total)
        assert watch.calls == 1
    assert counts[1] == 3 * counts[0] > 0


def test_a_call_that_fails_leaves_the_next_one_counted():
    network = nn.Sequential(nn.Conv3d(1, 1, 3))
    with NetworkWatch(nn.Sequential, clock(torch.device("cpu"))) as watch:
        with pytest.raises(RuntimeError):
            network(torch.zeros(1, 2, 4, 4, 4))
        network(torch.zeros(1, 1, 4, 4, 4))
    assert watch.calls == 2


def test_networks_in_openvino_are_watched(tmp_path):
    pytest.importorskip("openvino", reason="openvino is not installed")
    volume = np.random.default_rng(0).normal(size=(1, 32, 16, 16)).astype(np.float32)
    runner = OpenVINORunner([random_model(tmp_path / "m.safetensors", levels=4, skips=3)])
    with OpenVINOWatch() as watch:
        runner.predict(volume, FLIPS, lambda share: None, print)
    assert watch.calls == 8 and watch.voxels == (32, 16, 16) and watch.total > 0
    before = watch.total
    runner.predict(volume, ONCE, lambda share: None, print)
    assert (watch.calls, watch.total) == (8, before), "not after the context"


def test_the_best_convolution_is_told_by_shape():
    (rate,) = sweep("cpu", "float32", ((3, 8),))
    assert (rate["channels"], rate["side"]) == (3, 8) and rate["layout"] in ("channels last", "channels first")
    assert 0 < rate["gflops"] < 1e5


def test_nothing_slow_is_imported_for_the_help():
    code = "import sys, KDNetLib.cli.benchmark\nprint(sorted({'torch', 'numpy', 'nibabel', 'scipy', 'monai', 'nnunetv2'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_process_that_fails_says_why_in_one_line(tmp_path):
    with pytest.raises(MeasurementError, match="KeyError: '_task_nothing'") as caught:
        Processes(tmp_path, 1).ask("nothing", keep_memory=False)
    assert "Traceback" in caught.value.details


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no signals")
def test_a_real_run_goes_on_where_a_peer_dies(model, installed, tmp_path, capsys):
    declare(installed, "monai", [])
    (installed / "monai.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    scan, told = make_scan(tmp_path / "scan.nii.gz"), tmp_path / "new" / "all.json"
    options = ("--model", model, "--repeats", 1, "--threads", 1, "--json", told)
    code, out, err = run(capsys, "benchmark", scan, "--only", "ours", "segresnet", "cold", "stages", *options)
    assert code == 1 and "failed after 0 runs: its process was ended by signal 9; memory may not have sufficed" in out
    assert err.count("kdnet: segresnet: its process was ended by signal 9") == 1 and "Traceback" not in err
    report = json.loads(told.read_text(encoding="utf-8"))
    (ours,) = report["contestants"]["ours"]["runs"]
    assert report["machine"]["threads"] == ours["threads"] == 1 and report["scan"]["voxels"] == list(SHAPE)
    assert 0 < ours["network_seconds"] < ours["seconds"] < ours["process_seconds"]
    assert ours["forwards"] == 1 and ours["spacing"] == [4, 4, 4]
    assert ours["precision"] in (("bfloat16", "float32") if report["device"] == "openvino" else ("float32",))
    assert all(side % 2 == 0 for side in ours["voxels"]), "the network has two levels"
    assert 30e6 < ours["peak_bytes"] < 8e9
    assert ours["seconds"] / 2 < sum(ours["stages"].values()) < ours["seconds"]
    # The network's convolutions by hand: 2 blocks of width 2, 2 of 4 narrowing to 2, 2 after the skip, and the head.
    taps = 27 * (1 * 2 + 2 * 2) + 27 * (2 * 4 + 4 * 2) / 8 + 27 * (4 * 2 + 2 * 2) + 2 * 4
    assert report["contestants"]["ours"]["gflop"] == pytest.approx(2 * taps * np.prod(ours["voxels"]) / 1e9)
    assert all(0 < seconds < 600 for times in report["cold"]["seconds"].values() for seconds in times)
    assert {*report["cold"]["seconds"]} == {"64³", "whole brain"} and "Writing the file" in report["stages"]["summary"]
    assert not list(Path(scan.parent).glob("*seg*")), "nothing is left beside the scan"


def test_a_width_that_cannot_be_is_refused(tmp_path, capsys):
    scan = make_scan(tmp_path / "scan.nii.gz")
    code, out, err = run(capsys, "benchmark", scan, "--width", 5000)
    assert (code, out) == (2, "") and "width must be a whole number from 1 to 64" in err
    with pytest.raises(SystemExit):
        run(capsys, "benchmark", scan, "--repeats", 0)
    assert "invalid whole number from 1 value: '0'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["segresnet"])
def test_the_peer_runs_where_it_is_installed(name, tmp_path):
    if absence(CONTESTANTS[name]):
        pytest.skip(absence(CONTESTANTS[name]))
    scan, target = make_scan(tmp_path / "scan.nii.gz"), tmp_path / "out.nii.gz"
    request = {"contestant": name, "source": scan, "target": target, "model": "", "device": "cpu", "keep_memory": False}
    answer = Processes(tmp_path, 1).ask("segment", **request)
    import nibabel

    written, source = nibabel.load(target), nibabel.load(scan)
    assert written.shape == SHAPE and np.allclose(written.affine, source.affine) and answer["forwards"] >= 1


def test_of_an_ensemble_the_random_networks_are_one(tmp_path):
    ensemble = ensemble_of([random_network(seed, width=2, levels=3, skips=2) for seed in range(2)])
    path = tmp_path / "ensemble.safetensors"
    save_model(path, ensemble, DESCRIPTION)
    models, ours = benchmark._models(SimpleNamespace(model=str(path), width=None), tmp_path)
    small = read_manifest(models["64³"]).architecture
    assert models["whole brain"] == path and (small["name"], small["parameters"]["levels"]) == ("EncoderDecoder", 3)
    assert "Ensemble of width 2 (2 networks)" in ours and "at 64³ EncoderDecoder of width 2 with random weights" in ours
    wide, _ = benchmark._models(SimpleNamespace(model=str(path), width=4), tmp_path)
    assert read_manifest(wide["64³"]).architecture["parameters"]["width"] == 4
