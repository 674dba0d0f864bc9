"""Slicer module KDNetTraining: trains the network of KDNetSegmentation on the user's own BraTS folder.

Only what Slicer looks for is here; the work is in KDNetTrainingPanelLib, the engine in KDNetTrainingLib.
"""

from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule

from KDNetTrainingPanelLib.logic import KDNetTrainingLogic
from KDNetTrainingPanelLib.self_test import KDNetTrainingTest
from KDNetTrainingPanelLib.widget import KDNetTrainingWidget

__all__ = ["KDNetTraining", "KDNetTrainingLogic", "KDNetTrainingTest", "KDNetTrainingWidget"]


class KDNetTraining(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("KDNet Training")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["KDNetSegmentation"]
        self.parent.contributors = ["KDNet contributors"]
        self.parent.helpText = _(
            "<p>Trains a teacher that sees four modalities and a student that sees one, by knowledge distillation, on a "
            "folder of BraTS cases. The student becomes a model of KDNet Segmentation. For research use "
            "only.</p>"
            "<ol><li>Choose the BraTS folder and wait until its cases are listed.</li>"
            "<li>Choose an empty folder to write to and click <b>Start training</b>.</li>"
            "<li>Watch it learn; pause and resume as you like, also after closing Slicer.</li></ol>"
            "<p>Python: <code>from KDNetTraining import KDNetTrainingLogic</code>, then "
            "<code>KDNetTrainingLogic().train(dataFolder, runFolder)</code>.</p>"
        )
        self.parent.acknowledgementText = _(
            "The training follows Hu et al., Knowledge Distillation from Multi-Modal to Mono-Modal Segmentation Networks, "
            "MICCAI 2020."
        )
