"""One process per run folder. The operating system holds the lock, so that it is free again after a kill or a crash."""

import errno
import json
import os
import socket
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
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


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: process and host, and ``since`` when (seconds since 1970)."""

    pid: int
    host: str
    since: float

    def __str__(self):
        return f"process {self.pid} on {self.host}"


@contextmanager
def locked(path: Path, waiting: Callable[[], None] | None = None):
    """Hold the lock ``path`` (a file that is made and stays) while in the block.

    Where another process or another block of this one holds it: raises InputError, naming process and host; or, where
    ``waiting`` is given, waits for it and calls ``waiting`` again and again, which may raise. On a file system without
    locks it warns and goes on.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another run folder.") from error
    try:
        real = _take(descriptor, path, waiting)
        try:
            with suppress(OSError):  # on a full disk nobody is named, and the training will say that the disk is full
                os.truncate(descriptor, 0)
                os.lseek(descriptor, 0, os.SEEK_SET)
                os.write(descriptor, json.dumps(asdict(Holder(os.getpid(), socket.gethostname(), time.time()))).encode("ascii"))
            yield
        finally:
            os.truncate(descriptor, 0)
            if real:
                _release(descriptor)
    finally:
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Who holds the lock ``path``; None where it is free."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # no such file: nobody has ever held it
        return None
    try:
        _acquire(descriptor, shared=True)
        _release(descriptor)
        return None
    except OSError as error:
        named = _named(path)
        # Without locks only the name tells: it is taken away at the end, though not by a kill.
        return named or (Holder(0, "an unknown host", time.time()) if error.errno in _HELD else None)
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, waiting: Callable[[], None] | None) -> bool:
    left = _TRIES
    while True:
        try:
            _acquire(descriptor, shared=False)
            return True
        except OSError as error:
            if error.errno not in _HELD:
                sentence = f"{path.parent} cannot be locked ({error.strerror}); see to it yourself that only one process works there."
                warnings.warn(sentence, stacklevel=4)
                return False
            left -= 1
            if waiting:
                waiting()
            elif not left:
                raise InputError(
                    f"Another training ({_named(path) or 'its process is unknown'}) works in {path.parent}; "
                    "wait for its end, stop it with kdnet stop, or choose another run folder."
                ) from error
            time.sleep(_PAUSE_SECONDS)


def _named(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # it has only just taken the lock
        return None
