"""The models at hand: those bundled with KDNet and those a user has imported.

Standard library only, so that Slicer's own process can list, import and remove models before torch is installed. An
imported model lies in ``models/`` of ``$KDNET_HOME``, or of ``~/.kdnet`` where that is not set, as ``<name>.safetensors``.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from KDNetLib.atomic_file import replacing
from KDNetLib.errors import ModelError
from KDNetLib.manifest import Manifest, check_weights, parse_manifest, read_header, read_manifest
from KDNetLib.resources import resources_folder

_EXTENSION = ".safetensors"
#: A manifest's name becomes a file's name on any system: short, without separators, not starting or ending with a dot.
_SAFE_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
#: Windows opens a device for these, whatever follows the first dot.
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(10))}


@dataclass(frozen=True)
class StoredModel:
    """A model file at hand; ``manifest`` is None where it cannot be used, and ``error`` then says why."""

    name: str
    path: Path
    bundled: bool
    manifest: Manifest | None = None
    error: str | None = None


def user_folder() -> Path:
    """Where imported models lie; it need not exist."""
    home = os.environ.get("KDNET_HOME")
    return (Path(home) if home else Path.home() / ".kdnet") / "models"


def list_models() -> list[StoredModel]:
    """Bundled models, then imported ones, each in order of file names; unusable files are listed with their error."""
    bundled = [_stored(path, True) for path in sorted((resources_folder() / "Models").glob(f"*{_EXTENSION}"))]
    imported = [_stored(path, False) for path in sorted(user_folder().glob(f"[!.]*{_EXTENSION}"))]
    return bundled + imported


def default_model() -> Path:
    """The first bundled model that can be used. Raises ModelError where there is none."""
    for model in list_models():
        if model.bundled and model.manifest:
            return model.path
    raise ModelError("No usable model is bundled with this KDNet; name a model file, or install KDNet again.")


def find_model(name_or_path) -> Path:
    """The file of the model called so or, where no model is, the file at that path.

    Raises ModelError where there is neither, or where the model of that name cannot be used.
    """
    models = list_models()
    for model in models:
        if model.name == str(name_or_path):
            if model.error:
                raise ModelError(model.error)
            return model.path
    if Path(name_or_path).is_file():
        return Path(name_or_path)
    known = ", ".join(model.name for model in models if model.manifest) or "none"
    raise ModelError(f"There is no model or model file {name_or_path}; the models at hand are: {known}.")


def fingerprint(paths) -> str:
    """Names, hashes and what else decides labels of the models at ``paths``, which tell whether an earlier result was made by the same ones.

    Raises ModelError.
    """
    return " + ".join(map(_fingerprint, map(read_manifest, paths)))


def _fingerprint(manifest) -> str:
    limit = f" {manifest.least_enhancing_ml:g} ml" if manifest.least_enhancing_ml else ""
    return f"{manifest.name} {manifest.sha256[:12]}{limit}{' mirrored' if manifest.mirrored else ''}"


def import_model(path, replace: bool = False) -> StoredModel:
    """Check the model file at ``path``, weights included, and copy it into the user's folder in one step.

    Importing the very same model again only mends its copy. Raises ModelError where the file is not a sound model, where its
    name is not safe as a file's or is taken (unless ``replace``; a bundled model is never replaced), or where the
    folder cannot be written.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"There is no model file {path}; check the name and the folder.")
    manifest = _checked(path)
    name = _safe_name(manifest, path.name)
    taken = next((model for model in list_models() if model.name.lower() == name.lower()), None)  # some disks ignore case
    same = taken is not None and taken.manifest == manifest
    if taken and taken.bundled:
        if same:
            return taken
        raise ModelError(f"{path.name} is called {name} like a model bundled with KDNet; give it another name.")
    if taken and not (same or replace):
        raise ModelError(f"There is another model called {name} already; remove it first or ask for it to be replaced.")
    target = user_folder() / f"{name}{_EXTENSION}"
    try:
        with replacing(target) as partial:
            shutil.copyfile(path, partial)
            if _checked(partial) != manifest:
                raise ModelError(f"{path.name} changed while it was imported; import it again.")
    except OSError as error:
        raise ModelError(f"{path.name} cannot be copied to {target.parent} ({error.strerror or error}); free space there or set KDNET_HOME.") from error
    return _stored(target, False)


def remove_model(name: str) -> None:
    """Delete the imported model called ``name``. Raises ModelError for a bundled or unknown one."""
    for model in list_models():
        if model.name == name and not model.bundled:
            try:
                model.path.unlink()
            except OSError as error:
                raise ModelError(f"{model.path} cannot be deleted ({error.strerror}); close what uses it.") from error
            return
    if any(model.name == name for model in list_models()):
        raise ModelError(f"The model {name} is bundled with KDNet and stays; only imported models can be removed.")
    raise ModelError(f"There is no imported model called {name}; list them with: kdnet models.")


def _stored(path: Path, bundled: bool) -> StoredModel:
    try:
        manifest = read_manifest(path)
    except ModelError as error:
        return StoredModel(path.stem, path, bundled, error=str(error))
    # An imported file goes by its own name, which is its manifest's; one put there by hand may differ.
    return StoredModel(manifest.name if bundled else path.stem, path, bundled, manifest)


def is_safe_name(name: str) -> bool:
    """Whether a model may be called ``name``: it becomes a file's name, on any system."""
    return bool(_SAFE_NAME.fullmatch(name)) and name.split(".")[0].lower() not in _RESERVED


def _safe_name(manifest: Manifest, file_name: str) -> str:
    name = manifest.name
    if not is_safe_name(name):
        raise ModelError(
            f"{file_name} calls itself {name[:64]!r}, which cannot be a file's name everywhere; "
            "get one whose name has only letters, digits, dots, hyphens and underscores."
        )
    return name


def _checked(path: Path) -> Manifest:
    """The manifest of the model file at ``path``, its weights compared with the hash in it."""
    header = read_header(path)
    manifest = parse_manifest(header, path.name)
    check_weights(path, header, manifest)
    return manifest
