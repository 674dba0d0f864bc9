"""A scripted module as small as one can be that still uses all a module uses; only the bench's tests load it."""

import shutil
from typing import Annotated

import qt
import slicer
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin


class BenchDummy(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Bench dummy")
        self.parent.categories = ["Testing"]
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData():
    import SampleData
    SampleData.SampleDataLogic.registerCustomSampleDataSource(category="Dummy", sampleName="Nothing")


@parameterNodeWrapper
class BenchDummyParameterNode:
    inputVolume: vtkMRMLScalarVolumeNode
    threshold: Annotated[float, WithinRange(-100, 200)] = 100
    device: Annotated[str, Choice(["auto", "cpu"])] = "auto"
    invert: bool = False


class BenchDummyWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.entered = self.cleanedUp = False
        self.process = None
        self.output = b""
        self.exit_ = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/BenchDummy.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = BenchDummyLogic()
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.ui.inputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onInput)
        self.parameterNode = self.logic.getParameterNode()
        self.tag = self.parameterNode.connectGui(self.ui)

    def enter(self):
        self.entered = True

    def cleanup(self):
        self.cleanedUp = True
        self.removeObservers()

    def onInput(self, node):
        self.ui.applyButton.enabled = node is not None
        self.ui.applyButton.toolTip = "" if node else _("Select an input volume")

    def onApply(self):
        self.process = qt.QProcess()
        self.process.connect("readyReadStandardOutput()", self.onOutput)
        self.process.connect("finished(int,QProcess::ExitStatus)", self.onFinished)
        self.process.start(shutil.which("PythonSlicer"), ["-c", "import sys; print(sys.stdin.read().upper())"])
        self.process.write(b"done")
        self.process.closeWriteChannel()

    def onOutput(self):
        self.output += self.process.readAllStandardOutput().data()

    def onFinished(self, code, status):
        self.exit_ = (code, status)


class BenchDummyLogic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return BenchDummyParameterNode(super().getParameterNode())


class BenchDummyTest(ScriptedLoadableModuleTest):
    def runTest(self):
        self.delayDisplay("dummy")
