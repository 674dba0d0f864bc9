"""What the panel, the Python console and headless runs share."""

import logging

import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic
from slicer.util import VTKObservationMixin

from KDNetLib.model_store import default_model, find_model
from KDNetSegmentationLib.comparison import ComparisonJob
from KDNetSegmentationLib.dependencies import ensureDependencies
from KDNetSegmentationLib.device_list import DeviceListJob
from KDNetSegmentationLib.parameter_node import AUTOMATIC_CONVENTION, KDNetSegmentationParameterNode
from KDNetSegmentationLib.segmentation_job import SegmentationInput, SegmentationJob
from KDNetSegmentationLib.terminology import loadTerminology
from KDNetSegmentationLib.worker_process import WorkerProcess

#: All logics share one process, which ends with Slicer: a script may make a logic for every scan, and Qt, which holds
#: what is connected to a process, would keep theirs.
_WORKER = WorkerProcess(logging.info)


class KDNetSegmentationLogic(ScriptedLoadableModuleLogic, VTKObservationMixin):
    """Segments brain tumours in post-contrast T1 volumes, one at a time, in a process that stays warm.

    All logics of the application share that process, so one of them computes at a time.

        >>> result = KDNetSegmentationLogic().segment(slicer.util.getNode("T1ce"))
        >>> result.volumes_ml["WT"]

    ``onLog(text)`` gets what the process writes besides the results of this logic.
    """

    def __init__(self, onLog=logging.info):
        ScriptedLoadableModuleLogic.__init__(self)
        VTKObservationMixin.__init__(self)
        self._worker = _WORKER
        self._onLog = onLog
        self._job = None
        self._parameterNode = None

    def getParameterNode(self):
        """The panel's choices in the scene, wrapped with their types; one wrapper per node."""
        node = super().getParameterNode()
        if self._parameterNode is None or self._parameterNode.parameterNode is not node:
            self._parameterNode = KDNetSegmentationParameterNode(node)
        return self._parameterNode

    @property
    def busy(self) -> bool:
        """Whether something is being computed."""
        return self._job is not None

    @property
    def processBusy(self) -> bool:
        """Whether the process computes, be it for another logic."""
        return self._worker.busy

    def segment(
        self,
        volumeNode,
        segmentationNode=None,
        model=None,
        device="auto",
        brainMaskNode=None,
        flips=False,
        probabilities=False,
        progress=None,
    ):
        """Segment a scan and wait for it; needs no main window. Returns a ``SegmentationResult``.

        volumeNode: post-contrast T1 scan (scalar volume), also under a linear transform. segmentationNode: where the
        labels go, a new node by default. model: name or path of a model file, or a list of them to average.
        device: "auto", "cpu", "cuda:0", "mps", "openvino". brainMaskNode: segmentation or label map of the brain.
        flips: average over all 8 mirrored copies. probabilities: make a volume per class too.
        progress(fraction, stage): 0 to 1, a text.

        Raises :class:`KDNetLib.errors.KDNetError`, whose text is a sentence that says what to do.
        """
        job = self.startSegmentation(
            volumeNode, segmentationNode, model, device, brainMaskNode, flips, probabilities, onProgress=progress
        )
        return _resultOf(job)

    def startSegmentation(
        self,
        volumeNode,
        segmentationNode=None,
        model=None,
        device="auto",
        brainMaskNode=None,
        flips=False,
        probabilities=False,
        onProgress=None,
        onMessage=None,
        onFinished=None,
    ):
        """As :meth:`segment`, but returns the ``SegmentationJob`` at once; see ``WorkerJob`` for the callbacks."""
        loadTerminology()
        input = SegmentationInput(
            volumeNode, segmentationNode, _modelPaths(model), device, brainMaskNode, flips, probabilities
        )
        return self._start(
            SegmentationJob, input, nodes=[volumeNode], onProgress=onProgress, onMessage=onMessage, onFinished=onFinished
        )

    def compare(self, segmentationNode, referenceNode, convention=AUTOMATIC_CONVENTION):
        """Dice and HD95 of a result against a reference segmentation or label map; waits.

        Returns region ("ET", "TC", "WT") -> {"dice", "hd95", "volume_prediction_ml", "volume_reference_ml"}.
        convention: a key of ``KDNetLib.labels.CONVENTIONS`` or "automatic". Raises :class:`KDNetError`.
        """
        return _resultOf(self.startComparison(segmentationNode, referenceNode, convention))

    def startComparison(self, segmentationNode, referenceNode, convention, onMessage=None, onFinished=None):
        """As :meth:`compare`, but returns the job at once."""
        return self._start(
            ComparisonJob, segmentationNode, referenceNode, convention, onMessage=onMessage, onFinished=onFinished
        )

    def startListingDevices(self, onMessage=None, onFinished=None):
        """Ask which devices there are; the job's result is a list of texts whose first word names the device."""
        return self._start(DeviceListJob, onMessage=onMessage, onFinished=onFinished)

    def cancel(self, message=None) -> None:
        """End what is being computed now; nothing in the scene changes."""
        if self.busy:
            self._job.cancel(message or _("Cancelled; nothing was changed."))

    def shutdown(self) -> None:
        """End the process too, unless it computes for another logic. A later request starts it again."""
        self.cancel()
        self._worker.stopIdle()

    def _start(self, jobType, *arguments, nodes=(), onFinished=None, **callbacks):
        if ensureDependencies(interactive=slicer.util.mainWindow() is not None):
            self._worker.stopIdle()  # it may have failed to import what is there now

        def finish(job):
            if self._job is job:
                self._job = None
                self.removeObservers()
            if onFinished is not None:
                onFinished(job)

        job = jobType(self._worker, *arguments, onFinished=finish, **callbacks)
        if self.busy:
            job.start()  # refuses in its own words
        if not self._worker.busy:
            self._worker.onLog = self._onLog
        self._job = job
        try:
            job.start()
        except BaseException:
            self._job = None
            raise
        if self.busy:
            self._watch(job, nodes)
        return job

    def _watch(self, job, nodes):
        """End ``job`` when the scene is closed or one of ``nodes`` leaves it."""

        def onSceneClosed(caller, event):
            job.cancel(_("Cancelled, because the scene was closed."))

        def onNodeRemoved(caller, event):
            if not all(slicer.mrmlScene.IsNodePresent(node) for node in nodes):
                job.cancel(_("Cancelled, because the input volume was deleted."))

        self.addObserver(slicer.mrmlScene, slicer.vtkMRMLScene.StartCloseEvent, onSceneClosed)
        self.addObserver(slicer.mrmlScene, slicer.vtkMRMLScene.NodeRemovedEvent, onNodeRemoved)


def _resultOf(job):
    job.wait()
    if job.error is not None:
        raise job.error
    return job.result


def _modelPaths(model):
    if model is None or model == "":
        return (default_model(),)
    names = model if isinstance(model, (list, tuple)) else [model]
    return tuple(find_model(name) for name in names)
