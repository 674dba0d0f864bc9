"""What a run consists of: the systems, folds, seeds and settings, and from them the list of trainings in their order."""

import json
import re
from dataclasses import asdict, dataclass, fields, replace

from KDNetLib.errors import InputError
from KDNetLib.model_store import is_safe_name
from KDNetTrainingLib.settings import Settings, settings_from
from KDNetTrainingLib.stages import Stages, stages_of
from KDNetTrainingLib.systems.registry import SYSTEMS

#: Of the 64 characters that a model's name may have, 24 are left to system and fold.
_LONGEST_NAME = 40
_NAME_LISTS, _TEXTS = ("systems", "test", "exported"), ("command", "name", "data_text", "licence")
_PAPERS = Settings()
_CHOICES = {parameter.name: parameter.metadata for parameter in fields(Settings)}
_LABEL = re.compile(rf"(?P<system>.+?)(-(?P<skips>[0-4])skips)?(-(?P<network>{'|'.join(_CHOICES['network']['choices'])}))?")


@dataclass(frozen=True)
class Training:
    """One network to train.

    ``system`` is a key of SYSTEMS, ``fold`` counts from 1 (0: all cases); ``skips`` and ``network`` are the settings of
    these names; ``seed`` is None where the run has one only.
    """

    system: str
    fold: int
    skips: int = _PAPERS.skips
    network: str = _PAPERS.network
    seed: int | None = None

    @property
    def key(self) -> str:
        """Its folder in the run, such as ``fold-1/gt+kl+kd``, ``all/baseline-0skips`` or ``fold-2-seed-1/teacher``."""
        fold = f"fold-{self.fold}" if self.fold else "all"
        return f"{fold if self.seed is None else f'{fold}-seed-{self.seed}'}/{self.label}"

    @property
    def label(self) -> str:
        """The system's name, with its skips and its network where they are not the paper's."""
        skips = "" if self.skips == _PAPERS.skips else f"-{self.skips}skips"
        return self.system + skips + ("" if self.network == _PAPERS.network else f"-{self.network}")

    @property
    def baseline(self) -> "Training":
        """The training of the same network without a teacher: of the same fold, seed, skips and network."""
        return replace(self, system="baseline")

    @property
    def teacher(self) -> "Training":
        """The training whose network teaches this one."""
        return replace(self, system="teacher")


