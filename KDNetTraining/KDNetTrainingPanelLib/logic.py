"""What the panel, the Python console and headless runs share."""

from pathlib import Path

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic
from slicer.i18n import tr as _

from KDNetLib.errors import InputError
from KDNetSegmentationLib.dependencies import ensureDependencies
from KDNetSegmentationLib.device_list import DeviceListJob
from KDNetSegmentationLib.engine_process import interpreter
from KDNetSegmentationLib.worker_process import WorkerProcess
from KDNetTrainingLib.run.recorded_plan import record_plan
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.run.status import RunState
from KDNetTrainingPanelLib.parameter_node import KDNetTrainingParameterNode
from KDNetTrainingPanelLib.plan_choice import makePlan
from KDNetTrainingPanelLib.run_folder_check import runFolderProblem
from KDNetTrainingPanelLib.run_process import TrainingRun, openRun


class KDNetTrainingLogic(ScriptedLoadableModuleLogic):
    """Trains in processes of their own; a run is found again by its folder.

        >>> state = KDNetTrainingLogic().train("/data/BraTS", "/data/run", preset="paper", epochs=100)
        >>> state.trainings["all/gt+kl+kd"].best_validation
    """

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        self._parameterNode = None
        self._runs: dict[Path, TrainingRun] = {}
        self._listing = None

    def getParameterNode(self):
        """The panel's choices in the scene, wrapped with their types; one wrapper per node."""
        node = super().getParameterNode()
        if self._parameterNode is None or self._parameterNode.parameterNode is not node:
            self._parameterNode = KDNetTrainingParameterNode(node)
        return self._parameterNode

    def train(
        self,
        dataFolder,
        runFolder,
        preset="paper",
        objective="gt+kl+kd",
        modelName="my-student",
        device="auto",
        goOn=False,
        wait=True,
        progress=None,
        **settings,
    ):
        """Train on the BraTS cases below ``dataFolder``; everything is written to ``runFolder``, which must be new or empty.

        preset: "paper", "full", "student". objective: "gt+kl+kd" (KD-Net's student and its teacher), "gt+kl",
        "gt+kd", "baseline", or "all". modelName: of the model file. device: "auto", "cpu", "cuda:0", "mps". goOn: also
        when Slicer closes. settings: what differs from the preset, such as ``epochs=100`` (the fields of
        ``KDNetTrainingLib.settings.Settings``).

        With ``wait`` it returns the run's ``RunState`` at its end, and calls ``progress(state)`` twice a second until
        then; else the ``TrainingRun`` at once. Raises :class:`KDNetLib.errors.KDNetError`, whose text is a sentence that
        says what to do, also where the run fails.
        """
        plan = makePlan(preset, settings, objective, modelName)
        run = self.begin(plan, dataFolder, runFolder, device, goOn)
        return run.wait(progress) if wait else run

    def resume(self, runFolder, dataFolder=None, device="auto", goOn=False, wait=True, progress=None):
        """Go on with a run that was paused, failed or killed; else as :meth:`train`.

        dataFolder: where the cases lie now, if they were moved.
        """
        run = self.run(runFolder)
        self._ensureDependencies()
        run.start(device, dataFolder or None, goOn)
        return run.wait(progress) if wait else run

    def stop(self, runFolder, afterEpoch=False):
        """Ask the training that runs in ``runFolder`` to save and end after its step (or its epoch), whoever started it."""
        self.run(runFolder).pause(afterEpoch)

    def begin(self, plan, dataFolder, runFolder, device="auto", goOn=False, stateKind=RunState) -> TrainingRun:
        """Record ``plan`` in the new or empty ``runFolder`` and start its process. Raises :class:`KDNetError`."""
        dataFolder, runFolder = Path(dataFolder).absolute(), Path(runFolder).absolute()
        if not dataFolder.is_dir():
            raise InputError(_("There is no folder {path}; choose the one that holds the BraTS cases.").format(path=dataFolder))
        problem = runFolderProblem(str(runFolder), str(dataFolder))
        if problem:
            raise InputError(problem)
        if (runFolder / "run.json").exists():
            raise InputError(
                _("{path} holds a run already; resume that one, or choose another folder for the run.").format(path=runFolder)
            )
        self._ensureDependencies()
        interpreter()  # where it is missing, nothing has been written yet
        record_plan(plan, dataFolder, runFolder)
        run = self.run(runFolder, stateKind)
        run.start(device, None, goOn)
        return run

    def run(self, runFolder, stateKind=RunState) -> TrainingRun:
        """The run in ``runFolder``: always the same object while its process is this Slicer's. Raises :class:`InputError`."""
        folder = Path(runFolder).absolute()
        known = self._runs.get(folder)
        if known is None or not (known.own or isinstance(known.state, stateKind)):
            known = self._runs[folder] = openRun(folder, stateKind)
        return known

    @property
    def ownRun(self):
        """The run whose process this Slicer started last and that has not ended yet, or None."""
        return next((run for run in reversed(self._runs.values()) if run.own), None)

    def startListingDevices(self, onFinished):
        """Ask which devices there are; ``onFinished(job)`` gets texts in ``job.result`` whose first word names the device."""
        if self._listing is not None and not self._listing.finished:
            return  # its answer is on the way to the same panel
        worker = WorkerProcess(lambda text: None)

        def finish(job):
            worker.stop()  # nothing else is asked of it here, and torch in it takes memory
            onFinished(job)

        job = DeviceListJob(worker, onFinished=finish)
        job.start()
        self._listing = job

    def shutdown(self) -> None:
        """Slicer closes, or the module is reloaded: save and end what was not started to go on."""
        if self._listing is not None:
            self._listing.cancel(_("KDNetTraining closes."))
        for run in self._runs.values():
            run.letGo()

    def _ensureDependencies(self):
        ensureDependencies(interactive=slicer.util.mainWindow() is not None)


def movedData(runFolder, dataFolder: str) -> str:
    """``dataFolder`` where the cases of the run lie no longer where they did when it was begun; else ""."""
    before = (RunFolder(runFolder).read("origin") or {}).get("data", "")
    return dataFolder if dataFolder and not Path(before).is_dir() else ""
