"""The table of results: every training as it comes, the paper's figures beside it, another run's below it."""

import statistics

import qt
from slicer.i18n import tr as _

from KDNetLib.labels import REGIONS
from KDNetTrainingLib.evaluation.paper_tables import PUBLISHED


def resultRows(run, other=None) -> list[dict]:
    """Rows of the table: "cells" (texts), "provisional" (validation cases only), "toolTip".

    One row per training, below it the same training of the run ``other``; with several folds one row per system with
    the mean over its folds at the end.
    """
    rows = []
    for key, training in run.trainings.items():
        rows.append(_trainingRow(key, key.split("/")[1], training))
        if other and key in other.trainings:
            rows.append(_trainingRow(_("   {run}").format(run=other.folder.name), key.split("/")[1], other.trainings[key]))
    labels = list(dict.fromkeys(key.split("/")[1] for key in run.trainings))
    if len(labels) < len(run.trainings):
        rows += [row for label in labels if (row := _meanRow(label, run))]
    return rows


def _trainingRow(name, label, training):
    figures = training.scores.get("native") or training.best_validation
    lines = [_("{name}: {epoch} of {epochs} epochs").format(name=name.strip(), epoch=training.epoch, epochs=training.epochs)]
    for measured, where in (
        (training.scores.get("native"), _("test cases, scan's grid")),
        (training.scores.get("crop"), _("test cases, network's grid")),
        (training.best_validation, _("validation cases, epoch {epoch}").format(epoch=training.best_epoch)),
    ):
        if measured:
            lines.append(_("{figures} ({where})").format(figures=_figures(measured), where=where))
    epochs = f"{training.epochs}" if training.done else f"{training.epoch}/{training.epochs}"
    cells = [name, epochs, *_percent(figures), *_paper(label)]
    return {"cells": cells, "provisional": bool(figures) and not training.scores, "toolTip": "\n".join(lines + _paperLines(label))}


def _meanRow(label, run):
    scored = [training.scores["native"] for key, training in run.trainings.items() if key.split("/")[1] == label and training.scores]
    if not scored:
        return None
    mean = {region: statistics.fmean(one[region] for one in scored) for region in REGIONS}
    lines = [_("{label}: mean over {count} folds, scan's grid").format(label=label, count=len(scored))]
    if len(scored) > 1:
        deviations = {region: statistics.stdev(one[region] for one in scored) for region in REGIONS}
        lines.append(", ".join(f"{region} {100 * mean[region]:.1f} ± {100 * deviations[region]:.1f}" for region in REGIONS))
    name = _("mean of {count}: {label}").format(count=len(scored), label=label)
    return {"cells": [name, "", *_percent(mean), *_paper(label)], "provisional": False, "toolTip": "\n".join(lines + _paperLines(label))}


def _percent(figures):
    return [f"{100 * figures[region]:.1f}" if figures else "" for region in REGIONS]


def _figures(figures):
    return ", ".join(f"{region} {100 * figures[region]:.1f}" for region in REGIONS)


def _paper(label):
    return [f"{PUBLISHED[label][region][0]:.1f}" if label in PUBLISHED else "" for region in REGIONS]


def _paperLines(label):
    if label not in PUBLISHED:
        return []
    told = ", ".join(f"{region} {mean:.1f} ± {sd:.1f}" for region, (mean, sd) in PUBLISHED[label].items())
    return [_("{figures} (paper: BraTS 2018, 3 folds)").format(figures=told)]


class ResultsTable:
    """Drives a QTableWidget; only cells whose text has changed are touched."""

    def __init__(self, table):
        self._table = table
        self._rows = []
        titles = [_("Training"), _("Epochs"), *REGIONS, *(_("{region}\npaper").format(region=region) for region in REGIONS)]
        table.setColumnCount(len(titles))
        table.setHorizontalHeaderLabels(titles)
        header = table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
        header.setMinimumSectionSize(36)
        table.verticalHeader().visible = False
        table.verticalHeader().defaultSectionSize = table.fontMetrics().height() + 6

    def show(self, run, other=None) -> None:
        """Show the results of ``run``, or nothing for None; ``other`` is the run to compare with."""
        rows = resultRows(run, other) if run else []
        if len(rows) != len(self._rows):
            self._table.setRowCount(len(rows))
        for index, row in enumerate(rows):
            earlier = self._rows[index] if index < len(self._rows) else None
            if row != earlier:
                self._fill(index, row, earlier)
        self._rows = rows

    def _fill(self, index, row, earlier):
        for column, text in enumerate(row["cells"]):
            item = self._table.item(index, column)
            if item is None:
                item = qt.QTableWidgetItem()
                if column:
                    item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
                self._table.setItem(index, column, item)
            if earlier is None or text != earlier["cells"][column]:
                item.setText(text)
            if earlier is None or row["provisional"] != earlier["provisional"]:
                font = self._table.font
                font.setItalic(row["provisional"] and 2 <= column <= 4)
                item.setFont(font)
            item.setToolTip(row["toolTip"])
