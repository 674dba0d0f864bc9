"""The estimate before the start, held against what a real run then takes, and against the real splits."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from KDNetLib.errors import DeviceError, InputError
from KDNetTrainingLib import estimate as module
from KDNetTrainingLib.cli import running
from KDNetTrainingLib.data.cases import TrainingCase
from KDNetTrainingLib.data.folds import inner_split, make_folds
from KDNetTrainingLib.estimate import estimate
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import settings_from
from training.generated_cases import write_case

SETTINGS = settings_from({"crop": (32, 32, 32), "spacing": 4.0, "width": 4, "epochs": 2, "schedule": "polynomial", "inner_validation": 0.25})
PLAN = Plan(("teacher", "gt+kl+kd"), SETTINGS, "kdnet train", exported=("gt+kl+kd",))


def program(*words):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, timeout=120)


def test_it_tells_what_the_run_then_takes(tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps(PLAN.as_dict()))
    told = program("-m", "KDNetTrainingLib.estimate", str(tmp_path / "plan.json"), "--cases", "4", "--device", "cpu")
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    for index in range(4):  # as large as BraTS's grid, so that the cached part is of the usual size
        write_case(tmp_path / "data", f"BraTS2021_{index:05}", seed=index, shape=(60, 60, 39))
    run = RunFolder(tmp_path / "run")
    running.start(PLAN, tmp_path / "data", run.path, "cpu")
    size = sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file())
    assert 0.9 * size < found["disk_bytes"] < 1.1 * size
    seconds = sum(event["seconds"] for event in run.events() if event["kind"] == "epoch")
    assert seconds / 5 < found["seconds"] < 5 * seconds  # the machine may be busier at one time than at the other
    assert 1e8 < found["memory_bytes"] < 3e9 and found["device"] == "cpu"
    if sys.platform == "linux":
        assert found["memory_available_bytes"] > 1e8


SPLITS = [(24, 0, 0.2, 0), (24, 0, 0.0, 6), (30, 3, 0.2, 0), (31, 3, 0.1, 0), (3, 3, 0.2, 0), (2, 0, 0.5, 0)]


@pytest.mark.parametrize("cases, folds, share, test", SPLITS)
def test_cases_are_counted_as_they_will_be_split(cases, folds, share, test):
    listed = [TrainingCase(f"case-{index:02}", f"patient-{index:02}", "", None, {}, Path(), None) for index in range(cases)]
    kept = set(make_folds(listed, folds, 0)[0]) if folds else {case.name for case in listed[:test]}
    expected = tuple(map(len, inner_split([case for case in listed if case.name not in kept], share, 0)))
    settings = replace(SETTINGS, folds=folds, inner_validation=share)
    plan = Plan(("baseline",), settings, "", test=[case.name for case in listed[:test]])
    assert module._counts(plan, cases) == expected


def test_more_epochs_folds_and_systems_take_longer_in_proportion(monkeypatch):
    class Cost:
        step_seconds, validation_seconds, weights = 2.0, 0.5, 1000

        def __init__(self, training, *rest):
            self.step_seconds = 3.0 if training.system != "baseline" and training.system != "teacher" else 2.0

    monkeypatch.setattr(module, "_Cost", Cost)  # only the sum is looked at here
    settings = replace(SETTINGS, epochs=10, epochs_teacher=4, inner_validation=0.2, folds=3, batch_size=3)
    found = estimate(Plan(("baseline", "gt+kl"), settings, "", exported=("gt+kl",)), 30, "cpu")
    # Of 30 cases 10 are tested and 4 validate: 16 make 6 steps of 3. Per fold: baseline, teacher, student.
    assert found.seconds == 3 * (10 * (6 * 2 + 4 * 0.5) + 4 * (6 * 2 + 4 * 0.5) + 10 * (6 * 3 + 4 * 0.5))
    cached = 30 * (4 * 63**3 * 2 + 64**3)
    assert found.disk_bytes == cached + 3 * 4 * 1000 * (7 + 7 + 8)


@pytest.mark.parametrize("spacing, share", [(2.0, 1 / 8), (1.0, 1), (0.5, 1 / 8)])  # kept at 1 and 2 mm; 1 and 1; 0.5 and 1
def test_coarse_cases_take_an_eighth_of_the_disk_or_as_much_again(spacing, share):
    assert module._coarse_bytes(replace(SETTINGS, crop=(64, 64, 64), spacing=spacing, coarse=0.5)) == share
    assert module._coarse_bytes(replace(SETTINGS, spacing=spacing)) == 0


def test_what_cannot_be_is_a_sentence(tmp_path, capsys):
    with pytest.raises(InputError, match=r"^1 usable case\(s\) do not suffice"):
        estimate(replace(PLAN, test=("a",)), 1, "cpu")
    with pytest.raises(InputError, match=r"^2 usable case\(s\) do not suffice"):
        estimate(replace(PLAN, settings=replace(SETTINGS, folds=3)), 2, "cpu")
    with pytest.raises(DeviceError, match="no device cuda:9"):
        estimate(PLAN, 10, "cuda:9")
    (tmp_path / "plan.json").write_text(json.dumps(PLAN.as_dict()))
    for path, device, sentence in ((tmp_path / "plan.json", "cuda:9", "no device cuda:9 here"), (tmp_path, "cpu", "cannot be read as a plan")):
        assert module.main([str(path), "--cases", "9", "--device", device]) == 2
        out, told = capsys.readouterr()
        assert out == "" and sentence in told and len(told.splitlines()) == 1


PEAK = """
import subprocess, sys
from KDNetLib.peak_memory import process_peak
print(process_peak())
if len(sys.argv) > 1:
    block = bytearray(int(sys.argv[1]))
    print(process_peak(), flush=True)
    subprocess.run([sys.executable, "-c", "from KDNetLib.peak_memory import process_peak; print(process_peak())"])
"""


def test_the_peak_is_the_process_own():
    before, after, child = map(int, program("-c", PEAK, str(3 * 10**8)).stdout.split())
    assert 2.9e8 < after - before < 3.2e8
    assert child < before + 5e7  # nothing is inherited from the large one that started it
