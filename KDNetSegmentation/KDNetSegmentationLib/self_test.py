"""Slicer's self-test of the main path, on the bundled sample."""

import numpy as np
import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

from KDNetLib.labels import LABELS, VOLUME_KEYS
from KDNetSegmentationLib.dependencies import missingPackages
from KDNetSegmentationLib.logic import KDNetSegmentationLogic
from KDNetSegmentationLib.sample_data import samplePath
from KDNetSegmentationLib.segmentation_output import SEGMENT_IDS, hasResult, isShown3D, readClasses, setShown3D
from KDNetSegmentationLib.terminology import terminologyEntry


class KDNetSegmentationTest(ScriptedLoadableModuleTest):
    """Segments the sample as a user would in the console, and looks at what is in the scene then."""

    def setUp(self):
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self):
        """Called by Slicer's "Reload and Test" and by ctest."""
        missing = missingPackages()
        if missing:
            self.delayDisplay(f"Skipped: {', '.join(missing)} not installed")
            return
        self.setUp()
        self.test_segmentSample()

    def test_segmentSample(self):
        """The main path: segment, look, show, segment again, compare."""
        volumeNode = slicer.util.loadVolume(str(samplePath()))
        logic = KDNetSegmentationLogic()
        try:
            self._segmentSample(logic, volumeNode)
        finally:
            logic.shutdown()

    def _segmentSample(self, logic, volumeNode):
        fractions = []
        self.delayDisplay("Segmenting the sample")
        result = logic.segment(volumeNode, progress=lambda fraction, stage: fractions.append(fraction))
        segmentationNode = result.segmentationNode
        self.assertTrue(hasResult(segmentationNode))
        self.assertEqual(fractions, sorted(fractions))
        self.assertEqual(set(result.volumes_ml), set(VOLUME_KEYS))
        self.assertGreater(result.volumes_ml["WT"], 1)
        for label in LABELS:
            segment = segmentationNode.GetSegmentation().GetSegment(SEGMENT_IDS[label.key])
            self.assertEqual(segment.GetName(), label.name)
            self.assertEqual(segment.GetTerminology(), terminologyEntry(label.key))
        classes = readClasses(segmentationNode, volumeNode)
        voxel_ml = np.prod(volumeNode.GetSpacing()) / 1000
        self.assertAlmostEqual(np.count_nonzero(classes) * voxel_ml, result.volumes_ml["WT"], places=1)
        setShown3D(segmentationNode, True)
        self.assertTrue(isShown3D(segmentationNode))
        self.delayDisplay("Segmenting it again")
        logic.segment(volumeNode, segmentationNode)
        self.assertTrue((readClasses(segmentationNode, volumeNode) == classes).all())
        measures = logic.compare(segmentationNode, segmentationNode)
        self.assertEqual([measures[region]["dice"] for region in measures], [1] * len(measures))
        self.delayDisplay("Test passed")
