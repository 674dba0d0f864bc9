"""The progress section of the panel: how far the run is, its curves, results, preview and log."""

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from KDNetTrainingLib.cli.run_line import duration
from KDNetTrainingPanelLib.curves import Curves
from KDNetTrainingPanelLib.curves_layout import CurvesLayout
from KDNetTrainingPanelLib.log_panel import LogPanel
from KDNetTrainingPanelLib.preview import Preview
from KDNetTrainingPanelLib.results_table import ResultsTable

#: Between two pieces of a long history; Slicer does everything else then.
_PAUSE_MS = 20

UI_FOLDER = Path(__file__).resolve().parents[1] / "Resources" / "UI"


class ProgressPanel:
    """Fills ``parentWidget``. Call :meth:`show` after every refresh of the run; it draws only what has changed."""

    def __init__(self, parentWidget):
        uiWidget = slicer.util.loadUI(str(UI_FOLDER / "KDNetTrainingProgress.ui"))
        layout = qt.QVBoxLayout(parentWidget)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        self._run = self._other = None
        self._arranged = None
        self._readingOn = False
        self._curves, self._layout, self._preview = Curves(), CurvesLayout(), Preview()
        self._results, self._log = ResultsTable(self.ui.resultsTable), LogPanel(self.ui)
        self.ui.trainingComboBox.addItem(_("the latest training"), "")
        self.ui.trainingComboBox.connect("activated(int)", self._draw)
        self.ui.curvesButton.connect("clicked(bool)", self._onShowCurves)
        self.show(None)

    def show(self, run) -> None:
        """Show a ``WatchedRun`` as it is now, or that there is none."""
        if run is not self._run:
            self._run = run
            self._other = None
        self.ui.stateLabel.text = _stateText(run)
        self.ui.stateLabel.visible = bool(self.ui.stateLabel.text)
        self._showBars(run)
        if run is not None and run.state == "reading":
            # What was is drawn once, when all of it is known.
            if not self._readingOn:
                self._readingOn = True
                qt.QTimer.singleShot(_PAUSE_MS, self._readOn)
            return
        self._listTrainings(list(run.courses) if run else [])
        self._draw()
        self._log.show(run.log if run else None)

    def _readOn(self):
        self._readingOn = False
        if self._run is not None and self._run.behind:
            self._run.refresh()
            self.show(self._run)

    def compareWith(self, other) -> None:
        """Put another ``WatchedRun`` beside the one that is shown; None for no other."""
        self._other = other
        self._draw()

    def cleanup(self) -> None:
        """Take everything out of scene and views."""
        self._layout.hide()
        self._curves.removeNodes()
        self._preview.removeNodes()
        self._run = self._other = None

    def _showBars(self, run):
        training = run.trainings.get(run.current) if run and run.prepared is None else None
        for bar in (self.ui.overallProgressBar, self.ui.stageProgressBar):
            bar.visible = bool(run and run.state not in ("not started", "reading"))
        if run is None:
            self.ui.speedLabel.visible = False
            return
        left = _(", {duration} left").format(duration=duration(run.seconds_left)) if run.seconds_left is not None else ""
        _setBar(self.ui.overallProgressBar, run.fraction, _("Whole run: {percent} %").format(percent=round(100 * run.fraction)) + left)
        if training:
            _setBar(self.ui.stageProgressBar, training.fraction, _stageText(run.current, training))
        else:
            done, total = run.prepared or (0, 1)
            text = _("Preparing cases: {done} of {total}").format(done=done, total=total) if run.prepared else ""
            _setBar(self.ui.stageProgressBar, done / total, text)
        self.ui.speedLabel.text = _speedText(run) if run.state == "running" else ""
        self.ui.speedLabel.visible = bool(self.ui.speedLabel.text)

    def _listTrainings(self, keys):
        comboBox = self.ui.trainingComboBox
        if [comboBox.itemData(index) for index in range(1, comboBox.count)] == keys:
            return
        chosen = comboBox.itemData(comboBox.currentIndex)
        while comboBox.count > 1:
            comboBox.removeItem(1)
        for key in keys:
            comboBox.addItem(key, key)
        comboBox.currentIndex = max(0, comboBox.findData(chosen))

    def _draw(self):
        run, other = self._run, self._other
        hasCourse = bool(run and any(course.epochs for course in run.courses.values()))
        self._results.show(run, other)
        self.ui.resultsTable.visible = self.ui.resultsLabel.visible = bool(run and run.trainings)
        self.ui.curvesButton.enabled = hasCourse
        self.ui.curvesButton.checked = self._layout.shown
        if hasCourse and run.state == "running" and self._arranged != run.folder:
            self._arranged = run.folder  # once per run: afterwards the arrangement is the user's
            self._showViews()
        elif hasCourse and self._layout.shown:
            self._update()
        if not hasCourse:
            self.ui.previewLabel.visible = False

    def _showViews(self):
        self._update()
        self._layout.show(self._curves.losses, self._curves.dice)
        self.ui.curvesButton.checked = self._layout.shown

    def _update(self):
        key = self.ui.trainingComboBox.itemData(self.ui.trainingComboBox.currentIndex) or self._run.current
        earlier = self._curves.losses
        self._curves.show(self._run, key, self._other, _counterpart(key, self._other))
        self._preview.show(self._run.folder / key)
        self.ui.previewLabel.text = self._preview.caption
        self.ui.previewLabel.visible = bool(self._preview.caption)
        if self._curves.losses is not earlier:
            self._layout.show(self._curves.losses, self._curves.dice)

    def _onShowCurves(self, shown):
        if shown:
            self._arranged = self._run.folder
            self._showViews()
        else:
            self._layout.hide()


