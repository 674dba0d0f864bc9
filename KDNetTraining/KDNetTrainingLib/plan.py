"""What a run consists of: the systems, folds and settings, and from them the list of trainings in their order."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from KDNetLib.errors import InputError
from KDNetLib.model_store import is_safe_name
from KDNetTrainingLib.settings import Settings, preset, settings_from
from KDNetTrainingLib.systems.registry import SYSTEMS

#: Of the 64 characters that a model's name may have, 24 are left to system and fold.
_LONGEST_NAME = 40
_NAME_LISTS, _TEXTS = ("systems", "test", "exported"), ("command", "name", "data_text", "licence")


@dataclass(frozen=True)
class Training:
    """One network to train: ``system`` (key of SYSTEMS), ``fold`` (from 1; 0: all cases), number of ``skips``."""

    system: str
    fold: int
    skips: int

    @property
    def key(self) -> str:
        """Its folder in the run, such as ``fold-1/gt+kl+kd`` or ``all/baseline-0skips``."""
        return f"{f'fold-{self.fold}' if self.fold else 'all'}/{self.label}"

    @property
    def label(self) -> str:
        """The system's name, with its skips where they are not the paper's four."""
        return self.system + ("" if self.skips == 4 else f"-{self.skips}skips")

    @property
    def teacher(self) -> "Training":
        """The training whose network teaches this one."""
        return replace(self, system="teacher")


@dataclass(frozen=True)
class Plan:
    """A run: ``systems`` × ``skips`` × folds under one set of ``settings``.

    ``test`` names cases that no training sees and that are scored at the end (without folds; with folds every case is
    tested once). ``exported`` are the systems that a model file called ``name`` is written of, with ``data_text`` and
    ``licence`` in its card; ``command`` is what makes the run again. Raises InputError where it makes no sense.
    """

    systems: tuple[str, ...]
    settings: Settings
    command: str
    skips: tuple[int, ...] = ()
    test: tuple[str, ...] = ()
    name: str = "my-student"
    exported: tuple[str, ...] = ()
    data_text: str = ""
    licence: str = "not stated"

    def __post_init__(self):
        self._check_types()
        for name in (*_NAME_LISTS, "skips"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        unknown = sorted({*self.systems, *self.exported} - set(SYSTEMS))
        if unknown or not self.systems:
            raise InputError(f"There is no system {', '.join(unknown) or '(none given)'}; choose from {', '.join(SYSTEMS)}.")
        if any(type(skips) is not int or not 0 <= skips <= 4 for skips in self.skips):
            raise InputError(f"skips must be whole numbers from 0 to 4, not {', '.join(map(str, self.skips))}.")
        if self.test and self.settings.folds:
            raise InputError("Cross-validation tests every case once; give either folds or test cases, not both.")
        if not is_plan_name(self.name):
            raise InputError(
                f"The name {self.name[:80]!r} cannot be a model file's everywhere; take up to 40 letters, digits, dots, hyphens and underscores, "
                "beginning and ending with a letter or digit."
            )

    def _check_types(self) -> None:
        for name in (*_NAME_LISTS, "skips"):
            if not isinstance(getattr(self, name), (list, tuple)):
                raise InputError(f"{name} must be a list, not {getattr(self, name)!r}.")
        for name in _NAME_LISTS:
            if not all(isinstance(value, str) for value in getattr(self, name)):
                raise InputError(f"{name} must be a list of names, not {list(getattr(self, name))!r}.")
        for name in _TEXTS:
            if not isinstance(getattr(self, name), str):
                raise InputError(f"{name} must be a text, not {getattr(self, name)!r}.")

    def trainings(self) -> list[Training]:
        """Every training, fold by fold; a teacher goes before those it teaches, also where it was not asked for."""
        found = []
        for fold in range(1, self.settings.folds + 1) if self.settings.folds else [0]:
            for skips in self.skips or (self.settings.skips,):
                for system in self.systems:
                    training = Training(system, fold, skips)
                    wanted = [training.teacher, training] if SYSTEMS[system].taught else [training]
                    found += [each for each in wanted if each not in found]
        return found

    def epochs(self, training: Training) -> int:
        """How many epochs ``training`` has."""
        return (self.settings.epochs_teacher if training.system == "teacher" else 0) or self.settings.epochs

    def as_dict(self) -> dict:
        """Plain values, as JSON keeps them."""
        return json.loads(json.dumps(asdict(self)))


def is_plan_name(name: str) -> bool:
    """Whether a run's model files may be called ``name``, with system and fold behind it."""
    return is_safe_name(name) and len(name) <= _LONGEST_NAME


def plan_from(values: dict) -> Plan:
    """The plan that :meth:`Plan.as_dict` gave, as run.json, settings.json and origin.json keep it. Raises InputError where it is none."""
    try:
        settings = _settings_in(values.get("settings"), Settings())
    except InputError as error:
        raise InputError(
            f"The settings of this run (settings.json) are not what a run writes: {error} Bring them back from a copy or begin a new run."
        ) from error
    try:
        return Plan(**{**values, "settings": settings})
    except (TypeError, InputError) as error:
        told = str(error).rstrip(".")
        raise InputError(f"This is not the description of a run (run.json): {told}. Bring it back from a copy or begin a new run.") from error


def read_experiment(path: Path, command: str, changed: dict) -> Plan:
    """The plan of the experiment file ``path``, with the settings in ``changed`` put over the file's.

    The file is JSON: ``systems`` (names), ``skips`` (numbers), ``preset`` (name), ``settings`` (what differs from the
    preset), ``about`` (text); its name is that of the models. Raises InputError, naming the file.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as an experiment file ({error}); it must be JSON with systems, preset and settings.") from error
    unknown = sorted(set(content) - {"about", "systems", "skips", "preset", "settings"}) if isinstance(content, dict) else ["?"]
    if unknown or not {"systems", "preset"} <= set(content):
        excess = f", not {', '.join(unknown)}" if unknown else ""
        raise InputError(f"{path} is not an experiment file: it needs systems and preset, and knows skips, settings and about{excess}.")
    try:
        own = _settings_in(content.get("settings", {}), preset(content["preset"]))
        plan = Plan(content["systems"], own, command, content.get("skips", ()), name=Path(path).stem)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return replace(plan, settings=settings_from(changed, own), exported=[system for system in plan.systems if system != "teacher"])


def _settings_in(values, base: Settings) -> Settings:
    if not isinstance(values, dict):
        raise InputError(f"settings must map parameters to values, not be {values!r}.")
    try:
        return settings_from(values, base)
    except TypeError as error:  # a number where a list must be
        raise InputError(f"settings holds a value of a wrong kind ({error}).") from error
