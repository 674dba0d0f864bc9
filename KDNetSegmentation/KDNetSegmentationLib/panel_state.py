"""Which controls of the panel can be used when, and why not: the one place that decides it."""

from dataclasses import dataclass

from slicer.i18n import tr as _


@dataclass(frozen=True)
class PanelState:
    """What the controls depend on. ``modelProblem`` says why the chosen model cannot be used, "" if it can."""

    busy: bool
    hasInput: bool
    modelProblem: str
    modelImported: bool
    hasResult: bool
    hasVolumes: bool
    hasReference: bool
    canExtractBrain: bool


_CHOICES = (
    "inputSelector",
    "modelComboBox",
    "importButton",
    "outputSelector",
    "referenceSelector",
    "conventionComboBox",
    "deviceComboBox",
    "flipsCheckBox",
    "probabilitiesCheckBox",
    "maskSelector",
)


def disabledReasons(state: PanelState) -> dict[str, str]:
    """Control name -> why it is disabled, "" where it is not. Every control that is ever disabled is named."""
    wait = _("Wait until the computation has finished, or cancel it.") if state.busy else ""
    noResult = "" if state.hasResult else _("Segment a scan, or choose a segmentation made by KDNet as output.")
    noInput = "" if state.hasInput else _("Choose an input volume first. The Sample Data module offers one by KDNet.")
    noVolumes = "" if state.hasVolumes else _("There are no volumes yet; segment a scan first.")
    imported = "" if state.modelImported else _("Only imported models can be removed; this one came with KDNet.")
    reasons = dict.fromkeys(_CHOICES, wait)
    reasons["segmentButton"] = "" if state.busy else noInput or state.modelProblem
    reasons["cardButton"] = state.modelProblem
    reasons["removeButton"] = wait or imported
    reasons["show3DButton"] = noResult
    reasons["copyButton"] = noVolumes
    reasons["saveButton"] = noVolumes
    reasons["compareButton"] = wait or noResult or ("" if state.hasReference else _("Choose a reference first."))
    reasons["extractBrainButton"] = wait or (
        noInput
        if state.canExtractBrain
        else _("This needs the HDBrainExtraction extension; install it from the Extensions Manager.")
    )
    return reasons
