"""What a run consists of: the systems, folds and settings, and from them the list of trainings in their order."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from KDNetLib.errors import InputError
from KDNetTrainingLib.settings import Settings, preset, settings_from
from KDNetTrainingLib.systems.registry import SYSTEMS


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
        for name in ("systems", "skips", "test", "exported"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        unknown = sorted({*self.systems, *self.exported} - set(SYSTEMS))
        if unknown or not self.systems:
            raise InputError(f"There is no system {', '.join(unknown) or '(none given)'}; choose from {', '.join(SYSTEMS)}.")
        if any(type(skips) is not int or not 0 <= skips <= 4 for skips in self.skips):
            raise InputError(f"skips must be whole numbers from 0 to 4, not {', '.join(map(str, self.skips))}.")
        if self.test and self.settings.folds:
            raise InputError("Cross-validation tests every case once; give either folds or test cases, not both.")

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


def plan_from(values: dict) -> Plan:
    """The plan that :meth:`Plan.as_dict` gave. Raises InputError where it is none."""
    try:
        return Plan(**{**values, "settings": settings_from(values["settings"])})
    except (KeyError, TypeError) as error:
        raise InputError(f"This is not the description of a run ({error}); start the run again in an empty folder.") from error


def read_experiment(path: Path, command: str, changed: dict) -> Plan:
    """The plan of the experiment file ``path``, with the settings in ``changed`` put over the file's.

    The file is JSON: ``systems`` (names), ``skips`` (numbers), ``preset`` (name), ``settings`` (what differs from the
    preset), ``about`` (text). Raises InputError, naming the file.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as an experiment file ({error}); it must be JSON with systems, preset and settings.") from error
    unknown = sorted(set(content) - {"about", "systems", "skips", "preset", "settings"}) if isinstance(content, dict) else ["?"]
    if unknown or not {"systems", "preset"} <= set(content):
        raise InputError(f"{path} is not an experiment file: it needs systems and preset, and knows skips, settings and about{', not ' + ', '.join(unknown) if unknown else ''}.")
    settings = settings_from({**content.get("settings", {}), **changed}, preset(content["preset"]))
    systems = content["systems"]
    return Plan(systems, settings, command, content.get("skips", ()), name=Path(path).stem, exported=[system for system in systems if system != "teacher"])
