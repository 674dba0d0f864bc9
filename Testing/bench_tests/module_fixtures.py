"""Fixtures of the tests of the module KDNetSegmentation: ``from module_fixtures import *``."""

from pathlib import Path

import pytest
from module_support import writeModel

__all__ = ["bench", "model", "slowModel", "noModels", "loaded", "module", "panel", "logic"]

_MODULE = Path(__file__).resolve().parents[2] / "KDNetSegmentation" / "KDNetSegmentation.py"


@pytest.fixture
def bench(slicer_bench, monkeypatch, tmp_path):
    """The bench with models of its own: the tiny one is bundled, and nothing is imported."""
    monkeypatch.setenv("KDNET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("KDNetLib.model_store.resources_folder", lambda: tmp_path / "resources")
    (tmp_path / "resources" / "Models").mkdir(parents=True)
    writeModel(tmp_path / "resources" / "Models")
    return slicer_bench


@pytest.fixture
def model(bench, tmp_path):
    """Path of the tiny untrained model, the bundled one of the test."""
    return tmp_path / "resources" / "Models" / "tiny.safetensors"


@pytest.fixture
def slowModel(bench, tmp_path):
    """Path of a second bundled model, whose network takes long. Ask for it before the panel, which lists them."""
    return writeModel(tmp_path / "resources" / "Models", width=24, name="slow", title="Slow untrained network")


@pytest.fixture
def noModels(bench, model):
    """No model at all."""
    model.unlink()


@pytest.fixture
def loaded(bench):
    loaded = bench.load(_MODULE)
    yield loaded
    if loaded.hasPanel:
        loaded.widget.cleanup()


@pytest.fixture
def module(loaded):
    """The application's module object."""
    return loaded.object


@pytest.fixture
def panel(loaded):
    """The module's widget, set up and entered."""
    return loaded.widget


@pytest.fixture
def logic(bench):
    """A logic without a panel."""
    from KDNetSegmentationLib.logic import KDNetSegmentationLogic

    logic = KDNetSegmentationLogic()
    yield logic
    logic.shutdown()
