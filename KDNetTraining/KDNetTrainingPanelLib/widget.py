"""The panel of the module KDNetTraining."""

from contextlib import suppress

import qt
import slicer
from slicer.i18n import tr as _

from KDNetLib.device import OPENVINO
from KDNetLib.errors import KDNetError
from KDNetSegmentationLib.controls import disableControls
from KDNetSegmentationLib.dependencies import missingPackages
from KDNetSegmentationLib.device_panel import DevicePanel
from KDNetSegmentationLib.module_widget import ModuleWidget
from KDNetSegmentationLib.styles import ERROR_STYLE
from KDNetTrainingPanelLib.data_panel import DataPanel
from KDNetTrainingPanelLib.estimate_panel import EstimatePanel
from KDNetTrainingPanelLib.logic import KDNetTrainingLogic, movedData
from KDNetTrainingPanelLib.panel_state import PanelState, disabledReasons
from KDNetTrainingPanelLib.plan_choice import makePlan, modelNameProblem
from KDNetTrainingPanelLib.progress_panel import ProgressPanel
from KDNetTrainingPanelLib.run_panel import RunPanel
from KDNetTrainingPanelLib.settings_panel import SettingsPanel
from KDNetTrainingPanelLib.use_panel import UsePanel
from KDNetTrainingPanelLib.watched_run import WatchedRun

#: How often the run's folder is looked at.
_LOOK_MS = 500


