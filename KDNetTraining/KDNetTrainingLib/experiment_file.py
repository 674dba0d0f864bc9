"""Experiment files: which systems are compared in how many folds and with which seeds, as readable, versioned JSON."""

import json
from dataclasses import replace
from pathlib import Path

from KDNetLib.errors import InputError
from KDNetTrainingLib.plan import Plan, settings_in
from KDNetTrainingLib.settings import preset, settings_from

_VERSION = 1
_NEEDED, _KNOWN = ("version", "systems", "preset"), ("version", "about", "preset", "settings", "systems", "seeds")
_BUNDLED = Path(__file__).parent / "experiments"


def read_experiment(path: Path, command: str, changed: dict) -> Plan:
    """The plan of the experiment file ``path``, with the settings in ``changed`` put over the file's.

    ``path`` may be the name of a file that comes along, such as ``table2``. The file is JSON: ``version`` (1),
    ``systems`` (labels, see :class:`Plan`), ``preset`` (name), ``settings`` (what differs from the preset, such as
    ``folds``), ``seeds`` (numbers), ``about`` (text); its name is that of the models. Raises InputError, naming the file.
    """
    bundled = _BUNDLED / f"{path}.json"
    path = bundled if bundled.exists() else Path(path)
    if not path.is_file():
        along = ", ".join(sorted(file.stem for file in _BUNDLED.glob("*.json")))
        raise InputError(f"There is no experiment file {path}; give one, or the name of one that comes along: {along}.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as an experiment file ({error}); it must be JSON with version, systems and preset.") from error
    unknown = sorted(set(content) - set(_KNOWN)) if isinstance(content, dict) else ["?"]
    if unknown or not set(_NEEDED) <= set(content):
        excess = f", not {', '.join(unknown)}" if unknown else ""
        raise InputError(f"{path} is not an experiment file: it needs version, systems and preset, and knows seeds, settings and about{excess}.")
    if content["version"] != _VERSION:
        raise InputError(f"{path} is an experiment file of version {content['version']!r}; this program knows version {_VERSION}.")
    try:
        own = settings_in(content.get("settings", {}), preset(content["preset"]))
        plan = Plan(content["systems"], own, command, content.get("seeds", ()), name=path.stem)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return replace(plan, settings=settings_from(changed, own), exported=plan.systems)
