"""Which controls of the panel can be used when, and why not: the one place that decides it."""

from dataclasses import dataclass

from slicer.i18n import tr as _


@dataclass(frozen=True)
class PanelState:
    """What the controls depend on. The problems are sentences, "" where there is none.

    run: state of the run in the run folder as ``RunState`` has it, "none" where it holds no run. ``running``: a process
    works on it or is about to; ``own``: one that this Slicer started; ``ending``: it was asked to end.
    """

    dataProblem: str = ""
    settingsProblem: str = ""
    folderProblem: str = ""
    run: str = "none"
    running: bool = False
    own: bool = False
    ending: bool = False
    estimating: bool = False
    isPreset: bool = True


_CHOICES = (
    "dataPathEdit",
    "presetComboBox",
    "objectiveComboBox",
    "parametersContainer",
    "runPathEdit",
    "modelNameEdit",
    "deviceComboBox",
    "goOnCheckBox",
)


def disabledReasons(state: PanelState) -> dict[str, str]:
    """Control name -> why it is disabled, "" where it is not. Every control that is ever disabled is named."""
    busy = _("A training runs; pause it to change this.") if state.running and state.own else ""
    notRunning = "" if state.running else _("No training runs in the run folder.")
    ending = _("It was asked to end and is saving; wait a moment.") if state.ending else ""
    reading = _("What the run has done so far is being read; wait a moment.") if state.run == "reading" else ""
    running = _("A training runs in the run folder already.") if state.running else ""
    reasons = dict.fromkeys(_CHOICES, busy)
    reasons["resetButton"] = busy or (_("Every parameter has the preset's value.") if state.isPreset else "")
    reasons["estimateButton"] = (
        running
        or state.dataProblem
        or state.settingsProblem
        or (_("It is being measured; wait a moment.") if state.estimating else "")
    )
    reasons["startButton"] = running or state.dataProblem or state.settingsProblem or state.folderProblem
    reasons["pauseButton"] = reading or (ending if state.running else _resumeProblem(state))
    reasons["stopAfterEpochButton"] = notRunning or ending
    reasons["stopButton"] = notRunning or (
        "" if state.own else _("This Slicer has not started the training; Pause ends it after its step.")
    )
    return reasons


def _resumeProblem(state):
    if state.run == "none":
        return _("The run folder holds no run to go on with.")
    if state.run == "finished":
        return _("The run in this folder is finished.")
    return ""
