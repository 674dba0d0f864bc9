"""One chart in Slicer's plot views; its nodes are made once and then only change."""

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

#: Length of the axis of epochs, in epochs that are there.
_ROOM = 1.4


@dataclass(frozen=True)
class Line:
    """A line of a chart: ``column`` of the table that it is in, ``label`` in the legend, RGB ``colour`` in 0 to 1.

    ``style`` is the end of a ``LineStyle…`` of vtkMRMLPlotSeriesNode: "Solid", "Dash", "Dot".
    """

    column: str
    label: str
    colour: tuple[float, float, float]
    style: str = "Solid"
    width: float = 2.0


class Chart:
    """A chart node called ``name``, over epochs. ``logarithmic``: its values are positive and shown so."""

    def __init__(self, name: str, yTitle: str, logarithmic: bool = False, yRange=None):
        self._name, self._yTitle, self._logarithmic, self._yRange = name, yTitle, logarithmic, yRange
        self._node = self._xRange = None
        self._tables, self._series = {}, {}

    @property
    def node(self):
        """The chart node; made anew where the scene was closed."""
        if self._node is None or self._node.GetScene() is None:
            self._tables, self._series = {}, {}
            self._node = self._add("vtkMRMLPlotChartNode", self._name, hidden=False)
            self._node.SetXAxisTitle(_("epoch"))
            self._node.SetYAxisTitle(self._yTitle)
            self._node.SetYAxisLogScale(self._logarithmic)
            self._node.SetTitleFontSize(16)
            self._node.SetAxisTitleFontSize(14)
            self._node.SetLegendFontSize(12)
            self._node.XAxisRangeAutoOff()
            self._xRange = self._node.GetXAxisRange()
            if self._yRange:
                self._node.YAxisRangeAutoOff()
                self._node.SetYAxisRange(*self._yRange)
        return self._node

    def show(self, title: str, tables: dict) -> None:
        """Show exactly these lines: table name -> (epochs, {:class:`Line`: values}); the view hears of it once."""
        node = self.node
        wasModified = node.StartModify()
        try:
            node.SetTitle(title)
            self._setRange(max(max(epochs) for epochs, _lines in tables.values()))
            shown = []
            for name, (epochs, lines) in tables.items():
                self._fill(name, {"epoch": epochs, **{line.column: values for line, values in lines.items()}})
                shown += [self._seriesFor(name, line) for line in lines]
            for series in self._series.values():
                if series not in shown and node.HasPlotSeriesNodeID(series.GetID()):
                    node.RemovePlotSeriesNodeID(series.GetID())
            for series in shown:
                if not node.HasPlotSeriesNodeID(series.GetID()):
                    node.AddAndObservePlotSeriesNodeID(series.GetID())
        finally:
            node.EndModify(wasModified)

    def _setRange(self, last):
        # Where the user has zoomed in, the range stays; right of the curves there is room for the legend.
        if self._node.GetXAxisRange() == self._xRange:
            self._node.SetXAxisRange(0.0, max(1.0, _ROOM * last))
            self._xRange = self._node.GetXAxisRange()

    def removeNodes(self) -> None:
        """Take everything out of the scene."""
        for node in (*self._series.values(), *self._tables.values(), self._node):
            if node is not None and node.GetScene() is not None:
                slicer.mrmlScene.RemoveNode(node)
        self._node = None

    def _fill(self, name, columns):
        table = self._tables.get(name)
        if table is None:
            table = self._tables[name] = self._add("vtkMRMLTableNode", f"{self._name} {name}")
        wasModified = table.StartModify()
        try:
            for columnName, values in columns.items():
                column = table.GetTable().GetColumnByName(columnName)
                if column is None:
                    column = vtk.vtkDoubleArray()
                    column.SetName(columnName)
                    table.AddColumn(column)
                column.SetNumberOfTuples(len(values))
                vtk_to_numpy(column)[:] = np.asarray(values, dtype=float)
                column.Modified()
            for index in reversed(range(table.GetNumberOfColumns())):
                if table.GetColumnName(index) not in columns:
                    table.RemoveColumn(index)  # it has another length
            table.GetTable().Modified()
        finally:
            table.EndModify(wasModified)

    def _seriesFor(self, tableName, line):
        series = self._series.get((tableName, line.column))
        if series is None:
            series = self._series[tableName, line.column] = self._add("vtkMRMLPlotSeriesNode", line.label)
            series.SetAndObserveTableNodeID(self._tables[tableName].GetID())
            series.SetPlotType(series.PlotTypeScatter)  # of the types that take the epochs from a column the one with lines
            series.SetXColumnName("epoch")
            series.SetYColumnName(line.column)
            series.SetLineStyle(getattr(series, f"LineStyle{line.style}"))
            series.SetMarkerStyle(series.MarkerStyleNone)
            series.SetLineWidth(line.width)
            series.SetColor(*line.colour)
        series.SetName(line.label)
        return series

    @staticmethod
    def _add(className, name, hidden=True):
        node = slicer.mrmlScene.CreateNodeByClass(className)
        node.UnRegister(None)
        node.SetName(name)
        node.SetHideFromEditors(hidden)
        node.SetSaveWithScene(False)  # they show what is in the run folder
        return slicer.mrmlScene.AddNode(node)
