"""The bench's fixtures for the tests in this folder."""

from bench.fixtures import can_render, slicer_bench  # noqa: F401
