"""Whether a run can be written to a folder, told before anything is written."""

import os
from pathlib import Path

from slicer.i18n import tr as _

from KDNetTrainingPanelLib.run_process import holdsRun


def runFolderProblem(runFolder: str, dataFolder: str = "") -> str:
    """Why no run can be written to ``runFolder``; "" if it can. A folder that holds a run is none of the reasons."""
    if not runFolder:
        return _("Choose a folder for the run.")
    folder = Path(runFolder)
    if not folder.is_absolute():
        return _("Give the run folder with its full path.")
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not place.is_dir():
        return _("{path} is a file; choose a folder for the run.").format(path=place)
    if not os.access(place, os.W_OK):
        return _("There is no permission to write in {path}; choose another folder for the run.").format(path=place)
    if dataFolder and _inside(folder, Path(dataFolder)):
        return _("The run folder lies in the data folder; choose one elsewhere, so that the data stay as they are.")
    if folder.is_dir() and not holdsRun(folder) and any(not entry.name.startswith(".") for entry in folder.iterdir()):
        return _("{path} holds other files; choose an empty or a new folder for the run.").format(path=folder)
    return ""


def _inside(folder, parent):
    real, realParent = os.path.realpath(folder), os.path.realpath(parent)
    return real == realParent or Path(realParent) in Path(real).parents
