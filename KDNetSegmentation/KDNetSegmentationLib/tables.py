"""Fills the panel's tables."""

import qt
from slicer.i18n import tr as _

from KDNetLib.labels import REGIONS
from KDNetSegmentationLib.results_table import hasConfidence, volumeRows


def fillVolumes(table, stored) -> None:
    """Show the volumes of a result (``ResultsPanel.stored``) and its confidence if it has one, or nothing for None."""
    titles = [_("Structure"), _("Volume (ml)"), _("Confidence")]
    shown = len(titles) if stored and hasConfidence(stored) else 2
    rows = [row[1 : 1 + shown] for row in volumeRows(stored)] if stored else []
    _fill(table, titles[:shown], rows)
    header = table.horizontalHeader()
    header.setStretchLastSection(False)
    for column in range(1, shown):  # numbers are short, the structures' names are not
        header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)


def fillComparison(table, regions) -> None:
    """Show region -> measures as ``ComparisonJob`` gives them, or nothing for None."""
    rows = [
        (
            region,
            f"{regions[region]['dice']:.3f}",
            _distance(regions[region]),
            f"{regions[region]['volume_prediction_ml']:.2f}",
            f"{regions[region]['volume_reference_ml']:.2f}",
        )
        for region in (REGIONS if regions else ())
    ]
    _fill(table, [_("Region"), _("Dice"), _("HD95 mm"), _("Result ml"), _("Ref. ml")], rows)


def _distance(measures):
    """HD95 as text, or in words why there are no two surfaces; BraTS's numbers for that read like distances."""
    found, there = measures["volume_prediction_ml"] > 0, measures["volume_reference_ml"] > 0
    if found and there:
        return f"{measures['hd95']:.2f}"
    return _("not in ref.") if found else _("not found") if there else _("in neither")


def _fill(table, titles, rows):
    table.setColumnCount(len(titles))
    table.setHorizontalHeaderLabels(titles)
    table.setRowCount(len(rows))
    for rowIndex, row in enumerate(rows):
        for columnIndex, text in enumerate(row):
            table.setItem(rowIndex, columnIndex, qt.QTableWidgetItem(text))
    # The columns share the panel's width instead of widening it.
    table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
    table.visible = bool(rows)
