"""Words beside translated ones are translated too."""

import module_support  # noqa: F401  (first: starts the bench)

from KDNetLib.labels import LABELS, VOLUME_KEYS
from KDNetSegmentationLib import results_table
from KDNetTrainingPanelLib import chart


def structures():
    return {row[0]: row[1] for row in results_table.volumeRows({"volumes_ml": dict.fromkeys(VOLUME_KEYS, 0)})}


def test_structures_of_the_volumes_are_translated(monkeypatch):
    assert structures().items() >= {label.key: label.name for label in LABELS}.items()
    monkeypatch.setattr(results_table, "_", lambda text: f"({text})")
    assert all(name.startswith("(") for name in structures().values())


def test_axis_of_a_chart_is_translated(slicer_bench, monkeypatch):
    monkeypatch.setattr(chart, "_", lambda text: f"({text})", raising=False)
    assert chart.Chart("losses", "loss").node.GetXAxisTitle() == "(epoch)"
