"""What the scores say of each system: mean Dice and sd over folds, and its difference to the baseline."""

from dataclasses import dataclass, replace

from KDNetLib.labels import REGIONS
from KDNetTrainingLib.evaluation.results import SPACES
from KDNetTrainingLib.evaluation.statistics import bootstrap_interval, holm, mean_and_sd_over_folds, paired_differences, paired_wilcoxon
from KDNetTrainingLib.plan import Training
from KDNetTrainingLib.systems.registry import SYSTEMS

_BASELINE = "baseline"
_SEED = 0  # of the bootstrap: the same table from the same scores


@dataclass(frozen=True)
class Difference:
    """Of a system's Dice to the baseline's over ``cases`` that both were tested on, in percentage points.

    ``mean``, its 95 % interval ``low`` to ``high``, and Wilcoxon's ``p`` after Holm's correction.
    """

    cases: int
    mean: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Summary:
    """A system's figures; ``training`` is any of its trainings, ``folds`` counts those scored, ``cases`` the cases tested.

    ``dice``: space -> region -> mean and sd over folds in per cent (sd None with one fold). ``differences``: space ->
    region -> :class:`Difference`, without the spaces where there is nothing to compare.
    """

    training: Training
    folds: int
    cases: int
    dice: dict[str, dict[str, tuple[float, float | None]]]
    differences: dict[str, dict[str, Difference]]


def summarise(rows: list[dict], trainings: list[Training]) -> list[Summary]:
    """Every system that ``rows`` (of ``evaluation.results``) hold scores of, in the paper's order: its network and four skips first, then as in SYSTEMS."""
    order = sorted(trainings, key=lambda training: (training.network != "plain", -training.skips, list(SYSTEMS).index(training.system)))
    found = []
    for label, training in {training.label: training for training in order}.items():
        own = [row for row in rows if row["system"] == label]
        if own:
            dice = {space: {region: mean_and_sd_over_folds(rows, label, region, space) for region in REGIONS} for space in SPACES}
            folds, cases = (len({row[key] for row in own}) for key in ("fold", "case"))
            found.append(Summary(training, folds, cases, dice, _differences(rows, training)))
    return found


def _differences(rows: list[dict], training: Training) -> dict[str, dict[str, Difference]]:
    """To the baseline with the same skips and network. Holm's correction is over the regions of one comparison in one space."""
    baseline = replace(training, system=_BASELINE).label
    found = {}
    for space in SPACES:
        of_region = {region: paired_differences(rows, training.label, baseline, region, space) for region in REGIONS}
        if training.label != baseline and all(map(len, of_region.values())):
            corrected = holm([paired_wilcoxon(differences) for differences in of_region.values()])
            found[space] = {
                region: Difference(len(differences), float(differences.mean()), *bootstrap_interval(differences, _SEED), p)
                for (region, differences), p in zip(of_region.items(), corrected)
            }
    return found
