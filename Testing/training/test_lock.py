"""The lock of a run folder, held by real processes and released by killing one."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from KDNetLib.errors import InputError
from KDNetTrainingLib.run import lock
from KDNetTrainingLib.run.lock import holder, locked

PATHS = [str(Path(lock.__file__).parents[2]), str(Path(lock.__file__).parents[3] / "KDNetSegmentation")]
HOLD = f"""
import sys
sys.path[:0] = {PATHS!r}
from pathlib import Path
from KDNetTrainingLib.run.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture()
def other(tmp_path):
    """Another process that holds the lock until its input ends."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_and_told_who(tmp_path, other):
    with pytest.raises(InputError, match=rf"Another training \(process {other.pid} on {socket.gethostname()}\) works in .*kdnet stop"):
        with locked(tmp_path / "lock"):
            pass
    assert str(holder(tmp_path / "lock")) == f"process {other.pid} on {socket.gethostname()}"


def test_who_waits_gets_it_as_soon_as_it_is_free(tmp_path, other):
    calls = []

    def waiting():
        if not calls:
            other.kill()
        calls.append(1)

    with locked(tmp_path / "lock", waiting):
        assert str(holder(tmp_path / "lock")) == f"process {os.getpid()} on {socket.gethostname()}"
    assert calls


def test_waiting_may_be_given_up(tmp_path, other):
    def waiting():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), locked(tmp_path / "lock", waiting):
        pass
    assert str(holder(tmp_path / "lock")) == f"process {other.pid} on {socket.gethostname()}"


def test_a_killed_process_holds_nothing(tmp_path, other):
    other.kill()
    other.wait()
    assert holder(tmp_path / "lock") is None
    with locked(tmp_path / "lock"):
        assert str(holder(tmp_path / "lock")) == f"process {os.getpid()} on {socket.gethostname()}"


def test_the_same_process_is_refused_too_and_may_come_back(tmp_path):
    path = tmp_path / "lock"
    assert holder(path) is None
    with locked(path):
        with pytest.raises(InputError, match=f"process {os.getpid()} on "):
            with locked(path):
                pass
    assert holder(path) is None
    with pytest.raises(ZeroDivisionError), locked(path):
        1 / 0
    with locked(path):
        pass


def test_looking_disturbs_nobody(tmp_path):
    """A look takes the lock for a moment; whoever wants it then tries again."""
    path = tmp_path / "lock"
    path.touch()
    looking = os.open(path, os.O_RDWR)
    lock._acquire(looking, shared=True)
    real = lock._acquire

    def let_go_after_the_first_try(descriptor, shared):
        try:
            real(descriptor, shared)
        finally:
            real_release(looking)

    real_release, lock._acquire = lock._release, let_go_after_the_first_try
    try:
        with locked(path):
            assert holder(path)
    finally:
        lock._acquire = real
        os.close(looking)


def test_a_file_system_without_locks_is_warned_of(tmp_path, monkeypatch):
    def refuse(descriptor, shared):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock, "_acquire", refuse)
    path = tmp_path / "lock"
    with pytest.warns(UserWarning, match=r"cannot be locked \(No locks available\)"):
        with locked(path):
            assert str(holder(path)) == f"process {os.getpid()} on {socket.gethostname()}"
    assert holder(path) is None


def test_a_folder_that_is_gone_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="cannot be written"), locked(tmp_path / "none" / "lock"):
        pass
