"""The training logic as the Python console and headless scripts use it."""

from training_support import SMALL, waitFor  # first: starts the bench
from training_fixtures import *  # noqa: F403

import pytest
from headless_script import runScript
from KDNetLib.errors import InputError, KDNetError
from training.generated_cases import write_cases

SCRIPT = "KDNetTraining/KDNetTrainingPanelLib/KDNetTrain.py"
#: SMALL on the command line.
OPTIONS = ["--preprocessing", "whole-brain", "--spacing", "4", "--crop", "32", "32", "32", "--width", "2", "--device", "cpu"]


def test_train_blocks_and_returns_the_state(logic, cases, tmp_path):
    seen = []
    state = logic.train(
        cases, tmp_path / "run", objective="baseline", modelName="ours", device="cpu", progress=lambda state: seen.append(state.fraction),
        epochs=2, **SMALL,
    )  # fmt: skip
    assert state.state == "finished" and state.done == ["all/baseline"]
    assert seen and seen == sorted(seen)
    assert (tmp_path / "run" / "models" / "ours.safetensors").is_file()
    with pytest.raises(InputError, match="holds a run already"):
        logic.train(cases, tmp_path / "run", device="cpu", epochs=2, **SMALL)


def test_handle_stop_and_resume(logic, cases, tmp_path):
    run = logic.train(cases, tmp_path / "run", device="cpu", wait=False, epochs=1000, **SMALL)
    waitFor(lambda: run.refresh() or run.state.fraction > 0, what="the first step")
    assert logic.run(tmp_path / "run") is run is logic.ownRun
    logic.stop(tmp_path / "run")
    assert run.wait().state == "stopped" and logic.ownRun is None
    fraction = run.state.fraction
    again = logic.resume(tmp_path / "run", device="cpu", wait=False)
    waitFor(lambda: again.refresh() or (again.state.state == "running" and again.state.fraction > fraction), what="the next step")
    again.end()
    assert not again.running


@pytest.mark.parametrize("arguments, words", [
    ({"dataFolder": "{tmp}/nowhere"}, "There is no folder"),
    ({"runFolder": "{tmp}/cases/run"}, "lies in the data folder"),
    ({"runFolder": "{tmp}/full"}, "holds other files"),
    ({"preset": "fast"}, "no preset fast"),
    ({"objective": "everything"}, "no objective everything"),
    ({"modelName": "a/b"}, "name of up to 40 letters"),
    ({"epochs": 0}, "epochs must be from"),
    ({"speed": 1}, "no parameter speed"),
])  # fmt: skip
def test_bad_arguments_are_one_sentence_and_write_nothing(logic, cases, tmp_path, arguments, words):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file.txt").write_text("x")
    before = sorted(tmp_path.rglob("*"))
    given = {"dataFolder": str(cases), "runFolder": str(tmp_path / "run"), **arguments}
    given = {name: value.format(tmp=tmp_path) if isinstance(value, str) else value for name, value in given.items()}
    with pytest.raises(KDNetError) as caught:
        logic.train(**given)
    message = str(caught.value)
    assert words in message and "\n" not in message and message.endswith(".")
    assert sorted(tmp_path.rglob("*")) == before


def test_failure_of_the_process_is_raised_as_its_sentence(logic, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(KDNetError, match="holds no BraTS case"):
        logic.train(tmp_path / "empty", tmp_path / "run", device="cpu", **SMALL)


def test_resume_and_stop_need_a_run(logic, tmp_path):
    for action in (logic.resume, logic.stop):
        with pytest.raises(InputError, match="holds no run"):
            action(tmp_path)
    assert list(tmp_path.iterdir()) == []


def headless(*arguments):
    return runScript(SCRIPT, arguments, {"torch", "nibabel"})


def test_headless_script_trains_goes_on_and_has_honest_exit_codes(bench, tmp_path):
    cases = write_cases(tmp_path / "cases", 3)
    done = headless("--", cases, tmp_path / "run", "--objective", "baseline", "--epochs", "2", *OPTIONS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all/baseline" in done.stdout and done.stdout.rstrip().endswith("finished")
    assert (tmp_path / "run" / "models" / "my-student.safetensors").is_file()
    assert headless("--", cases, tmp_path / "run", *OPTIONS).returncode == 0, "a finished run is finished"
    failed = headless("--", tmp_path / "nowhere", tmp_path / "other", *OPTIONS)
    assert failed.returncode == 2 and "error: There is no folder" in failed.stdout
    assert headless("--", cases).returncode == 2


def test_self_test_passes(trainingModule, bench):
    trainingModule.source.KDNetTrainingTest().runTest()