def _counterpart(key, other):
    """The training of ``other`` to draw beside ``key``: of the same name, or its only one of the same system."""
    if other is None:
        return None
    if key in other.courses:
        return key
    return next((each for each in other.courses if each.split("/")[1] == key.split("/")[1]), None)


def _setBar(bar, fraction, text):
    bar.value = round(1000 * fraction)
    bar.format = text


def _stageText(key, training):
    if training.done:
        return _("{training}: done").format(training=key) if training.scores else _("{training}: scoring").format(training=key)
    text = _("{training}: epoch {epoch} of {epochs}").format(training=key, epoch=training.epoch + 1, epochs=training.epochs)
    return text + (_(", step {step} of {steps}").format(step=training.step, steps=training.steps) if training.step else "")


def _speedText(run):
    parts = []
    if run.secondsPerStep is not None:
        parts.append(_("{seconds:.2g} s per step").format(seconds=run.secondsPerStep))
    if run.secondsPerEpoch is not None:
        parts.append(_("{duration} per epoch").format(duration=duration(run.secondsPerEpoch)))
    if run.gpuGigabytes is not None:
        parts.append(_("graphics card {gigabytes:.1f} GB").format(gigabytes=run.gpuGigabytes))
    if run.memoryGigabytes is not None:
        parts.append(_("memory {gigabytes:.1f} GB").format(gigabytes=run.memoryGigabytes))
    if run.learningRate is not None:
        parts.append(_("learning rate {rate:.2g}").format(rate=run.learningRate))
    return ", ".join(parts)


def _stateText(run):
    if run is None:
        return _("No run is shown. Start one above, or choose the folder of an earlier run.")
    texts = {
        "not started": _("The run is prepared and has not begun."),
        "reading": _("Reading what the run has done."),
        "running": _("Running ({holder})").format(holder=run.holder),
        "stopped": run.message,
        "failed": _("Failed: {message}").format(message=run.message),
        "finished": _("Finished."),
        "killed": _("The training ended without a word: it was killed, or the computer went down. The last checkpoint is intact; click Resume."),
    }
    return texts[run.state]
