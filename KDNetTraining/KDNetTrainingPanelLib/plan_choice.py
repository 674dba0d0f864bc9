"""From what is chosen in the panel, or given in the console, to the plan of a run."""

import json
from pathlib import Path

from slicer.i18n import tr as _

from KDNetLib.errors import InputError
from KDNetTrainingLib import settings as engineSettings
from KDNetTrainingLib.plan import Plan, is_plan_name
from KDNetTrainingLib.settings import preset, settings_from

#: What can be trained: the systems (teachers come by themselves), by the name that parameter node and console use.
OBJECTIVES = {
    "gt+kl+kd": ("teacher", "gt+kl+kd"),
    "gt+kd": ("teacher", "gt+kd"),
    "gt+kl": ("teacher", "gt+kl"),
    "baseline": ("baseline",),
    "all": ("baseline", "teacher", "gt+kl", "gt+kd", "gt+kl+kd"),
}


def objectiveTitle(objective: str) -> str:
    """What to call it in the panel."""
    return {
        "gt+kl+kd": _("KD-Net's student (GT + KL + KD)"),
        "gt+kd": _("Student with soft labels only (GT + KD)"),
        "gt+kl": _("Student with bottleneck only (GT + KL)"),
        "baseline": _("One modality without teacher (GT)"),
        "all": _("All five systems of the paper"),
    }[objective]


def presetAbout(name: str) -> str:
    """What the preset called ``name`` is meant for."""
    path = Path(engineSettings.__file__).parent / "presets" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))["about"]


def makePlan(presetName: str, changed: dict, objective: str, modelName: str) -> Plan:
    """The plan of a run. Raises :class:`InputError`, naming what is wrong with the choices.

    changed: values by parameter name that differ from the preset's. objective: key of OBJECTIVES.
    """
    if objective not in OBJECTIVES:
        raise InputError(
            _("There is no objective {name}; choose one of {names}.").format(name=objective, names=", ".join(OBJECTIVES))
        )
    problem = modelNameProblem(modelName)
    if problem:
        raise InputError(problem)
    settings = settings_from(changed, preset(presetName))
    systems = [system for system in OBJECTIVES[objective] if not (system == "teacher" and settings.teacher_model)]
    given = {"preset": presetName, "objective": objective, "modelName": modelName, **changed}
    words = ", ".join(f"{name}={value!r}" for name, value in given.items())
    return Plan(
        systems,
        settings,
        f"KDNetTrainingLogic().train(DATA, RUN, {words})",
        name=modelName,
        exported=systems,
    )


def modelNameProblem(name: str) -> str:
    """Why a model cannot be called ``name``; "" if it can. The name is a file's, too."""
    if is_plan_name(name):
        return ""
    return _("Give the model a name of up to 40 letters, digits, hyphens, underscores and full stops.")
