"""The logic as the Python console and other scripts use it."""

from module_support import addVolume, processesOfWorker, scanArray, waitFor  # first: starts the bench
from module_fixtures import *  # noqa: F403

import numpy as np
import pytest
import slicer
from KDNetLib.errors import InputError, KDNetError
from KDNetLib.labels import VOLUME_KEYS
from KDNetSegmentationLib.logic import KDNetSegmentationLogic
from KDNetSegmentationLib.segmentation_output import hasResult


def test_console_use_blocks_and_returns(logic, model):
    volume = addVolume()
    seen = []
    result = logic.segment(volume, model=model, device="cpu", progress=lambda *step: seen.append(step))
    assert hasResult(result.segmentationNode)
    assert set(result.volumes_ml) == set(VOLUME_KEYS)
    assert result.device.startswith("cpu") and result.seconds["total"] > 0 and "iny" in result.model
    assert seen[-1][0] == pytest.approx(1) and all(isinstance(stage, str) for _, stage in seen)
    assert logic.segment(volume, result.segmentationNode, model).segmentationNode is result.segmentationNode


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: None, "not a volume"),
        (lambda: slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"), "no image"),
        (lambda: addVolume("labels", scanArray().astype(np.uint8), className="vtkMRMLLabelMapVolumeNode"), "label map"),
        (lambda: addVolume("constant", np.full((30, 30, 30), 7.0)), "constant"),
    ],
    ids=["nothing", "no image", "label map", "constant"],
)
def test_bad_input_is_one_sentence(logic, model, make, words):
    with pytest.raises(InputError) as caught:
        logic.segment(make(), model=model)
    message = str(caught.value)
    assert words in message and "\n" not in message and message.endswith(".")
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")


def test_unknown_model_and_busy_logic_are_refused(logic, model):
    volume = addVolume()
    with pytest.raises(KDNetError, match="no-such-model"):
        logic.segment(volume, model="no-such-model")
    job = logic.startSegmentation(volume, model=model)
    with pytest.raises(KDNetError, match="computing already"):
        logic.segment(volume, model=model)
    waitFor(lambda: job.finished)
    assert job.error is None


def test_logics_that_are_made_and_dropped_share_one_process(logic, model):
    volume = addVolume()
    KDNetSegmentationLogic().segment(volume, model=model)
    first = processesOfWorker()
    KDNetSegmentationLogic().segment(volume, model=model)
    assert first and processesOfWorker() == first
    logic.shutdown()
    waitFor(lambda: not processesOfWorker(), seconds=1, what="the end of the process")


def test_opening_advanced_while_a_script_computes_is_no_error(panel, model):
    job = KDNetSegmentationLogic().startSegmentation(addVolume(), model=model)
    panel.ui.advancedCollapsibleButton.collapsed = False
    assert panel.ui.statusLabel.isHidden() and not panel._devices.listed
    waitFor(lambda: job.finished)
    panel.ui.advancedCollapsibleButton.collapsed = True
    panel.ui.advancedCollapsibleButton.collapsed = False
    waitFor(lambda: panel._devices.listed)


def test_a_logic_leaves_the_computation_of_another_alone(logic, model):
    volume, lines = addVolume(), []
    other = KDNetSegmentationLogic(onLog=lines.append)
    job = logic.startSegmentation(volume, model=model)
    with pytest.raises(KDNetError, match="computing already"):
        other.segment(volume, model=model)
    other.shutdown()
    waitFor(lambda: job.finished)
    assert job.error is None and not lines
