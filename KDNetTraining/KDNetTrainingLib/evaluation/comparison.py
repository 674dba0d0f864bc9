"""Runs beside each other: what each changed against the first, the Dice it reached, and whether that differs case by case."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from KDNetLib.errors import InputError
from KDNetLib.labels import REGIONS
from KDNetTrainingLib.evaluation.results import collect, scores_path
from KDNetTrainingLib.evaluation.statistics import bootstrap_interval, dice_by_case, paired_differences, paired_wilcoxon
from KDNetTrainingLib.evaluation.text import markdown_table, name_of
from KDNetTrainingLib.plan import Training
from KDNetTrainingLib.run.recorded_plan import recorded_plan
from KDNetTrainingLib.run.run_folder import existing_run
from KDNetTrainingLib.systems.registry import SYSTEMS

#: Scores on the scan's own grid.
_SPACE = "native"
_SEED = 0  # of the bootstrap: the same table from the same scores
#: Settings of teacher and student, which say nothing of a system that has no part in them.
_OF_DISTILLATION = (
    "imitation", "temperature", "alpha", "distillation_mask", "student_from_teacher", "student_from_baseline", "mean_with_baseline",
    "epochs_teacher", "epochs_student", "teacher_modalities", "teacher_model", "phantoms",
)  # fmt: skip


@dataclass(frozen=True)
class Try:
    """One system of one run; ``unseen``: whether its cases had no part in the training (else they chose the epoch); ``changed`` names the settings that are not the first run's, with their values.

    ``dice``: region -> mean over ``cases`` in per cent and its 95 % interval (low, high). ``difference``: region -> mean
    difference to the first try in percentage points over the cases that both were tested on, and Wilcoxon's p; empty for
    the first one itself and where they share no case.
    """

    run: str
    training: Training
    changed: dict[str, object]
    cases: int
    unseen: bool
    dice: dict[str, tuple[float, float, float]]
    difference: dict[str, tuple[float, float]]


def compare_runs(paths: list[Path], systems: list[str] | None = None) -> list[Try]:
    """Every system (of those labelled ``systems``, if given) that is scored in every fold, run by run.

    Raises InputError where a path holds no run, or none of them has such a system.
    """
    tries, first_rows, first_settings = [], None, None
    for path in paths:
        run = existing_run(path)
        plan, _ = recorded_plan(run)
        for label in dict.fromkeys(training.label for training in plan.trainings()):
            trainings = [training for training in plan.trainings() if training.label == label]
            if (systems and label not in systems) or not all(scores_path(run.path, training).exists() for training in trainings):
                continue
            rows = [{**row, "system": "tried"} for row in collect(run.path, trainings)]
            if not rows:
                continue  # no case was there to score it on
            dice = {region: _mean_with_interval(dice_by_case(rows, "tried", region, _SPACE)) for region in REGIONS}
            difference = _differences(rows, first_rows) if first_rows else {}
            first_rows = first_rows or [{**row, "system": "first"} for row in rows]
            first_settings = first_settings or plan.settings
            changes = plan.settings.differences_from(first_settings)
            changed = {name: changes[name][1] for name in changes if _concerns(name, trainings[0].system)}
            split = run.read("folds") or {}
            unseen = bool(split.get("folds") or split.get("test"))
            tries.append(Try(path.resolve().name, trainings[0], changed, len({row["case"] for row in rows}), unseen, dice, difference))
    if not tries:
        raise InputError("None of these runs has a system that is scored in every fold; let a run end (kdnet status RUN shows how far it is).")
    return tries


def comparison_markdown(tries: list[Try]) -> str:
    """One line per try: mean Dice with its interval, and behind it the difference to the first try with its p."""
    lines = []
    for each in tries:
        changed = ", ".join(f"{name} {_shown(value)}" for name, value in each.changed.items()) or "–"
        cases = str(each.cases) if each.unseen else f"{each.cases} (they chose the epoch)"
        cells = [_cell(each, region) for region in REGIONS]
        lines.append([each.run, name_of(each.training), changed, cases, *cells])
    return markdown_table(["Run", "System", "Changed", "Cases", *REGIONS], lines)


def _concerns(setting: str, system: str) -> bool:
    entry = SYSTEMS[system]
    if setting == "teacher_modalities":
        return entry.trained_with == SYSTEMS["teacher"].trained_with
    return entry.taught or setting not in _OF_DISTILLATION or (setting, system) == ("epochs_teacher", "teacher")


def _mean_with_interval(dice: dict) -> tuple[float, float, float]:
    values = np.array([dice[case] for case in sorted(dice)])
    return float(values.mean()), *bootstrap_interval(values, _SEED)


def _differences(rows: list[dict], first_rows: list[dict]) -> dict[str, tuple[float, float]]:
    found = {region: paired_differences(rows + first_rows, "tried", "first", region, _SPACE) for region in REGIONS}
    return {region: (float(some.mean()), paired_wilcoxon(some)) for region, some in found.items() if len(some)}


def _cell(each: Try, region: str) -> str:
    mean, low, high = each.dice[region]
    text = f"{mean:.1f} ({low:.1f} to {high:.1f})"
    if region in each.difference:
        difference, p = each.difference[region]
        text += f"; {difference:+.1f}, " + ("p < 0.001" if p < 0.001 else f"p {p:.3f}")
    return text


def _shown(value) -> str:
    if isinstance(value, list):
        return ("×" if all(isinstance(each, int) for each in value) else "+").join(map(str, value))
    return str(value)
