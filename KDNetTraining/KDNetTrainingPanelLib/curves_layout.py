"""The arrangement of Slicer's views that shows a training: both charts beside two slice views."""

import slicer

#: Any number above Slicer's own; it identifies the arrangement in the layout node.
_LAYOUT = 5731
_LOSSES, _DICE = "KDNetLosses", "KDNetDice"


def _plot(tag, label):
    return f'<view class="vtkMRMLPlotViewNode" singletontag="{tag}"><property name="viewlabel" action="default">{label}</property></view>'


def _slice(tag, orientation, label, colour):
    return (
        f'<view class="vtkMRMLSliceNode" singletontag="{tag}"><property name="orientation" action="default">{orientation}</property>'
        f'<property name="viewlabel" action="default">{label}</property><property name="viewcolor" action="default">{colour}</property></view>'
    )


def _column(*views):
    return '<item><layout type="vertical" split="true">' + "".join(f"<item>{view}</item>" for view in views) + "</layout></item>"


_DESCRIPTION = (
    '<layout type="horizontal" split="true">'
    + _column(_plot(_LOSSES, "L"), _plot(_DICE, "D"))
    + _column(_slice("Red", "Axial", "R", "#F34A33"), _slice("Green", "Coronal", "G", "#6EB04B"))
    + "</layout>"
)


class CurvesLayout:
    """Switches the views to the charts and back."""

    def __init__(self):
        self._earlier = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView

    @property
    def shown(self) -> bool:
        """Whether the views show the charts."""
        manager = slicer.app.layoutManager()
        return manager is not None and manager.layout == _LAYOUT

    def show(self, lossesNode, diceNode) -> None:
        """Show the two chart nodes. Without a main window there are no views, and nothing happens."""
        manager = slicer.app.layoutManager()
        if manager is None:
            return
        layoutNode = manager.layoutLogic().GetLayoutNode()
        if not layoutNode.IsLayoutDescription(_LAYOUT):
            layoutNode.AddLayoutDescription(_LAYOUT, _DESCRIPTION)
        if not self.shown:
            self._earlier = manager.layout
            manager.setLayout(_LAYOUT)
        for tag, node in ((_LOSSES, lossesNode), (_DICE, diceNode)):
            view = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLPlotViewNode")
            view.SetDoPropagatePlotChartSelection(False)  # what is chosen elsewhere is for the other plot views
            view.SetPlotChartNodeID(node.GetID())

    def hide(self) -> None:
        """Back to the arrangement from before."""
        if self.shown:
            slicer.app.layoutManager().setLayout(self._earlier)
