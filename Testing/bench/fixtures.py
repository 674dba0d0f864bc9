"""pytest fixtures: ``from bench.fixtures import *`` in a conftest.py."""

import os

import pytest

from . import rendering

__all__ = ["slicer_bench", "can_render"]


def _unavailable(reason):
    # On a user's machine a reason to skip, on the machine that guards the repository a hole in its set-up.
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture
def slicer_bench():
    """The running bench with a clean scene; afterwards everything is unloaded.

    The test fails if an exception escaped into a Qt slot or a VTK observer, if VTK reported an error, or if a dialog
    came that was not announced. A test that provokes one on purpose takes it with ``slicer_bench.errors.take()``.
    """
    from . import session

    try:
        bench = session.start()
    except ImportError as error:
        # A missing wheel, or a system library that Qt needs.
        _unavailable(f"The bench cannot start: {error}. It needs the Python packages slicer-core and "
                     "PySide6-Essentials; on Debian also libegl1 libgl1 libxkbcommon0 libfontconfig1 libdbus-1-3 "
                     "libglib2.0-0.")
    bench.reset()
    yield bench
    errors = bench.errors.take()
    bench.reset()
    if errors:
        pytest.fail("Errors that no caller saw:\n" + "\n".join(errors), pytrace=False)


@pytest.fixture
def can_render(slicer_bench):
    """Skips the test, with what to install, where there is no graphics library."""
    missing = rendering.missing_library()
    if missing:
        _unavailable(f"Rendering needs {missing}.")
    return slicer_bench
