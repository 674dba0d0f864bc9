"""Segments a scan by clicking the module's buttons on the bench, and renders what a user then sees.

    .venv/bin/python Testing/tools/render_picture.py SCAN REFERENCE PICTURE.png [MODEL]

PICTURE.png shows the panel with volumes and comparison beside three slice views and the surfaces. REFERENCE is a label
map; MODEL the name of a model at hand (default: the bundled one). The picture in the README is that of BraTS2021_00495
by the one of the bundled model's three networks that did not see it in training, imported by `kdnet models import`:
RUN/models/student-gt-kd-fold-1.safetensors.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Testing")]

from bench import session  # noqa: E402  (the path comes first)

_PANEL = (430, 800)
_VIEW = (430, 400)


def main(scan: str, reference: str, picture: str, model: str = "") -> None:
    """Load, segment, show in 3-D, compare; then put the panel and the four views into one picture."""
    bench = session.start()
    import slicer

    module = bench.load(ROOT / "KDNetSegmentation/KDNetSegmentation.py")
    volumeNode = slicer.util.loadVolume(scan)
    referenceNode = slicer.util.loadLabelVolume(reference)
    ui = module.widget.ui
    ui.inputSelector.setCurrentNode(volumeNode)
    if model:
        module.widget.logic.getParameterNode().model = model
    bench.click(ui.segmentButton)
    bench.wait_until(lambda: not module.widget.logic.busy, 600, "the segmentation")
    bench.click(ui.show3DButton)
    ui.compareCollapsibleButton.collapsed = False
    ui.referenceSelector.setCurrentNode(referenceNode)
    bench.click(ui.compareButton)
    bench.wait_until(lambda: not module.widget.logic.busy, 120, "the comparison")
    with tempfile.TemporaryDirectory() as folder:
        panel = Path(folder) / "panel.png"
        bench.grab(module.panel, panel, _PANEL)
        views = _renderViews(Path(folder), volumeNode, ui.outputSelector.currentNode())
        join(panel, views, picture)
    module.widget.cleanup()


def _renderViews(folder: Path, volumeNode, segmentationNode) -> list[Path]:
    import slicer
    from bench.views import SliceView, ThreeDView

    volumeNode.CreateDefaultDisplayNodes()
    centre = segmentationNode.GetSegmentCenterRAS("KDNet_ET") or segmentationNode.GetSegmentCenterRAS("KDNet_ED")
    paths = []
    for name, orientation in (("Red", "Axial"), ("Yellow", "Sagittal"), ("Green", "Coronal")):
        view = SliceView(name, _VIEW)
        view.node.SetOrientation(orientation)
        view.show(volumeNode, centre)
        view.logic.GetSliceCompositeNode().SetLabelVolumeID(None)  # loading the reference has put it over the scan
        width, height, depth = view.node.GetFieldOfView()
        view.node.SetFieldOfView(0.8 * width, 0.8 * height, depth)
        paths.append(folder / f"{name}.png")
        view.save(paths[-1])
    view = ThreeDView(_VIEW)
    view.node.SetBoxVisible(False)
    view.node.SetAxisLabelsVisible(False)
    view.look(slicer.vtkMRMLCameraNode.Anterior)
    paths.append(folder / "3D.png")
    view.save(paths[-1])
    return paths


def join(panel: Path, views: list[Path], picture) -> None:
    """Write ``picture``: the panel, and right of it the first two of the four ``views`` above the other two."""
    from PySide6 import QtGui

    left = QtGui.QImage(str(panel))
    images = [QtGui.QImage(str(path)) for path in views]
    width, height = images[0].width() + 2, images[0].height() + 2
    joined = QtGui.QImage(left.width() + 2 + width + images[1].width(), max(left.height(), 2 * height), QtGui.QImage.Format.Format_RGB888)
    joined.fill(0xFF303030)
    painter = QtGui.QPainter(joined)
    painter.drawImage(0, 0, left)
    for index, image in enumerate(images):
        painter.drawImage(left.width() + 2 + index % 2 * width, index // 2 * height, image)
    painter.end()
    if not joined.save(str(picture)):
        raise SystemExit(f"The picture {picture} could not be written.")


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
