"""pytest fixtures: ``from bench.fixtures import *`` in a conftest.py."""

import pytest

from . import rendering

__all__ = ["slicer_bench", "can_render"]


@pytest.fixture
def slicer_bench():
    """The running bench with a clean scene; afterwards everything is unloaded.

    The test fails if an exception escaped into a Qt slot or a VTK observer, if VTK reported an error, or if a dialog
    came that was not announced. A test that provokes one on purpose takes it with ``slicer_bench.errors.take()``.
    """
    pytest.importorskip("slicer", reason="the bench needs slicer-core and PySide6-Essentials")
    from . import session

    bench = session.start()
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
        pytest.skip(f"Rendering needs {missing}.")
    return slicer_bench
