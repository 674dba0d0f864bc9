"""The systems that work with any subset of the modalities, on every subset: Dice as mean and sd over folds."""

from collections import defaultdict
from pathlib import Path

import numpy as np

from KDNetLib.labels import REGIONS
from KDNetTrainingLib.evaluation.results import SPACES, read_subset_scores, subsets_path
from KDNetTrainingLib.evaluation.statistics import mean_and_sd_over_folds
from KDNetTrainingLib.evaluation.summaries import in_papers_order
from KDNetTrainingLib.evaluation.tables_text import SPACE_TITLES
from KDNetTrainingLib.evaluation.text import csv_text, markdown_table, name_of
from KDNetTrainingLib.plan import Training

#: How modalities are written, as in the literature.
_NAMES = {"t1": "T1", "t1ce": "T1ce", "t2": "T2", "flair": "FLAIR"}
_HEADER = ["system", "modalities", "space", "region", "folds", "seeds", "cases", "dice", "dice_sd"]

#: Training (any of its system's) -> subset, joined by "+" -> its rows (of ``read_subset_scores``).
SubsetScores = dict[Training, dict[str, list[dict]]]


def subset_scores(run_path: Path, trainings: list[Training]) -> SubsetScores:
    """What the finished ones of ``trainings`` scored on each subset, the smallest subsets first. Raises InputError as ``read_subset_scores``."""
    found = {}
    for one in in_papers_order(trainings):
        of_subset = defaultdict(list)
        for training in trainings:
            if training.label == one.label:
                for row in read_subset_scores(subsets_path(run_path, training)):
                    of_subset[row["modalities"]].append(row)
        if of_subset:
            found[one] = dict(of_subset)
    return found


def subsets_csv(scores: SubsetScores) -> str:
    """One line per system, subset, space and region."""
    lines = []
    for training, of_subset in scores.items():
        for subset, rows in of_subset.items():
            counts = [len({row[key] for row in rows}) for key in ("fold", "seed", "case")]
            for space in SPACES:
                for region in REGIONS:
                    dice = mean_and_sd_over_folds(rows, training.label, region, space)
                    lines.append([training.label, subset, space, region, *counts, *dice])
    return csv_text(_HEADER, lines)


def subsets_markdown(scores: SubsetScores) -> str:
    """For each space one table: a line per subset, for every system the mean Dice of each region; empty without scores."""
    if not scores:
        return ""
    parts = ["# Any subset of the modalities", "Dice in per cent of the same networks with every subset of the modalities (sd over folds: table-subsets.csv)."]
    return "\n\n".join([*parts, *(f"## Subsets, Dice {SPACE_TITLES[space]}\n\n{_table(scores, space)}" for space in SPACES)])


def _table(scores: SubsetScores, space: str) -> str:
    header = ["Modalities", *(f"{name_of(training)} {region}" for training in scores for region in REGIONS)]
    subsets = list(dict.fromkeys(subset for of_subset in scores.values() for subset in of_subset))
    figures = [
        [_mean(of_subset.get(subset), training.label, region, space) for training, of_subset in scores.items() for region in REGIONS] for subset in subsets
    ]
    lines = [[", ".join(_NAMES.get(each, each) for each in subset.split("+")), *map(_shown, line)] for subset, line in zip(subsets, figures)]
    means = np.array(figures, dtype=float).mean(axis=0)
    return markdown_table(header, [*lines, [f"**Mean of the {len(subsets)}**", *map(_shown, means)]])


def _mean(rows: list[dict] | None, label: str, region: str, space: str) -> float:
    return mean_and_sd_over_folds(rows, label, region, space)[0] if rows else np.nan


def _shown(dice: float) -> str:
    return "–" if np.isnan(dice) else f"{dice:.2f}"
