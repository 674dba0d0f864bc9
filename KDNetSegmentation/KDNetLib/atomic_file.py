"""Writing a file in one step, so that a kill, a crash or a full disk leaves the old file or none, never half a one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a hidden path beside ``path`` to write to; it takes the place of ``path`` where the block ends well.

    Folders are made as needed. Raises OSError where the folder cannot be made or the file not be replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}-{path.name}")  # the ending stays, since writers go by it
    try:
        yield partial
        os.replace(partial, path)
    finally:
        with suppress(OSError):  # gone in the good case; in the bad one its own error is the one to show
            partial.unlink()
