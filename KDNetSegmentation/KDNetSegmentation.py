"""Slicer module KDNetSegmentation: brain tumours from one post-contrast T1 scan.

Only what Slicer looks for is here; the work is in KDNetSegmentationLib, the engine in KDNetLib.
"""

from pathlib import Path

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule

from KDNetSegmentationLib.logic import KDNetSegmentationLogic
from KDNetSegmentationLib.sample_data import registerSampleData
from KDNetSegmentationLib.self_test import KDNetSegmentationTest
from KDNetSegmentationLib.terminology import loadTerminology
from KDNetSegmentationLib.widget import KDNetSegmentationWidget

__all__ = ["KDNetSegmentation", "KDNetSegmentationLogic", "KDNetSegmentationTest", "KDNetSegmentationWidget"]


class KDNetSegmentation(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("KDNet Segmentation")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = []
        self.parent.contributors = ["KDNet contributors"]
        self.parent.helpText = _(
            "<p>Segments a brain tumour into necrotic core, peritumoral edema and enhancing tumour from one "
            "post-contrast T1 scan, which should be skull-stripped. For research use only.</p>"
            "<ol><li>Load a scan, or KDNet's sample from the Sample Data module.</li>"
            "<li>Choose it as input volume and click <b>Segment</b>.</li>"
            "<li>Read the volumes, click <b>Show 3D</b>, or compare with a reference.</li></ol>"
            "<p>Python: <code>from KDNetSegmentation import KDNetSegmentationLogic</code>, then "
            "<code>KDNetSegmentationLogic().segment(volumeNode).volumes_ml</code>.</p>"
        )
        self.parent.acknowledgementText = _(
            "The network and its training by knowledge distillation follow Hu et al., Knowledge Distillation from "
            "Multi-Modal to Mono-Modal Segmentation Networks, MICCAI 2020."
        )
        slicer.app.connect("startupCompleted()", self._onStartupCompleted)

    def _onStartupCompleted(self):
        loadTerminology()
        registerSampleData(Path(self.resourcePath("Icons")))
