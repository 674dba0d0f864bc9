"""``slicer.packaging``: says what is missing like the real one, and never installs anything."""

import importlib.metadata
import logging
import subprocess

import slicer
from packaging.requirements import Requirement

__all__ = ["load_requirements", "pip_check", "pip_ensure", "pip_install", "pip_uninstall"]


def load_requirements(path):
    """The requirements in a requirements.txt."""
    with open(path, encoding="utf-8") as file:
        lines = [line.partition("#")[0].strip() for line in file]
    return [Requirement(line) for line in lines if line]


def pip_check(reqs):
    """Whether all requirements (str, Requirement, or a list of them) are installed."""
    for requirement in _list(reqs):
        if requirement.marker and not requirement.marker.evaluate():
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            return False
        if not requirement.specifier.contains(version, prereleases=True):
            return False
    return True


def pip_ensure(reqs, constraints=None, skip_packages=None, prompt_install=True, prompt_restart=True, requester=None,
               skip_in_testing=True, show_progress=True):
    """Install what is missing, after asking. Raises RuntimeError if the user declines."""
    missing = [requirement for requirement in _list(reqs) if not pip_check(requirement)]
    if not missing:
        return None
    names = ", ".join(map(str, missing))
    if skip_in_testing and slicer.app.testingEnabled():
        logging.info("Testing mode is enabled: skipping pip_ensure for [%s]", names)
        return None
    if prompt_install and not slicer.util.confirmOkCancelDisplay(
            f"Python packages need to be installed: {names}. Continue?",
            f"{requester} - Install Python Packages" if requester else "Install Python Packages"):
        raise RuntimeError("User declined package installation")
    return pip_install([str(requirement) for requirement in missing], constraints=constraints,
                       skip_packages=skip_packages, show_progress=show_progress, requester=requester)


def pip_install(requirements, constraints=None, no_deps_requirements=None, skip_packages=None, blocking=True,
                show_progress=True, requester=None, parent=None, logCallback=None, completedCallback=None):
    """Fails as pip does without a network: subprocess.CalledProcessError."""
    wanted = [requirements] if isinstance(requirements, str) else list(requirements)
    raise subprocess.CalledProcessError(1, ["pip", "install", *wanted])


def pip_uninstall(requirements, **kwargs):
    """Fails like :func:`pip_install`."""
    raise subprocess.CalledProcessError(1, ["pip", "uninstall", str(requirements)])


def _list(reqs):
    reqs = reqs if isinstance(reqs, (list, tuple)) else [reqs]
    return [Requirement(r) if isinstance(r, str) else r for r in reqs]
