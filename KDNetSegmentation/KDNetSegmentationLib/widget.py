"""The panel of the module KDNetSegmentation."""

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from KDNetLib.errors import Cancelled, KDNetError
from KDNetSegmentationLib.brain_extraction import brainExtractionInstalled, extractBrain
from KDNetSegmentationLib.controls import disableControls
from KDNetSegmentationLib.dependencies import missingPackages
from KDNetSegmentationLib.device_panel import DevicePanel
from KDNetSegmentationLib.logic import KDNetSegmentationLogic
from KDNetSegmentationLib.model_panel import ModelPanel
from KDNetSegmentationLib.module_widget import ModuleWidget
from KDNetSegmentationLib.panel_state import PanelState, disabledReasons
from KDNetSegmentationLib.results_panel import ResultsPanel
from KDNetSegmentationLib.segmentation_output import hasResult, resultFor
from KDNetSegmentationLib.styles import ERROR_STYLE
from KDNetSegmentationLib.tables import fillComparison


class KDNetSegmentationWidget(ModuleWidget):
    """The panel. Its choices are in the parameter node; ``panel_state`` decides what can be used when."""

    uiFile = "UI/KDNetSegmentation.ui"
    packages = ("KDNetSegmentationLib", "KDNetLib")

    def setup(self):
        """Build the panel when the module is opened for the first time."""
        super().setup()
        self.logic = KDNetSegmentationLogic(onLog=self._log)
        self._models = ModelPanel(self.ui, lambda name: self._choose("model", name))
        self._devices = DevicePanel(self.ui, lambda name: self._choose("device", name))
        self._results = ResultsPanel(self.ui, self.onSegmentsEdited)
        self._lastInput = self._compared = None
        self.ui.progressBar.visible = False
        self.ui.statusLabel.visible = False
        self.observeScene()
        self.ui.segmentButton.connect("clicked(bool)", self.onSegmentOrCancel)
        self.ui.cardButton.connect("clicked(bool)", self._models.showCard)
        self.ui.importButton.connect("clicked(bool)", self.onImportModel)
        self.ui.removeButton.connect("clicked(bool)", self.onRemoveModel)
        self.ui.show3DButton.connect("clicked(bool)", self.onShow3D)
        self.ui.copyButton.connect("clicked(bool)", self.onCopy)
        self.ui.saveButton.connect("clicked(bool)", self.onSave)
        self.ui.compareButton.connect("clicked(bool)", self.onCompare)
        self.ui.extractBrainButton.connect("clicked(bool)", self.onExtractBrain)
        # The parameter node's own connection knows selectors of one class of nodes only.
        for selector, name in ((self.ui.maskSelector, "brainMask"), (self.ui.referenceSelector, "reference")):
            selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node, name=name: self._choose(name, node))
        self.ui.advancedCollapsibleButton.connect("contentsCollapsed(bool)", self.onAdvancedCollapsed)
        self.initializeParameterNode()

    def enter(self):
        """The user opens the module; other modules may have added models since."""
        self._models.refresh()
        self.initializeParameterNode()

    def cleanup(self):
        """End what runs and let go of the scene, before the panel is destroyed or reloaded."""
        self._results.letGo()
        super().cleanup()

    def onSceneAboutToChange(self, caller, event):
        """Let go of the result too."""
        super().onSceneAboutToChange(caller, event)
        self.updatePanel()

    def initializeParameterNode(self):
        """Take the choices from the scene, and the first volume as input if there is none yet."""
        super().initializeParameterNode()
        if not self._parameterNode.inputVolume:
            volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
            self._parameterNode.inputVolume = next(
                (node for node in volumes if node.GetClassName() == "vtkMRMLScalarVolumeNode"), None
            )

    def setParameterNode(self, parameterNode):
        """Connect the panel with another parameter node, or with none."""
        if parameterNode is not self._parameterNode:
            # What a scene holds was chosen with its scan, and stays.
            self._lastInput = parameterNode.inputVolume if parameterNode else None
        super().setParameterNode(parameterNode)

    def onParametersModified(self, caller=None, event=None):
        """Follow the choices, wherever they were made."""
        inputVolume = self._parameterNode.inputVolume
        if inputVolume is not self._lastInput:
            self._lastInput = inputVolume
            self._showStatus("")  # of another scan
            # A result belongs to its scan: another scan must not overwrite it.
            if self._parameterNode.segmentation is None or hasResult(self._parameterNode.segmentation):
                self._parameterNode.segmentation = resultFor(inputVolume) if inputVolume else None
        self._models.choose(self._parameterNode.model)
        self._devices.choose(self._parameterNode.device)
        self.ui.maskSelector.setCurrentNode(self._parameterNode.brainMask)
        self.ui.referenceSelector.setCurrentNode(self._parameterNode.reference)
        self.updatePanel()

    def onSegmentsEdited(self):
        """Show the new volumes; a panel that is not shown does when it is."""
        if self.parent.isEntered:
            self.updatePanel()

    def updatePanel(self):
        """Show what can be done now and what the last run gave."""
        parameters = self._parameterNode
        segmentationNode = parameters.segmentation if parameters else None
        model = self._models.current
        self._results.show(segmentationNode)
        if self._compared != self._whatIsCompared(segmentationNode, parameters.reference if parameters else None):
            fillComparison(self.ui.comparisonTable, None)  # of other nodes, or of the segments before they were edited
        reasons = disabledReasons(
            PanelState(
                busy=self.logic.busy,
                hasInput=bool(parameters and parameters.inputVolume),
                modelProblem=self._models.problem,
                modelImported=model is not None and not model.bundled,
                hasResult=hasResult(segmentationNode),
                hasVolumes=self._results.stored is not None,
                hasReference=bool(parameters and parameters.reference),
                canExtractBrain=brainExtractionInstalled(),
            )
        )
        disableControls(self.ui, reasons, self._toolTips)
        if self.logic.busy:
            self.ui.segmentButton.toolTip = _("End the computation now; nothing in the scene changes.")
        self.ui.segmentButton.text = _("Cancel") if self.logic.busy else _("Segment")
        self.ui.progressBar.visible = self.logic.busy

    def onSegmentOrCancel(self):
        """One button: it starts the run, and ends whatever is under way."""
        if self.logic.busy:
            self.logic.cancel()
            return
        parameters = self._parameterNode
        self._begin(
            self.logic.startSegmentation,
            parameters.inputVolume,
            parameters.segmentation,
            self._models.current.path,
            parameters.device,
            parameters.brainMask,
            parameters.flips,
            parameters.probabilities,
            onProgress=self._onProgress,
            onFinished=self._onSegmented,
        )

    def onCompare(self):
        """Measure the result against the reference."""
        parameters = self._parameterNode
        compared = self._whatIsCompared(parameters.segmentation, parameters.reference)  # before anyone edits them
        self._begin(
            self.logic.startComparison,
            parameters.segmentation,
            parameters.reference,
            parameters.convention,
            onFinished=lambda job: self._onCompared(job, compared),
        )

    def onAdvancedCollapsed(self, collapsed):
        """Ask for the devices the first time that they can be seen."""
        # Looking at the section is no reason to ask for an installation.
        if not (collapsed or self._devices.listed or self.logic.processBusy or missingPackages()):
            self._begin(self.logic.startListingDevices, onFinished=self._onDevicesListed)

    def onExtractBrain(self):
        """Make a brain mask with the HDBrainExtraction extension and use it."""
        self._showStatus(_("Extracting the brain; this may take minutes."))
        slicer.app.processEvents()
        self._try(self._extractBrain)

    def onShow3D(self, shown):
        """Show or hide the result in the 3-D views."""
        self._results.setShown3D(shown)
        self.updatePanel()

    def onCopy(self):
        """Put the volumes on the clipboard."""
        self._showStatus(self._results.copy())

    def onSave(self):
        """Save the volumes as a CSV file."""
        self._try(self._results.save)

    def onImportModel(self):
        """Let the user pick a model file and import it."""
        path = qt.QFileDialog.getOpenFileName(
            slicer.util.mainWindow(), _("Import a model"), str(Path.home()), _("KDNet models (*.safetensors)")
        )
        if path:
            self._try(self._models.importFile, path)

    def onRemoveModel(self):
        """Remove the chosen imported model."""
        self._try(self._models.removeCurrent)

    def _extractBrain(self):
        with slicer.util.WaitCursor():
            self._parameterNode.brainMask = extractBrain(self._parameterNode.inputVolume)
        return _("The brain mask is ready; click Segment.")

    def _choose(self, name, value):
        if self._parameterNode:
            setattr(self._parameterNode, name, value)

    def _try(self, action, *arguments):
        """Do it and show what it says, or why it could not be done."""
        try:
            self._showStatus(action(*arguments))
        except KDNetError as error:
            self._showStatus(str(error), ERROR_STYLE)

    def _begin(self, start, *arguments, **callbacks):
        """Start a job; what is wrong with the input is shown at once."""
        self._showStatus(_("Starting"))
        self.ui.progressBar.value = 0
        try:
            start(*arguments, onMessage=self._log, **callbacks)
        except KDNetError as error:
            self._showStatus(str(error), ERROR_STYLE)
        self.updatePanel()

    def _onProgress(self, fraction, stage):
        self.ui.progressBar.value = round(100 * fraction)
        self._showStatus(stage)

    def _onSegmented(self, job):
        if job.error is None:
            self._compared = None
            # A scene that was imported meanwhile may have disconnected a panel that is not shown.
            parameterNode = self._parameterNode or self.logic.getParameterNode()
            if parameterNode.inputVolume is job.input.volumeNode:
                parameterNode.segmentation = job.result.segmentationNode
            for warning in job.result.warnings:
                self._log(warning)
            self._showStatus("")  # the warnings stand with the volumes
        self._onFinished(job)

    def _onCompared(self, job, compared):
        if job.error is None:
            self._compared = compared
            fillComparison(self.ui.comparisonTable, job.result)
            self._showStatus("")
        self._onFinished(job)

    def _whatIsCompared(self, segmentationNode, referenceNode):
        stored = self._results.stored
        return segmentationNode, referenceNode, stored and stored["volumes_ml"]

    def _onDevicesListed(self, job):
        if job.error is None:
            self._devices.show(job.result)
            self._showStatus("")
        self._onFinished(job)

    def _onFinished(self, job):
        if job.error is not None:
            self._log(str(job.error))
            self._showStatus(str(job.error), "" if isinstance(job.error, Cancelled) else ERROR_STYLE)
        self.onParametersModified() if self._parameterNode else self.updatePanel()

    def _log(self, text):
        self.ui.logEdit.appendPlainText(text)
