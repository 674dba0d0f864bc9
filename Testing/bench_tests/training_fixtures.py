"""Fixtures of the tests of the module KDNetTraining: ``from training_fixtures import *``."""

from pathlib import Path

import pytest
import training_support  # noqa: F401  (starts the bench)

from training.generated_cases import write_cases

__all__ = ["bench", "trainingModule", "panel", "logic", "cases", "readHere"]

_MODULE = Path(__file__).resolve().parents[2] / "KDNetTraining" / "KDNetTraining.py"


@pytest.fixture
def bench(slicer_bench, monkeypatch, tmp_path):
    """The bench with no imported models."""
    monkeypatch.setenv("KDNET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return slicer_bench


@pytest.fixture
def trainingModule(bench):
    loaded = bench.load(_MODULE)
    yield loaded
    if loaded.hasPanel:
        loaded.widget.cleanup()


@pytest.fixture
def panel(trainingModule):
    """The module's widget, set up and entered."""
    return trainingModule.widget


@pytest.fixture
def logic(bench):
    """A logic without a panel."""
    from KDNetTrainingPanelLib.logic import KDNetTrainingLogic

    logic = KDNetTrainingLogic()
    yield logic
    logic.shutdown()


@pytest.fixture
def cases(tmp_path):
    """A folder of three small complete cases."""
    return write_cases(tmp_path / "cases", 3)


@pytest.fixture
def readHere(monkeypatch):
    """Data folders are read in the test's own process, which saves the seconds that another one needs to start."""
    from KDNetTrainingLib.data.cases import find_cases
    from KDNetTrainingLib.data.inspection import inspect
    from KDNetTrainingPanelLib.data_check import DataCheck, FoundData

    def start(check, folder):
        files = {entry.name: {} for entry in find_cases(folder) if entry.case}
        check._onFinished(FoundData(inspect(folder).as_dict(), files), "")

    monkeypatch.setattr(DataCheck, "start", start)
