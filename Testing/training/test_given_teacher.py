"""A teacher that was trained in another run: it teaches, is kept with the run, and is refused where it cannot teach."""

from dataclasses import replace

import pytest
import torch

from KDNetLib.errors import InputError, ModelError
from KDNetLib.model_file import load_model
from KDNetTrainingLib.cli import running
from KDNetTrainingLib.given_teacher import check_teacher
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.settings import settings_from
from training.generated_cases import write_cases

TINY = settings_from({
    "crop": (32, 32, 32), "spacing": 4.0, "width": 2, "epochs": 1, "learning_rate": 0.01, "schedule": "polynomial", "inner_validation": 0.3,
})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("data"), 4)


@pytest.fixture(scope="module")
def first(data, tmp_path_factory):
    """A run that trained both and exported both."""
    run = tmp_path_factory.mktemp("first") / "run"
    running.start(Plan(("teacher", "gt+kl+kd"), TINY, "", name="both", exported=("teacher", "gt+kl+kd")), data, run, "cpu")
    return run


def taught_by(path, **changes):
    return Plan(("gt+kl+kd",), replace(TINY, teacher_model=str(path), **changes), "", name="second", exported=("gt+kl+kd",))


def test_both_are_exported_and_the_teacher_says_what_it_is(first):
    assert {path.name for path in (first / "models").iterdir()} == {"both.safetensors", "both-teacher.safetensors"}
    network, manifest = load_model(first / "models/both-teacher.safetensors")
    assert manifest.modalities == ["t1", "t1ce", "t2", "flair"] and network.parameters_given["channels"] == 4


def test_a_given_teacher_teaches_the_same_student_as_one_of_the_run(first, data, tmp_path):
    """In half precision, as its file keeps it; so the student's first epoch is the same to a few digits."""
    given = tmp_path / "given.safetensors"
    given.write_bytes((first / "models/both-teacher.safetensors").read_bytes())
    running.start(taught_by(given), data, tmp_path / "run", "cpu")
    assert sorted(path.name for path in (tmp_path / "run/all").iterdir()) == ["gt+kl+kd"]
    manifest = load_model(tmp_path / "run/models/second.safetensors")[1]
    assert "by a teacher that was given as given.safetensors" in manifest.training["summary"] and manifest.citation.startswith("Hu M")
    given.unlink()
    running.resume(tmp_path / "run", None, "cpu")  # its own copy is enough
    ours, theirs = (load_model(path)[0].state_dict() for path in (tmp_path / "run/models/second.safetensors", first / "models/both.safetensors"))
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=2e-2, atol=2e-2)
    assert any(not torch.equal(ours[name], value) for name, value in theirs.items())  # it is not simply a copy


@pytest.mark.parametrize(("changes", "words"), [
    ({"width": 4}, "width 2 where this training has 4"),
    ({"skips": 0}, "skips 4 where this training has 0"),
    ({"network": "residual"}, "network plain where this training has residual"),
    ({"spacing": 2.0}, "spacing 4.0 where this training has 2.0"),
    ({"preprocessing": "whole-brain"}, "preprocessing paper where this training has whole-brain"),
    ({"teacher_modalities": ("t1ce", "flair")}, "teacher_modalities t1 t1ce t2 flair where this training has t1ce flair"),
])
def test_a_teacher_of_another_kind_is_refused_before_anything_is_written(first, data, tmp_path, changes, words):
    plan = taught_by(first / "models/both-teacher.safetensors", **changes)
    with pytest.raises(InputError, match=words):
        running.start(plan, data, tmp_path / "run", "cpu")
    assert not (tmp_path / "run/run.json").exists()


def test_what_is_no_teacher_is_refused(first, tmp_path):
    with pytest.raises(InputError, match="teacher_modalities t1ce where"):
        check_teacher(taught_by(first / "models/both.safetensors").settings)
    with pytest.raises(ModelError, match="cannot be read"):
        check_teacher(taught_by(tmp_path / "nothing.safetensors").settings)
    (tmp_path / "pickle.safetensors").write_bytes(b"\x80\x04not a model")
    with pytest.raises(ModelError, match="not a KDNet model file"):
        check_teacher(taught_by(tmp_path / "pickle.safetensors").settings)


def test_it_is_either_trained_or_given_and_never_with_folds(first):
    path = str(first / "models/both-teacher.safetensors")
    with pytest.raises(InputError, match="either trained or given"):
        Plan(("teacher", "gt+kd"), replace(TINY, teacher_model=path), "")
    with pytest.raises(InputError, match="may have seen the cases"):
        replace(TINY, teacher_model=path, folds=3)
