"""Fixtures of the tests of the bench's qt and ctk: ``from pythonqt_fixtures import *``."""

import pytest

__all__ = ["qt", "ctk"]


@pytest.fixture
def qt(slicer_bench):
    import qt
    return qt


@pytest.fixture
def ctk(slicer_bench):
    import ctk
    return ctk
