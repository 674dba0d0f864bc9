"""The worker process as Slicer meets it: real requests through its real standard input and output."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from engine.generated import affine_of, brain, intensity_model
from KDNetLib.measures import compare

SPACING = (4.0, 4.0, 4.0)


class Worker:
    """A worker process and its answers."""

    def __init__(self):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen([sys.executable, "-m", "KDNetLib.worker"], **pipes, text=True, env=environment)

    def send(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def read(self) -> dict:
        line = self.process.stdout.readline()
        assert line, "the worker ended: " + self.process.stderr.read()
        return json.loads(line)

    def ask(self, **request) -> list[dict]:
        """All events up to the result or the error."""
        self.send(**request)
        events = [self.read()]
        while events[-1]["event"] not in ("result", "error"):
            events.append(self.read())
        assert {event["id"] for event in events} == {request["id"]}
        return events

    def end(self):
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


@pytest.fixture(scope="module")
def worker():
    worker = Worker()
    assert worker.read() == {"event": "ready"}
    yield worker
    worker.end()


@pytest.fixture(scope="module")
def request_of(tmp_path_factory):
    """A sound segmentation request, with the true labels."""
    folder = tmp_path_factory.mktemp("exchange")
    array, labels = brain((36, 42, 32), SPACING)
    np.save(folder / "in.npy", array)
    model = intensity_model(folder / "model.safetensors", array, SPACING, 4.0)
    request = {
        "id": 7, "command": "segment", "array": str(folder / "in.npy"), "affine": affine_of(SPACING).tolist(), "mask": None,
        "models": [str(model)], "device": "cpu", "flips": False, "classes": str(folder / "out.npy"), "probabilities": str(folder / "prob.npy"),
    }
    return request, labels, folder


def test_segment(worker, request_of):
    request, labels, folder = request_of
    *progress, result = worker.ask(**request)
    assert result["event"] == "result"
    np.testing.assert_array_equal(np.load(request["classes"]), labels)
    probabilities = np.load(request["probabilities"])
    assert probabilities.shape == (4, *labels.shape) and probabilities.dtype == np.float16
    assert result["volumes_ml"]["WT"] == pytest.approx((labels > 0).sum() * 0.064)
    assert result["device"] == "cpu" and result["model"] == "by-intensity" and result["warnings"] == [] and result["seconds"]["total"] > 0
    fractions = [event["fraction"] for event in progress if event["event"] == "progress"]
    assert fractions[0] == 0 and fractions[-1] == 1 and fractions == sorted(fractions)


def test_a_mask_is_used(worker, request_of):
    request, labels, folder = request_of
    mask = np.zeros(labels.shape, dtype=np.uint8)
    mask[:, :, :16] = np.load(request["array"])[:, :, :16] != 0
    np.save(folder / "mask.npy", mask)
    assert worker.ask(**request | {"mask": str(folder / "mask.npy")})[-1]["event"] == "result"
    assert not np.load(request["classes"])[:, :, 16:].any()


def test_a_replaced_model_file_is_read_again(worker, request_of, tmp_path):
    request, labels, _ = request_of
    array = np.load(request["array"])
    path = intensity_model(tmp_path / "m.safetensors", array, SPACING, 4.0, name="first")
    assert worker.ask(**request | {"models": [str(path)]})[-1]["model"] == "first"
    intensity_model(path, array, SPACING, 4.0, name="second")
    assert worker.ask(**request | {"models": [str(path)]})[-1]["model"] == "second"


@pytest.mark.parametrize(
    ("change", "kind", "word"),
    [
        ({"models": ["/nowhere/m.safetensors"]}, "ModelError", "cannot be read"),
        ({"models": []}, "ModelError", "No model"),
        ({"device": "cuda:99"}, "DeviceError", "no device cuda:99"),
        ({"affine": np.zeros((4, 4)).tolist()}, "InputError", "degenerate affine"),
        ({"array": "/nowhere/in.npy"}, "Crash", "failed unexpectedly"),
        ({"command": "dance"}, "Crash", "unknown command 'dance'"),
    ],
)
def test_failures_are_answered_and_the_worker_stays(worker, request_of, change, kind, word):
    request, labels, _ = request_of
    error = worker.ask(**request | change)[-1]
    assert (error["event"], error["kind"]) == ("error", kind)
    assert word in error["message"] and error["message"].endswith(".") and "Traceback" in error["details"]
    assert worker.ask(id=8, command="devices")[-1]["devices"][0] == "auto"


def test_pickled_arrays_are_not_opened(worker, request_of, tmp_path):
    request, *_ = request_of
    np.save(tmp_path / "evil.npy", np.array([print], dtype=object), allow_pickle=True)
    assert worker.ask(**request | {"array": str(tmp_path / "evil.npy")})[-1]["kind"] == "Crash"


@pytest.mark.parametrize("line", ["not JSON", "[1, 2]", '"text"', "7"])
def test_lines_that_are_no_request_are_answered_too(worker, line):
    worker.process.stdin.write(line + "\n")
    worker.process.stdin.flush()
    event = worker.read()
    assert (event["id"], event["event"], event["kind"]) == (None, "error", "Crash")
    assert worker.ask(id=9, command="devices")[-1]["event"] == "result"


def test_compare(worker, request_of):
    request, labels, folder = request_of
    moved = np.roll(labels, 1, axis=0)
    np.save(folder / "prediction.npy", labels)
    np.save(folder / "reference.npy", np.array([0, 1, 2, 4])[moved])
    files = {"prediction": str(folder / "prediction.npy"), "reference": str(folder / "reference.npy")}
    result = worker.ask(id=3, command="compare", convention="1/2/4", affine=request["affine"], **files)[-1]
    assert result["regions"] == json.loads(json.dumps(compare(labels, moved, affine_of(SPACING))))
    assert 0 < result["regions"]["WT"]["dice"] < 1
    error = worker.ask(id=4, command="compare", convention="1/2/3", affine=request["affine"], **files)[-1]
    assert error["kind"] == "InputError" and "4" in error["message"]


def test_check_tells_versions(worker):
    import torch

    assert worker.ask(id=5, command="check")[-1]["versions"]["torch"] == torch.__version__


def test_it_ends_when_its_input_closes_even_in_mid_computation(request_of):
    request, *_ = request_of
    worker = Worker()
    try:
        assert worker.read()["event"] == "ready"
        worker.send(**request)
        assert worker.read()["event"] == "progress"
        started = time.monotonic()
        worker.process.stdin.close()
        assert worker.process.wait(timeout=20) == 0
        assert time.monotonic() - started < 10  # at once; the margin is for a busy machine
    finally:
        worker.process.kill()
        worker.process.wait()
        worker.process.stdout.close()
        worker.process.stderr.close()


def test_a_missing_package_is_a_sentence():
    program = "import sys; sys.modules['nibabel'] = None; import KDNetLib.worker as w; w.main()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = '{"id": 1, "command": "check"}\n'
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    process.stdin.write(command)
    process.stdin.flush()
    assert json.loads(process.stdout.readline()) == {"event": "ready"}
    answer = json.loads(process.stdout.readline())
    process.stdin.close()
    process.wait(timeout=30)
    process.stdout.close()
    assert answer["kind"] == "DependencyError" and answer["message"] == "The package nibabel is missing or broken; install KDNet's packages again."
