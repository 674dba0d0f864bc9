"""Every parameter of a training: its meaning, default and permitted range; and the presets, each a readable file.

The defaults are the paper's (Hu et al., MICCAI 2020, section 3); where the paper is silent, the reading is stated in
the parameter's meaning. Command line and Slicer panel are made from these definitions.
"""

import json
from dataclasses import Field, asdict, dataclass, field, fields, replace
from pathlib import Path

from KDNetLib.errors import InputError
from KDNetLib.manifest import LARGEST_SPECK_ML
from KDNetTrainingLib.modalities import MODALITIES
from KDNetTrainingLib.networks import NETWORKS

_PRESETS = Path(__file__).parent / "presets"


def _number(default, meaning: str, low, high):
    return field(default=default, metadata={"meaning": meaning, "low": low, "high": high})


def _choice(default: str, meaning: str, *choices: str):
    return field(default=default, metadata={"meaning": meaning, "choices": choices})


def _other(default, meaning: str):
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """What a run is trained with. Raises InputError, naming the parameter, where a value is not permitted."""

    preprocessing: str = _choice("paper", "part of the scan: paper (central 128 mm cube) or whole-brain", "paper", "whole-brain")
    spacing: float = _number(2.0, "side of the network's voxel in mm", 0.5, 8.0)
    crop: tuple = _other((64, 64, 64), "sides of a training sample in network voxels, multiples of 16; where some are coarse, of 32")
    augmentation: str = _choice("paper", "paper: random flips; strong: also exchange of axes, rotation, scaling, elastic changes, another T1 weighting and contrast dose, intensities, left-over skull", "paper", "strong")
    transplantation: float = _number(0.0, "share of the samples that get a piece with another training case's tumour (CarveMix)", 0.0, 1.0)
    phantoms: int = _number(0, "generated cases (those of kdnet phantom) that a student learns beside its own; systems without a teacher learn none, and none is tested", 0, 9999)
    coarse: float = _number(0.0, "share of the epochs, the first ones, with samples of half the resolution: an eighth of the time; a student leaves them out", 0.0, 0.9)
    whole: float = _number(0.0, "share of the epochs, the last ones, with whole scans as samples, as at test; of a student's as large a share as of the others' fine ones", 0.0, 1.0)
    least_enhancing: float = _number(0.0, "ml of enhancing tumour in a scan below which model and scores count it as necrotic core; 0, as the paper: always kept", 0.0, LARGEST_SPECK_ML)
    mirrored: bool = _other(False, "apply the network to the scan and its mirror image, left and right exchanged, and average: model and scores, not the training")
    epochs: int = _number(500, "passes over the training cases", 1, 100000)
    epochs_teacher: int = _number(0, "passes for the teacher; 0: as many as the others", 0, 100000)
    epochs_student: int = _number(0, "passes for a student; 0: as many as the others, less their coarse ones", 0, 100000)
    batch_size: int = _number(1, "cases per step and process; the paper does not say", 1, 64)
    learning_rate: float = _number(1e-4, "Adam's step size at the beginning", 1e-7, 1.0)
    weight_decay: float = _number(0.0, "Adam's weight decay", 0.0, 1.0)
    schedule: str = _choice("plateau", "learning rate: plateau (times FACTOR after PATIENCE epochs without a lower validation loss) or polynomial decay", "plateau", "polynomial")
    patience: int = _number(50, "epochs without a lower validation loss before the learning rate falls", 1, 100000)
    factor: float = _number(0.2, "what the learning rate is multiplied with then", 0.01, 0.99)
    imitation: float = _number(0.75, "lambda of Eq. 5: weight of the teacher's soft labels against the reference", 0.0, 1.0)
    temperature: float = _number(5.0, "T of Eq. 1: how much the teacher's output is softened", 0.1, 100.0)
    alpha: float = _number(10.0, "alpha of Eq. 5: weight of the bottlenecks' divergence", 0.0, 1000.0)
    distillation_mask: str = _choice("none", "voxels that the teacher teaches: none (all, as the paper), foreground, or reliable (where it is right and surer)", "none", "foreground", "reliable")
    student_modality: str = _choice("t1ce", "the one modality of student and baseline", *MODALITIES)
    teacher_modalities: tuple = _other(MODALITIES, "the modalities of the teacher")
    teacher_model: str = _other("", "model file of a teacher that is trained already; empty: the run trains one")
    student_from_teacher: bool = _other(False, "start the student from the teacher's weights instead of from random ones")
    student_from_baseline: bool = _other(False, "start the student from the weights of the same network trained without a teacher, which is trained first")
    mean_with_baseline: bool = _other(False, "a student that started from the baseline ends with the mean of the baseline's weights and of those it has learnt; validation judges the latter")
    width: int = _number(16, "channels of the network's first level", 1, 64)
    skips: int = _number(4, "skip connections, counted from the deepest level", 0, 4)
    network: str = _choice("plain", "encoder and decoder: plain (the paper's) or residual (nnU-Net's)", *NETWORKS)
    inner_validation: float = _number(0.2, "share of the training cases kept for the schedule and for choosing the epoch", 0.0, 0.5)
    folds: int = _number(0, "folds of the cross-validation; 0: one training on all cases", 0, 20)
    seed: int = _number(0, "decides folds, weights, order and augmentation", 0, 2**31 - 1)
    precision: str = _choice("auto", "auto: bfloat16 on GPUs that have it, else float32", "auto", "float32", "bfloat16")
    deterministic: bool = _other(False, "where torch has one, an algorithm that gives the same on every run of a GPU too; slower")

    def __post_init__(self):
        for name in ("crop", "teacher_modalities"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for parameter in fields(self):
            _check(parameter, getattr(self, parameter.name))
        if len(self.crop) != 3 or any(type(side) is not int or side < 32 or side % 16 for side in self.crop):
            raise InputError(f"crop must be three multiples of 16, at least 32, not {self.crop}.")
        if self.coarse and any(side < 64 or side % 32 for side in self.crop):
            raise InputError(f"crop must be three multiples of 32, at least 64, where samples are coarse at first, not {self.crop}.")
        if self.coarse + self.whole > 1:
            raise InputError(f"coarse and whole must be at most 1 together, not {self.coarse:g} and {self.whole:g}.")
        if self.whole and self.batch_size > 1:
            raise InputError("Whole scans differ in size, so they cannot be one batch; give batch_size 1 or leave whole at 0.")
        if self.coarse and self.schedule == "plateau":
            raise InputError("The plateau schedule looks at fine samples while coarse ones are learnt; take the polynomial schedule or leave coarse at 0.")
        if self.coarse and self.spacing > 4:
            raise InputError(f"spacing must be at most 4 mm where samples are coarse at first, not {self.spacing:g}.")
        if not self.teacher_modalities or len(set(self.teacher_modalities)) < len(self.teacher_modalities) or set(self.teacher_modalities) - set(MODALITIES):
            raise InputError(f"teacher_modalities must be different ones of {', '.join(MODALITIES)}, not {self.teacher_modalities}.")
        if self.folds == 1:
            raise InputError("folds must be 0 (one training on all cases) or at least 2, not 1.")
        if self.teacher_model and self.folds:
            raise InputError("A teacher that is given may have seen the cases that a fold tests; leave teacher_model empty or folds at 0.")
        if self.student_from_teacher and self.student_modality not in self.teacher_modalities:
            raise InputError(f"student_from_teacher needs a teacher that sees {self.student_modality} too.")
        if self.student_from_teacher and self.student_from_baseline:
            raise InputError("A student starts either from its teacher or from the baseline; give one of student_from_teacher and student_from_baseline.")
        if self.mean_with_baseline and not self.student_from_baseline:
            raise InputError("Only weights that began as the same ones have a mean that is a network; give student_from_baseline with mean_with_baseline.")
        if self.schedule == "plateau" and not self.inner_validation:
            raise InputError("The plateau schedule needs validation cases; give inner_validation or take the polynomial schedule.")

    def as_dict(self) -> dict:
        """Plain values, as JSON keeps them."""
        return json.loads(json.dumps(asdict(self)))

    def differences_from(self, other: "Settings") -> dict[str, tuple]:
        """What is not the same, by name: (other's value, own value)."""
        theirs, own = other.as_dict(), self.as_dict()
        return {name: (theirs[name], own[name]) for name in own if own[name] != theirs[name]}


_KINDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", tuple: "a list"}


def _check(parameter: Field, value) -> None:
    kind, facts = type(parameter.default), parameter.metadata
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise InputError(f"{parameter.name} must be {_KINDS[kind]}, not {value!r}.")
    if "choices" in facts and value not in facts["choices"]:
        raise InputError(f"{parameter.name} must be one of {', '.join(facts['choices'])}, not {value!r}.")
    if "low" in facts and not facts["low"] <= value <= facts["high"]:
        raise InputError(f"{parameter.name} must be from {facts['low']:g} to {facts['high']:g}, not {value:g}.")


def settings_from(values: dict, base: Settings | None = None) -> Settings:
    """``base`` (default: the paper's settings) with ``values`` in place; raises InputError for a name that is none."""
    known = {parameter.name for parameter in fields(Settings)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise InputError(f"There is no parameter {', '.join(unknown)}; there are {', '.join(sorted(known))}.")
    return replace(base or Settings(), **values)


def preset_names() -> list[str]:
    """The presets that exist, the paper's first."""
    names = sorted(path.stem for path in _PRESETS.glob("*.json"))
    return sorted(names, key=lambda name: name != "paper")


def preset(name: str) -> Settings:
    """The settings called ``name``. Raises InputError where there is no such preset."""
    path = _PRESETS / f"{name}.json"
    if name not in preset_names():
        raise InputError(f"There is no preset {name}; choose one of {', '.join(preset_names())}.")
    return settings_from(json.loads(path.read_text(encoding="utf-8"))["settings"])
