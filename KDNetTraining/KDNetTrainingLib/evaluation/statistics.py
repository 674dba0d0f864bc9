"""How scores are summed up and compared: mean and sd over folds as in the paper, and paired tests case by case.

Rows are those of ``evaluation.results``. Dice is given in per cent, differences of it in percentage points.
"""

from collections import defaultdict

import numpy as np
from scipy.stats import wilcoxon

_RESAMPLES = 10_000


def mean_and_sd_over_folds(rows: list[dict], system: str, region: str, space: str) -> tuple[float, float | None]:
    """Mean of the folds' mean Dice of ``system`` and their standard deviation (ddof = 1; None with one fold), in per cent.

    A case's Dice is the mean over the seeds. ``rows`` must hold a case of ``system``, scored in ``space``.
    """
    folds = defaultdict(list)
    for (fold, _), dice in dice_by_case(rows, system, region, space).items():
        folds[fold].append(dice)
    means = [np.mean(values) for values in folds.values()]
    return float(np.mean(means)), float(np.std(means, ddof=1)) if len(means) > 1 else None


def paired_differences(rows: list[dict], system: str, baseline: str, region: str, space: str) -> np.ndarray:
    """Dice of ``system`` minus that of ``baseline`` in percentage points, for every case that both were tested on; by name.

    With several seeds a case's Dice is the mean over them, so that a case counts once. Rounded to 0.0001, the scores' own digits, so that equal differences are equal numbers.
    """
    own, others = ({case: dice for (_, case), dice in dice_by_case(rows, name, region, space).items()} for name in (system, baseline))
    return np.round([own[case] - others[case] for case in sorted(own.keys() & others.keys())], 4)


def dice_by_case(rows: list[dict], system: str, region: str, space: str) -> dict[tuple[int, str], float]:
    """By fold and case the Dice of ``system`` in per cent, mean over the seeds."""
    of_seeds = defaultdict(list)
    for row in rows:
        if row["system"] == system and row["space"] == space:
            of_seeds[row["fold"], row["case"]].append(100 * row[f"{region}_dice"])
    return {case: float(np.mean(values)) for case, values in of_seeds.items()}


def paired_wilcoxon(differences: np.ndarray) -> float:
    """Two-sided p of Wilcoxon's signed-rank test; differences of 0 are dropped, as Wilcoxon did, and 1 where all are 0.

    Exact where scipy has the exact distribution (up to 50 differences without ties), else by normal approximation or
    permutation.
    """
    differing = differences[differences != 0]
    return float(wilcoxon(differing).pvalue) if len(differing) else 1.0


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down correction: the adjusted p-values, in the given order.

    The smallest p of m is multiplied by m, the next by m − 1, …; none becomes smaller than the one before it, or above 1.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def bootstrap_interval(differences: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % interval of the mean of ``differences`` (at least one): percentiles of 10,000 means of cases drawn with replacement.

    Depends on ``seed`` and the differences' order alone.
    """
    rng = np.random.default_rng(seed)
    # In blocks, because 10,000 draws of 1,251 cases at once take 200 MB.
    means = [differences[rng.integers(len(differences), size=(500, len(differences)))].mean(axis=1) for _ in range(_RESAMPLES // 500)]
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)
