"""Runs for the tests of the progress and use side: one really trained, others made by formulas; panels to show them in."""

from module_support import waitFor  # noqa: F401  (first: starts the bench)

import shutil

import pytest
import qt
import slicer
from KDNetTrainingLib.cli.running import start
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.settings import settings_from
from KDNetTrainingPanelLib.progress_panel import ProgressPanel
from KDNetTrainingPanelLib.use_panel import UsePanel
from KDNetTrainingPanelLib.watched_run import WatchedRun
from vtk.util.numpy_support import vtk_to_numpy

from training.generated_cases import write_case
from training.generated_events import events_of, write_events

__all__ = ["panels", "trainedFolder", "trained", "generated"]

_SETTINGS = settings_from({
    "crop": (32, 32, 32), "spacing": 4.0, "width": 2, "epochs": 3, "learning_rate": 0.01, "schedule": "polynomial", "inner_validation": 0.3,
})


class Panels:
    """Both panels in one window, as the module has them."""

    def __init__(self):
        self.window = qt.QWidget()
        layout = qt.QVBoxLayout(self.window)
        containers = qt.QWidget(), qt.QWidget()
        for container in containers:
            layout.addWidget(container)
        self.progress = ProgressPanel(containers[0])
        self.use = UsePanel(containers[1], self.progress)

    def show(self, run):
        self.progress.show(run)
        self.use.show(run)


@pytest.fixture
def panels(slicer_bench, monkeypatch, tmp_path):
    monkeypatch.setenv("KDNET_HOME", str(tmp_path / "home"))
    panels = Panels()
    yield panels
    panels.progress.cleanup()


@pytest.fixture(scope="session")
def trainedFolder(tmp_path_factory):
    """The folder of a run that really trained a teacher and a student, for 3 epochs each. Do not change it."""
    folder = tmp_path_factory.mktemp("trained")
    for index in range(5):
        write_case(folder / "data", f"BraTS2021_{index:05}", seed=index)
    plan = Plan(("teacher", "gt+kl+kd"), _SETTINGS, "kdnet train", test=("BraTS2021_00004",), exported=("teacher", "gt+kl+kd"), name="tiny-student")
    start(plan, folder / "data", folder / "run", "cpu")
    return folder / "run"


@pytest.fixture
def trained(trainedFolder, tmp_path):
    """The trained run, as a copy that may be changed."""
    shutil.copytree(trainedFolder, tmp_path / "trained", ignore=shutil.ignore_patterns("cache", "*.pt"))
    return readWhole(tmp_path / "trained")


@pytest.fixture
def generated(tmp_path):
    """A finished run of 3 folds and 5 systems, 12 epochs each."""
    write_events(tmp_path / "generated", events_of(12))
    return readWhole(tmp_path / "generated")


def readWhole(folder):
    """The run in ``folder`` with all that has happened."""
    return refreshed(WatchedRun.read(folder))


def refreshed(run):
    """``run`` with all that has happened since."""
    run.refresh()
    while run.behind:
        run.refresh()
    return run


def chart(tag):
    """The chart in the plot view ``tag``: legend -> {epoch: value}."""
    node = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLPlotViewNode").GetPlotChartNode()
    found = {}
    for index in range(node.GetNumberOfPlotSeriesNodes()):
        series = node.GetNthPlotSeriesNode(index)
        table = series.GetTableNode().GetTable()
        x, y = (vtk_to_numpy(table.GetColumnByName(name)).tolist() for name in (series.GetXColumnName(), series.GetYColumnName()))
        found[series.GetName()] = list(zip(x, y))
    return found
