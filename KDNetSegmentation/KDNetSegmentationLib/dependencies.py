"""The Python packages that the worker process needs: found without importing them, installed on request."""

import importlib
import importlib.util

import slicer
from slicer.i18n import tr as _

from KDNetLib.errors import DependencyError

#: Import name -> requirement. numpy and scipy come with Slicer, torch with the PyTorch extension.
_REQUIREMENTS = {"nibabel": "nibabel>=5", "safetensors": "safetensors>=0.4"}


def missingPackages() -> list[str]:
    """Import names of the packages that are not installed.

    Found through their import specification: PyTorchUtils' own probe imports torch, which would load it into Slicer's
    process and keep it from being replaced.
    """
    importlib.invalidate_caches()
    return [name for name in ("torch", *_REQUIREMENTS) if importlib.util.find_spec(name) is None]


def ensureDependencies(interactive: bool) -> bool:
    """Install what is missing; return whether anything was installed. Raises :class:`DependencyError`.

    ``interactive`` asks the user once for everything; otherwise nothing is asked.
    """
    missing = missingPackages()
    if not missing:
        return False
    names = ", ".join(missing)
    if slicer.app.testingEnabled():
        raise DependencyError(
            _("Missing Python packages ({names}) are not installed in testing mode; install them first.").format(
                names=names
            )
        )
    question = _(
        "KDNet needs Python packages that are not installed: {names}.\n\n"
        "They are downloaded from the internet into Slicer's Python environment (PyTorch is large: up to 3 GB). "
        "Install them now?"
    ).format(names=names)
    if interactive and not slicer.util.confirmOkCancelDisplay(question, _("KDNet")):
        raise DependencyError(
            _("KDNet cannot run without {names}; try again to install them.").format(names=names)
        )
    if "torch" in missing:
        _installTorch()
    _installPackages([_REQUIREMENTS[name] for name in missing if name in _REQUIREMENTS], interactive)
    stillMissing = missingPackages()
    if stillMissing:
        raise DependencyError(
            _("{names} could not be installed; check the internet connection and Slicer's log.").format(
                names=", ".join(stillMissing)
            )
        )
    return True


def _installTorch():
    try:
        from PyTorchUtils import PyTorchUtilsLogic
    except ImportError as error:
        raise DependencyError(
            _("PyTorch is missing; install the PyTorch extension from the Extensions Manager and restart Slicer.")
        ) from error
    try:
        torch = PyTorchUtilsLogic().installTorch(askConfirmation=False)
    except Exception as error:  # whatever pip or the network raises
        raise DependencyError(
            _("PyTorch could not be installed ({reason}); try the PyTorch Util module.").format(reason=error)
        ) from error
    if torch is None:
        raise DependencyError(_("PyTorch was not installed; try the PyTorch Util module."))


def _installPackages(requirements, interactive):
    if not requirements:
        return
    try:
        try:
            from packaging.requirements import Requirement
            from slicer.packaging import pip_ensure
        except ImportError:  # Slicer 5.10
            slicer.util.pip_install(" ".join(requirements))
        else:
            pip_ensure(
                [Requirement(requirement) for requirement in requirements],
                prompt_install=False,  # asked already, or nobody there to ask
                prompt_restart=interactive,
                requester="KDNet",
                show_progress=interactive,
            )
    except Exception as error:  # whatever pip or the network raises
        raise DependencyError(
            _("{names} could not be installed ({reason}); check the internet connection.").format(
                names=", ".join(requirements), reason=error
            )
        ) from error
