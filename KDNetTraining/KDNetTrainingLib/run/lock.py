"""One process per run folder. The operating system holds the lock, so that it is free again after a kill or a crash."""

import errno
import json
import os
import socket
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

from KDNetLib.errors import InputError

if sys.platform == "win32":
    import msvcrt

    # Windows keeps others from reading locked bytes, so the lock is on one far behind those that name the holder.
    _LOCKED_BYTE = 2**30

    def _acquire(descriptor: int, shared: bool) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _release(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _acquire(descriptor: int, shared: bool) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)

    def _release(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


#: What the system answers where another process has the lock; any other answer means that there are no locks.
_HELD = {errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN, errno.EDEADLK}
#: Looking whether the lock is held takes it for some microseconds (see `holder`); taking it therefore tries again.
_TRIES, _PAUSE_SECONDS = 4, 0.05


@contextmanager
def locked(path: Path):
    """Hold the lock ``path`` (a file that is made and stays) while in the block.

    Raises InputError, naming process and host, where another process or another block of this one holds it. On a file
    system without locks it warns and goes on.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another run folder.") from error
    try:
        real = _take(descriptor, path)
        try:
            os.truncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode("ascii"))
            yield
        finally:
            os.truncate(descriptor, 0)
            if real:
                _release(descriptor)
    finally:
        os.close(descriptor)


def holder(path: Path) -> str | None:
    """Who holds the lock ``path``, such as ``Process 4711 on host9``; None where it is free."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # no such file: nobody has ever held it
        return None
    try:
        _acquire(descriptor, shared=True)
        _release(descriptor)
        return None
    except OSError as error:
        # Without locks only the name tells: it is taken away at the end, though not by a kill.
        return _named(path) if error.errno in _HELD or path.stat().st_size else None
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path) -> bool:
    for left in reversed(range(_TRIES)):
        try:
            _acquire(descriptor, shared=False)
            return True
        except OSError as error:
            if error.errno not in _HELD:
                warnings.warn(f"{path.parent} cannot be locked ({error.strerror}); see to it yourself that only one process works there.", stacklevel=4)
                return False
            if not left:
                raise InputError(
                    f"{_named(path)} already works in {path.parent}; wait for its end, stop it with kdnet stop, or choose another run folder."
                ) from error
            time.sleep(_PAUSE_SECONDS)


def _named(path: Path) -> str:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return f"Process {facts['pid']} on {facts['host']}"
    except (OSError, ValueError, KeyError, TypeError):  # it has only just taken the lock
        return "Another process"
