"""Checkpoints: intact or passed over, never executed."""

import os
import pickle

import pytest
import torch

from KDNetTrainingLib.errors import TrainingError
from KDNetTrainingLib.training.checkpoints import Checkpoints

CPU = torch.device("cpu")


@pytest.fixture()
def said():
    return []


@pytest.fixture()
def kept(tmp_path, said):
    return Checkpoints(tmp_path, said.append)


def state(epoch):
    return {"epoch": epoch, "network": {"weight": torch.arange(1000.0) + epoch}}


def test_nothing_saved_is_nothing_loaded(kept):
    assert kept.load(CPU) is None and kept.load_best(CPU) is None


def test_the_last_one_counts_and_the_one_before_is_kept(kept, tmp_path):
    for epoch in (1, 2, 3):
        kept.save(state(epoch))
    loaded = kept.load(CPU)
    assert loaded["epoch"] == 3 and torch.equal(loaded["network"]["weight"], state(3)["network"]["weight"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.pt", "previous.pt"]


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_one_bit(path):
    content = bytearray(path.read_bytes())
    where = content.index(torch.tensor([500.0, 501.0, 502.0]).numpy().tobytes())
    content[where] ^= 1
    path.write_bytes(content)


def make_hostile(path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(path.parent / "executed"),)

    path.write_bytes(pickle.dumps(Hostile()))


@pytest.mark.parametrize("damage", [cut, flip_one_bit, make_hostile, lambda path: path.write_bytes(b"")])
def test_a_damaged_one_is_passed_over_and_said(kept, tmp_path, said, damage):
    for epoch in (1, 2):
        kept.save(state(epoch))
    damage(tmp_path / "last.pt")
    assert kept.load(CPU)["epoch"] == 1
    assert len(said) == 1 and str(tmp_path / "last.pt") in said[0] and "going on from the one before it" in said[0]
    kept.save(state(2))  # which must not put the damaged one in the place of the good one
    assert kept.load(CPU)["epoch"] == 2 and kept.load(CPU)["epoch"] == 2 and len(said) == 1
    damage(tmp_path / "last.pt")
    assert kept.load(CPU)["epoch"] == 1
    damage(tmp_path / "previous.pt")
    with pytest.raises(TrainingError, match="No checkpoint in .* can be read"):
        kept.load(CPU)
    with pytest.raises(TrainingError, match="No checkpoint in .* can be read"):
        kept.load(CPU)
    assert not (tmp_path / "executed").exists()


def test_a_hostile_zip_is_not_executed(kept, tmp_path):
    """A file of torch's own format whose pickle calls a function."""
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save({"epoch": 1, "network": Hostile()}, tmp_path / "last.pt")
    with pytest.raises(TrainingError):
        kept.load(CPU)
    assert not (tmp_path / "executed").exists()


def test_a_kill_between_the_two_renames_loses_one_epoch_only(kept, tmp_path):
    for epoch in (1, 2):
        kept.save(state(epoch))
    os.replace(tmp_path / "last.pt", tmp_path / "previous.pt")
    assert kept.load(CPU)["epoch"] == 2


def test_the_best_weights_are_apart(kept):
    kept.save_best(7, {"weight": torch.ones(3)})
    kept.save(state(9))
    assert kept.load_best(CPU)["epoch"] == 7


@pytest.mark.skipif(os.name != "posix", reason="a limit of a file's size stands for the full disk; it is POSIX's")
def test_a_full_disk_is_a_sentence_and_the_last_one_stays(kept, tmp_path):
    import resource

    kept.save(state(1))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(TrainingError, match="last.pt cannot be written .*free disk space and resume"):
            kept.save(state(2))
        with pytest.raises(TrainingError, match="best.pt cannot be written"):
            kept.save_best(2, state(2)["network"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert kept.load(CPU)["epoch"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]
