"""Where the files shared by both modules (models, sample) lie, installed or in a checkout."""

from pathlib import Path


def resources_folder() -> Path:
    """The folder holding ``Models/`` and ``Sample/``.

    Slicer's and pip's installation put it beside this package as ``KDNetResources``, because an installed extension
    shares one flat folder with all others and ``Resources`` would not be unique; a checkout has it at the top.
    """
    package = Path(__file__).resolve().parent
    installed = package.parent / "KDNetResources"
    return installed if installed.is_dir() else package.parents[1] / "Resources"
