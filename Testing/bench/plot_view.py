"""A plot view over the real plot nodes, rendered off-screen into PNG files.

The wheel has no ``qMRMLPlotView``; this draws a chart node as that widget does (read, not copied): scatter series as
lines with a pen, columns that do not exist or hold text left out.
"""

import slicer
import vtk

from . import rendering


class PlotView:
    """What the plot view of `viewNode` (vtkMRMLPlotViewNode) shows, `size` pixels (width, height)."""

    def __init__(self, viewNode, size=(600, 400)):
        rendering.require()
        self.chart = vtk.vtkChartXY()
        self._chartNode = viewNode.GetPlotChartNode()
        if self._chartNode is None:
            raise ValueError(f"The plot view {viewNode.GetName()} shows no chart.")
        self._view = vtk.vtkContextView()
        self._view.GetRenderWindow().SetOffScreenRendering(True)
        self._view.GetRenderWindow().SetSize(*size)
        self._view.GetScene().AddItem(self.chart)
        self.chart.GetBackgroundBrush().SetColor(255, 253, 246, 255)
        for index in range(self._chartNode.GetNumberOfPlotSeriesNodes()):
            self._addPlot(self._chartNode.GetNthPlotSeriesNode(index))
        self._describe()

    def save(self, path):
        """Render and write a PNG."""
        rendering.save_png(self._view.GetRenderWindow(), path)

    def _addPlot(self, series):
        table = series.GetTableNode().GetTable()
        x, y = table.GetColumnByName(series.GetXColumnName()), table.GetColumnByName(series.GetYColumnName())
        if x is None or y is None or not (x.IsNumeric() and y.IsNumeric()):
            return
        if series.GetPlotType() != slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter:
            raise ValueError(f"The bench draws scatter series only, not that of {series.GetName()}.")
        plot = self.chart.AddPlot(vtk.vtkChart.LINE)
        plot.SetInputData(table, series.GetXColumnName(), series.GetYColumnName())
        plot.SetLabel(series.GetName())
        plot.SetColorF(*series.GetColor())
        plot.SetWidth(series.GetLineWidth())
        pens = {name: getattr(vtk.vtkPen, pen) for name, pen in (
            ("none", "NO_PEN"), ("solid", "SOLID_LINE"), ("dash", "DASH_LINE"), ("dot", "DOT_LINE"),
            ("dash-dot", "DASH_DOT_LINE"), ("dash-dot-dot", "DASH_DOT_DOT_LINE"))}
        plot.GetPen().SetLineType(pens[series.GetLineStyleAsString(series.GetLineStyle())])
        markers = ("NONE", "CROSS", "PLUS", "SQUARE", "CIRCLE", "DIAMOND")
        plot.SetMarkerStyle(getattr(vtk.vtkPlotPoints, markers[series.GetMarkerStyle()]))
        plot.SetMarkerSize(series.GetMarkerSize())

    def _describe(self):
        node, chart = self._chartNode, self.chart
        chart.SetTitle(node.GetTitle() if node.GetTitleVisibility() else "")
        chart.GetTitleProperties().SetFontSize(node.GetTitleFontSize())
        chart.SetShowLegend(node.GetLegendVisibility())
        chart.GetLegend().SetLabelSize(node.GetLegendFontSize())
        for axisId, title, auto, interval, logarithmic in (
            (vtk.vtkAxis.BOTTOM, node.GetXAxisTitle(), node.GetXAxisRangeAuto(), node.GetXAxisRange(), node.GetXAxisLogScale()),
            (vtk.vtkAxis.LEFT, node.GetYAxisTitle(), node.GetYAxisRangeAuto(), node.GetYAxisRange(), node.GetYAxisLogScale()),
        ):
            axis = chart.GetAxis(axisId)
            axis.SetTitle(title or "")
            axis.SetLogScale(logarithmic)
            axis.SetGridVisible(node.GetGridVisibility())
            axis.GetTitleProperties().SetBold(False)
            axis.GetTitleProperties().SetFontSize(node.GetAxisTitleFontSize())
            axis.GetLabelProperties().SetFontSize(node.GetAxisLabelFontSize())
            if auto:
                axis.SetBehavior(vtk.vtkAxis.AUTO)
            else:
                axis.SetBehavior(vtk.vtkAxis.FIXED)
                axis.SetUnscaledRange(*interval)