class KDNetTrainingWidget(ModuleWidget):
    """The panel. Its choices are in the parameter node; ``panel_state`` decides what can be used when."""

    uiFile = "UI/KDNetTraining.ui"
    packages = ("KDNetTrainingPanelLib", "KDNetTrainingLib", "KDNetSegmentationLib", "KDNetLib")

    def setup(self):
        """Build the panel when the module is opened for the first time."""
        super().setup()
        self.ui.modelNameStatusLabel.styleSheet = ERROR_STYLE
        self.logic = KDNetTrainingLogic()
        self._data = DataPanel(self.ui, lambda folder: self._choose("dataFolder", folder), self._onDataChecked)
        self._settings = SettingsPanel(self.ui, self._choose)
        self._devices = DevicePanel(self.ui, lambda name: self._choose("device", name))
        self._run = RunPanel(self.ui, lambda folder: self._choose("runFolder", folder), self.logic)
        self._estimate = EstimatePanel(self.ui, self.updatePanel)
        self._estimated = None
        self._progress = ProgressPanel(self.ui.progressContainer)
        self._use = UsePanel(self.ui.useContainer, self._progress)
        self._timer = qt.QTimer()
        self._timer.setInterval(_LOOK_MS)
        self._timer.connect("timeout()", self.onTimer)
        self.observeScene()
        self.ui.estimateButton.connect("clicked(bool)", self.onEstimate)
        self.ui.startButton.connect("clicked(bool)", self.onStart)
        self.ui.pauseButton.connect("clicked(bool)", self.onPauseOrResume)
        self.ui.stopAfterEpochButton.connect("clicked(bool)", self.onStopAfterEpoch)
        self.ui.stopButton.connect("clicked(bool)", self.onStop)
        self._showStatus("")
        self.initializeParameterNode()
        if not self._parameterNode.runFolder:
            self._parameterNode.runFolder = self._run.remembered()

    def enter(self):
        """The user opens the module."""
        self.initializeParameterNode()
        self._timer.start()

    def exit(self):
        """The user opens another module; a training that was started here is watched on."""
        if self.logic.ownRun is None:
            self._timer.stop()

    def cleanup(self):
        """End what must not go on and let go of the scene, before the panel is destroyed or reloaded."""
        self._timer.stop()
        self._data.stop()
        self._run.stop()
        self._estimate.clear()
        self._progress.cleanup()
        super().cleanup()

    def initializeParameterNode(self):
        """Take the choices from the scene; a training that was started here stays the one that is shown."""
        super().initializeParameterNode()
        own = self.logic.ownRun
        if own is not None:
            self._parameterNode.runFolder = str(own.folder)

    def onParametersModified(self, caller=None, event=None):
        """Follow the choices, wherever they were made."""
        parameters = self._parameterNode
        self._settings.show(parameters.preset, parameters.changedSettings, parameters.objective)
        self._devices.choose(parameters.device)
        self._data.show(parameters.dataFolder)
        self._run.show(parameters.runFolder)
        self.updatePanel()

    def updatePanel(self):
        """Show what can be done now, and how far the run is."""
        parameters = self._parameterNode
        if parameters is None:
            return
        if self._estimated is not None and self._estimated != self._estimateInput():
            self._estimated = None
            self._estimate.clear()
        folderProblem = self._run.problem(parameters.dataFolder)
        self._run.showStatus(folderProblem)
        nameProblem = modelNameProblem(parameters.modelName)
        self.ui.modelNameStatusLabel.text = nameProblem
        self.ui.modelNameStatusLabel.visible = bool(nameProblem)
        run = self._run.run
        state = PanelState(
            dataProblem=self._data.problem(self._settings.settings.folds),
            settingsProblem=self._settings.problem or nameProblem,
            folderProblem=folderProblem,
            run=run.state.state if run else "none",
            running=bool(run and run.running),
            own=bool(run and run.own),
            ending=bool(run and run.ending),
            estimating=self._estimate.running,
            isPreset=self._settings.isPreset,
        )
        disableControls(self.ui, disabledReasons(state), self._toolTips)
        self.ui.pauseButton.text = _("Res&ume") if not state.running and state.run != "none" else _("Pa&use")
        self._progress.show(run.state if run else None)
        self._use.show(run.state if run else None)

    def onTimer(self):
        """Look at the run's folder."""
        self._run.refresh()
        self.updatePanel()

    def onEstimate(self):
        """Measure what the training will take."""
        self._estimated = self._estimateInput()
        parameters = self._parameterNode
        self._try(self._estimate.start, self._plan(), self._data.found.usable, parameters.device, parameters.runFolder)

    def onStart(self):
        """Begin a training; where the folder holds one already, ask what to do."""
        if self._run.run is None:
            self._try(self._begin)
            return
        choice = self._run.ask(canResume=self._run.run.state.state != "finished")
        if choice == "resume":
            self._try(self._resume)
        elif choice:
            self._parameterNode.runFolder = choice
            if self._run.run is None and self.ui.startButton.enabled:
                self._try(self._begin)

    def onPauseOrResume(self):
        """One button: it pauses what runs, and goes on with what does not."""
        self._try(self._run.run.pause if self._run.run.running else self._resume)

    def onStopAfterEpoch(self):
        """Let the epoch be finished."""
        self._try(self._run.run.pause, True)

    def onStop(self):
        """End the process, if the user confirms."""
        question = _("End the training now? What it has done since the last epoch is lost; Resume goes on from there.")
        if slicer.util.confirmYesNoDisplay(question, _("KDNet")):
            self._try(self._run.run.end)

    def _plan(self):
        parameters = self._parameterNode
        return makePlan(parameters.preset, self._settings.changed, parameters.objective, parameters.modelName)

    def _estimateInput(self):
        parameters = self._parameterNode
        return parameters.preset, parameters.changedSettings, parameters.objective, parameters.device, parameters.dataFolder

    def _begin(self):
        parameters = self._parameterNode
        self.logic.begin(
            self._plan(), parameters.dataFolder, parameters.runFolder, parameters.device, parameters.goOn, WatchedRun
        )
        self._onStarted()

    def _resume(self):
        parameters, run = self._parameterNode, self._run.run
        self.logic.resume(run.folder, movedData(run.folder, parameters.dataFolder), parameters.device, parameters.goOn, wait=False)
        self._onStarted()

    def _onStarted(self):
        self._run.show(self._parameterNode.runFolder)
        self._run.remember()
        self.ui.progressCollapsibleButton.collapsed = False
        self._timer.start()

    def _onDataChecked(self):
        # Looking at data is no reason to ask for an installation.
        if not (self._devices.listed or missingPackages()):
            with suppress(KDNetError):  # without PythonSlicer nothing can be started either, and the start says so
                self.logic.startListingDevices(self._onDevicesListed)
        self.updatePanel()

    def _onDevicesListed(self, job):
        if job.error is None:
            self._devices.show([text for text in job.result if text.split()[0] != OPENVINO])  # which only segments

    def _choose(self, name, value):
        if self._parameterNode:
            setattr(self._parameterNode, name, value)
            self.updatePanel()  # also where the value is the one before, since what is wrong may have changed

    def _try(self, action, *arguments):
        """Do it, and show why where it could not be done."""
        try:
            action(*arguments)
            self._showStatus("")
        except KDNetError as error:
            self._showStatus(str(error), ERROR_STYLE)
        self.updatePanel()
