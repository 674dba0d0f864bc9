"""What the tests of the module KDNetSegmentation share: a scan, a model, and waiting.

Import it before anything of the module: it starts the bench, which gives qt, ctk and the rest of slicer.
"""

import csv
import os
import subprocess
import time
from pathlib import Path

import pytest

pytest.importorskip("slicer", reason="the bench needs slicer-core and PySide6-Essentials")
from bench import session  # noqa: E402

session.start()
import numpy as np  # noqa: E402
import slicer  # noqa: E402
import torch  # noqa: E402
import vtk  # noqa: E402
from KDNetLib.model_file import save_model  # noqa: E402
from KDNetLib.networks.encoder_decoder import EncoderDecoder  # noqa: E402

PICTURES = os.environ.get("KDNET_PICTURES")

#: With this seed the untrained network finds all three labels in :func:`scanArray`.
_SEED_WITH_ALL_LABELS = 81

DESCRIPTION = {
    "name": "tiny",
    "title": "Tiny untrained network",
    "modalities": ["T1ce"],
    "preprocessing": {"preset": "whole-brain", "spacing": 1.0},
    "classes": ["background", "NCR", "ED", "ET"],
    "training": {"summary": "Not trained at all; for tests of the flow."},
    "measured": [],
    "licence": "MIT",
    "citation": "None.",
}


def scanArray(shape=(40, 44, 36), seed=0) -> np.ndarray:
    """A ball of brain with a lesion in exact zeros, float32, axes (i, j, k)."""
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    radius = np.sqrt((grid**2).sum(0))
    array = np.where(radius < 0.9, 100 + 10 * np.random.default_rng(seed).standard_normal(shape), 0)
    fromLesion = np.sqrt(((grid - np.array([0.3, 0.2, 0.1]).reshape(3, 1, 1, 1)) ** 2).sum(0))
    array[(fromLesion < 0.3) & (radius < 0.9)] = 200
    array[fromLesion < 0.18] = 60
    return array.astype(np.float32)


def addVolume(name="scan", array=None, affine=None, className="vtkMRMLScalarVolumeNode"):
    """A volume node with ``array`` (i, j, k) and a 4×4 RAS affine."""
    node = slicer.mrmlScene.AddNewNodeByClass(className, name)
    array = scanArray() if array is None else array
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(array.transpose(2, 1, 0)))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.diag([-1.0, -1, 1, 1]) if affine is None else affine))
    node.CreateDefaultDisplayNodes()
    return node


def addTransform(matrix):
    """A linear transform node with a 4×4 matrix to its parent."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "transform")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.asarray(matrix, dtype=float)))
    return node


def addWarp():
    """A nonlinear transform node, a thin-plate spline."""
    points = vtk.vtkPoints(), vtk.vtkPoints()
    for corner in [(0, 0, 0), (-40, 0, 0), (0, -40, 0), (0, 0, 30), (-20, -20, 15)]:
        points[0].InsertNextPoint(corner)
        points[1].InsertNextPoint([value * 1.2 + value**2 / 100 for value in corner])
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetSourceLandmarks(points[0])
    spline.SetTargetLandmarks(points[1])
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "warp")
    node.SetAndObserveTransformToParent(spline)
    return node


def writeModel(folder, width=2, **changes):
    """An untrained network's model file in ``folder``, named after the model; returns its path."""
    torch.manual_seed(_SEED_WITH_ALL_LABELS)
    description = {**DESCRIPTION, **changes}
    path = folder / f"{description['name']}.safetensors"
    save_model(path, EncoderDecoder(width=width), description)
    return path


def waitFor(condition, seconds=120, what="it"):
    """Let the application run until ``condition()`` holds. Fails after ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come true within {seconds} s"
        slicer.app.processEvents()
        time.sleep(0.005)


def click(button):
    """Click as a user can: only what is enabled."""
    assert button.enabled, f"{button.objectName} is disabled: {button.toolTip}"
    button.click()


def segmentAndWait(panel):
    """Click Segment and wait for the end of the run."""
    assert panel.ui.segmentButton.text == "Segment"
    click(panel.ui.segmentButton)
    waitFor(lambda: not panel.logic.busy, what="the end of the run")


def copiedAndSaved(panel, bench, path):
    """The rows, by their headings, that Copy puts on the clipboard and that Save writes to the CSV file ``path``."""
    click(panel.ui.copyButton)
    bench.dialogs.choose(path)
    click(panel.ui.saveButton)
    with open(path, newline="") as file:
        return list(csv.DictReader(slicer.app.clipboard().text().splitlines(), delimiter="\t")), list(csv.DictReader(file))


def processesOfWorker():
    """Process ids of launchers and interpreters that run the worker; the bench's own process starts no others."""
    listing = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    own = {os.getpid()}
    found = []
    rows = [line.split(None, 2) for line in listing.splitlines()[1:]]
    for _ in range(3):  # children of children: launcher, interpreter
        own |= {int(pid) for pid, parent, _ in rows if int(parent) in own}
    for pid, _, command in rows:
        if int(pid) in own and "-m KDNetLib.worker" in command:
            found.append(int(pid))
    return found


def showsItsText(widget):
    """Whether all of the text of a visible label or button has room."""
    return widget.width >= widget.fontMetrics().horizontalAdvance(widget.text.replace("&", ""))


def savePicture(window, name):
    """Save ``window`` in its whole length as NAME.png, where the environment names a folder for pictures."""
    if PICTURES:
        window.resize(430, max(640, window.sizeHint.height()))
        slicer.app.processEvents()
        assert window.grab().save(str(Path(PICTURES) / f"{name}.png"))


def tableTexts(table):
    """The cells of a QTableWidget, row by row."""
    return [[table.item(row, column).text() for column in range(table.columnCount)] for row in range(table.rowCount)]


def addResult(volume, classes=None, warnings=(), segmentationNode=None):
    """What a run leaves in the scene, without the run: a segmentation of ``classes`` (i, j, k), its volumes and warnings."""
    # Not at the top: a reload of the module replaces these packages.
    from KDNetLib.volumes import volumes_ml
    from KDNetSegmentationLib.results_table import storeResult
    from KDNetSegmentationLib.segmentation_job import SegmentationResult
    from KDNetSegmentationLib.segmentation_output import writeSegmentation
    from KDNetSegmentationLib.volume_arrays import worldAffine

    classes = lesionClasses() if classes is None else classes
    node = writeSegmentation(classes, volume, segmentationNode)
    volumes = volumes_ml(classes, worldAffine(volume))
    storeResult(SegmentationResult(node, volumes, list(warnings), {"total": 1.0}, "cpu", "tiny"), volume.GetName())
    return node


def lesionClasses(shape=(40, 44, 36)) -> np.ndarray:
    """Class indices (uint8) with all three labels, axes (i, j, k)."""
    classes = np.zeros(shape, np.uint8)
    classes[10:30, 12:32, 8:28] = 2
    classes[14:26, 16:28, 12:24] = 3
    classes[17:23, 19:25, 15:21] = 1
    return classes
