"""Probability maps belong to one result: the next one refills or removes them."""

from module_support import addResult, addVolume, segmentAndWait  # first: starts the bench
from module_fixtures import *  # noqa: F403

import numpy as np
import slicer
from KDNetLib.labels import LABELS
from KDNetSegmentationLib.probability_output import removeProbabilities, writeProbabilities


def maps(segmentationNode):
    """The volumes that the segmentation references as its probabilities."""
    nodes = [segmentationNode.GetNodeReference(f"KDNet.probability.{label.key}") for label in LABELS]
    return [node for node in nodes if node is not None]


def volumes():
    return slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")


def probabilities(value):
    return np.full((4, 40, 44, 36), value, np.float16)


def clone(segmentationNode):
    """What the Data module's Clone makes."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "clone")
    node.Copy(segmentationNode)
    return node


def test_a_run_without_maps_removes_those_of_the_result_it_replaces(panel):
    scan = addVolume()
    panel.ui.probabilitiesCheckBox.checked = True
    segmentAndWait(panel)
    node = panel.ui.outputSelector.currentNode()
    assert len(maps(node)) == 3 and len(volumes()) == 4
    panel.ui.probabilitiesCheckBox.checked = False
    segmentAndWait(panel)
    assert panel.ui.outputSelector.currentNode() is node
    assert not maps(node) and volumes() == [scan]
    assert panel.ui.inputSelector.currentNode() is scan


def test_maps_of_a_cloned_result_stay(bench):
    scan = addVolume()
    node = addResult(scan)
    writeProbabilities(probabilities(0.25), scan, node)
    kept = clone(node)
    before = maps(kept)
    assert len(before) == 3 and before == maps(node)
    writeProbabilities(probabilities(0.5), scan, node)
    assert maps(kept) == before and slicer.util.arrayFromVolume(before[0]).max() == 0.25
    assert slicer.util.arrayFromVolume(maps(node)[0]).max() == 0.5
    removeProbabilities(node)
    assert maps(kept) == before and not maps(node) and set(volumes()) == {scan, *before}