@dataclass(frozen=True)
class Plan:
    """A run: ``systems`` × folds × ``seeds`` under one set of ``settings``.

    ``systems`` are labels: a key of SYSTEMS, behind it where it differs from the settings the number of skips and the
    network (``baseline-0skips``, ``teacher-residual``). Without ``seeds`` the settings' seed is the one; the folds are
    the settings' seed's in any case. ``test`` names cases that no training sees and that are scored at the end (without
    folds; with folds every case is tested once). ``exported`` are the labels that a model file called ``name`` is
    written of, with ``data_text`` and ``licence`` in its card; ``command`` is what makes the run again. Raises
    InputError where it makes no sense.
    """

    systems: tuple[str, ...]
    settings: Settings
    command: str
    seeds: tuple[int, ...] = ()
    test: tuple[str, ...] = ()
    name: str = "my-student"
    exported: tuple[str, ...] = ()
    data_text: str = ""
    licence: str = "not stated"

    def __post_init__(self):
        self._check_types()
        for name in (*_NAME_LISTS, "seeds"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.systems:
            raise InputError(f"There is no system (none given); choose from {', '.join(SYSTEMS)}.")
        low, high = _CHOICES["seed"]["low"], _CHOICES["seed"]["high"]
        if any(type(seed) is not int or not low <= seed <= high for seed in self.seeds) or len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seeds must be different whole numbers from {low} to {high}, not {', '.join(map(str, self.seeds))}.")
        if self.test and self.settings.folds:
            raise InputError("Cross-validation tests every case once; give either folds or test cases, not both.")
        begun = self.settings.student_from_teacher or self.settings.student_from_baseline
        if self.settings.coarse and not begun and any(SYSTEMS[training.system].taught for training in self.trainings()):
            raise InputError(
                "A student has no coarse epochs of its own; give student_from_teacher or student_from_baseline, so that it begins with the weights "
                "of a network that had them, or leave coarse at 0."
            )
        if self.settings.teacher_model and any(training.system == "teacher" for training in self.trainings()):
            raise InputError("A teacher is either trained or given as teacher_model, not both.")
        if not is_plan_name(self.name):
            raise InputError(
                f"The name {self.name[:80]!r} cannot be a model file's everywhere; take up to 40 letters, digits, dots, hyphens and underscores, "
                "beginning and ending with a letter or digit."
            )
        for training in [*self.trainings(), *(_training(label, self.settings, 0, None) for label in self.exported)]:
            if self.exports(training) and not is_safe_name(self.model_name(training)):
                raise InputError(f"The model files of {training.key} would be called {self.model_name(training)}, which is too long; give a shorter name.")

    def _check_types(self) -> None:
        for name in (*_NAME_LISTS, "seeds"):
            if not isinstance(getattr(self, name), (list, tuple)):
                raise InputError(f"{name} must be a list, not {getattr(self, name)!r}.")
        for name in _NAME_LISTS:
            if not all(isinstance(value, str) for value in getattr(self, name)):
                raise InputError(f"{name} must be a list of names, not {list(getattr(self, name))!r}.")
        for name in _TEXTS:
            if not isinstance(getattr(self, name), str):
                raise InputError(f"{name} must be a text, not {getattr(self, name)!r}.")

    def trainings(self) -> list[Training]:
        """Every training, fold by fold; what others need goes before them, also where it was not asked for."""
        found = {}  # for its order
        for fold in range(1, self.settings.folds + 1) if self.settings.folds else [0]:
            for seed in self.seeds if len(self.seeds) > 1 else (None,):
                for label in self.systems:
                    training = _training(label, self.settings, fold, seed)
                    found |= dict.fromkeys([*self.needed_by(training), training])
        return list(found)

    def needed_by(self, training: Training) -> list[Training]:
        """The trainings whose networks ``training`` begins with or learns from, in their order; a teacher that is given is none."""
        if not SYSTEMS[training.system].taught:
            return []
        return [training.baseline] * self.settings.student_from_baseline + [training.teacher] * (not self.settings.teacher_model)

    def settings_of(self, training: Training) -> Settings:
        """The settings with the skips, the network and the seed of ``training``; without the coarse epochs where it is taught, else without generated cases.

        Generated cases were worth something to students alone (TRYOUTS.md). A teacher whose last epochs were fine has nothing to say of coarse samples, and the student begins with its
        weights or the baseline's. Of its own epochs as large a share are whole scans as of the others' fine ones.
        """
        seeds = self.seeds or (self.settings.seed,)
        seed = seeds[0] if training.seed is None else training.seed
        own = replace(self.settings, skips=training.skips, network=training.network, seed=seed)
        if not SYSTEMS[training.system].taught:
            return replace(own, phantoms=0)
        stages = stages_of(self.settings, self.settings.epochs)
        return replace(own, coarse=0.0, whole=min(1.0, (stages.epochs - stages.whole_from) / (stages.epochs - stages.fine_from)))

    def epochs(self, training: Training) -> int:
        """How many epochs ``training`` has: a taught one without a number of its own those that are fine for all."""
        settings = self.settings
        if SYSTEMS[training.system].taught:
            return settings.epochs_student or settings.epochs - stages_of(settings, settings.epochs).fine_from
        return (settings.epochs_teacher if training.system == "teacher" else 0) or settings.epochs

    def cost(self, training: Training) -> float:
        """About how long ``training`` takes, in epochs of crops of the baseline."""
        return self.stages(training).cost_from(0) * SYSTEMS[training.system].cost

    def cost_of_epoch(self, training: Training, epoch: int) -> float:
        """About how long ``epoch`` of ``training``, counted from 0, takes, in the same unit."""
        return self.stages(training).cost(epoch) * SYSTEMS[training.system].cost

    def stages(self, training: Training) -> Stages:
        """Which of its epochs are coarse, which of crops, which of whole scans."""
        return stages_of(self.settings_of(training), self.epochs(training))

    def exports(self, training: Training) -> bool:
        """Whether a model file is written of ``training``."""
        return training in [_training(label, self.settings, training.fold, training.seed) for label in self.exported]

    def model_name(self, training: Training) -> str:
        """The plan's name, with system, fold and seed where there are several students; a teacher's always says so."""
        parts = [self.name]
        students = [label for label in self.exported if _training(label, self.settings, 0, None).system != "teacher"]
        if training.system == "teacher" or len(students) > 1:
            parts.append(training.label.replace("+", "-"))
        if training.fold:
            parts.append(f"fold-{training.fold}")
        if training.seed is not None:
            parts.append(f"seed-{training.seed}")
        return "-".join(parts)

    def as_dict(self) -> dict:
        """Plain values, as JSON keeps them."""
        return json.loads(json.dumps(asdict(self)))


def _training(label: str, settings: Settings, fold: int, seed: int | None) -> Training:
    """The training that ``label`` names; what it does not say is as in ``settings``. Raises InputError where it names none."""
    said = _LABEL.fullmatch(label)
    entry = SYSTEMS.get(said["system"]) if said else None
    if not entry:
        raise InputError(f"There is no system {label}; choose from {', '.join(SYSTEMS)}, some with the skips or the network behind it (baseline-0skips).")
    taken = {"skips": entry.takes_skips, "network": entry.takes_network}
    for name, takes in taken.items():
        if said[name] and not takes:
            raise InputError(f"{label}: there is no choice of {name} in {said['system']}; leave it out.")
    skips = int(said["skips"] or settings.skips) if entry.takes_skips else _PAPERS.skips
    network = said["network"] or settings.network if entry.takes_network else _PAPERS.network
    return Training(said["system"], fold, skips, network, seed)


def is_plan_name(name: str) -> bool:
    """Whether a run's model files may be called ``name``, with system and fold behind it."""
    return is_safe_name(name) and len(name) <= _LONGEST_NAME


def plan_from(values: dict) -> Plan:
    """The plan that :meth:`Plan.as_dict` gave, as run.json, settings.json and origin.json keep it. Raises InputError where it is none."""
    try:
        settings = settings_in(values.get("settings"), Settings())
    except InputError as error:
        raise InputError(
            f"The settings of this run (settings.json) are not what a run writes: {error} Bring them back from a copy or begin a new run."
        ) from error
    try:
        return Plan(**{**_in_labels(values), "settings": settings})
    except (TypeError, InputError) as error:
        told = str(error).rstrip(".")
        raise InputError(f"This is not the description of a run (run.json): {told}. Bring it back from a copy or begin a new run.") from error


def _in_labels(values: dict) -> dict:
    """``values`` as they are today: a run used to list ``skips`` beside its systems, which were no labels."""
    values = dict(values)
    skips = values.pop("skips", None)
    if isinstance(skips, list) and skips and isinstance(values.get("systems"), list):
        for name in ("systems", "exported"):
            values[name] = [f"{system}-{number}skips" for number in skips for system in values.get(name, [])]
    return values


def settings_in(values, base: Settings) -> Settings:
    """``base`` with the ``values`` that a file holds. Raises InputError, also where they are of a wrong kind."""
    if not isinstance(values, dict):
        raise InputError(f"settings must map parameters to values, not be {values!r}.")
    try:
        return settings_from(values, base)
    except TypeError as error:  # a number where a list must be
        raise InputError(f"settings holds a value of a wrong kind ({error}).") from error
