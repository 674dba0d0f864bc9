"""What the scores say of each system: mean Dice and sd over folds, and its difference to the baseline."""

from dataclasses import dataclass

from KDNetLib.labels import REGIONS
from KDNetTrainingLib.evaluation.results import SPACES
from KDNetTrainingLib.evaluation.statistics import bootstrap_interval, mean_and_sd_over_folds, paired_differences, paired_wilcoxon
from KDNetTrainingLib.plan import Training
from KDNetTrainingLib.systems.registry import SYSTEMS

_SEED = 0  # of the bootstrap: the same table from the same scores


@dataclass(frozen=True)
class Difference:
    """Of a system's Dice to the baseline's over ``cases`` that both were tested on, in percentage points.

    ``mean``, its 95 % interval ``low`` to ``high``, and Wilcoxon's two-sided ``p``, not corrected for what else is compared.
    """

    cases: int
    mean: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Summary:
    """A system's figures; ``training`` is any of its trainings, ``folds`` and ``seeds`` count those scored, ``cases`` the cases tested.

    ``dice``: space -> region -> mean and sd over folds in per cent (sd None with one fold). ``differences``: space ->
    region -> :class:`Difference`, without the spaces where there is nothing to compare.
    """

    training: Training
    folds: int
    seeds: int
    cases: int
    dice: dict[str, dict[str, tuple[float, float | None]]]
    differences: dict[str, dict[str, Difference]]


def summarise(rows: list[dict], trainings: list[Training]) -> list[Summary]:
    """Every system that ``rows`` (of ``evaluation.results``) hold scores of, in the order of :func:`in_papers_order`."""
    found = []
    for training in in_papers_order(trainings):
        label = training.label
        own = [row for row in rows if row["system"] == label]
        if own:
            dice = {space: {region: mean_and_sd_over_folds(own, label, region, space) for region in REGIONS} for space in SPACES}
            folds, seeds, cases = (len({row[key] for row in own}) for key in ("fold", "seed", "case"))
            found.append(Summary(training, folds, seeds, cases, dice, _differences(own, rows, training)))
    return found


def in_papers_order(trainings: list[Training]) -> list[Training]:
    """One of ``trainings`` of every system (label): the paper's network and four skips first, then as in SYSTEMS."""
    order = sorted(trainings, key=lambda training: (training.network != "plain", -training.skips, list(SYSTEMS).index(training.system)))
    return list({training.label: training for training in order}.values())


def _differences(own: list[dict], rows: list[dict], training: Training) -> dict[str, dict[str, Difference]]:
    baseline = training.baseline.label
    if training.label == baseline:
        return {}
    both = own + [row for row in rows if row["system"] == baseline]
    found = {}
    for space in SPACES:
        of_region = {region: paired_differences(both, training.label, baseline, region, space) for region in REGIONS}
        if all(map(len, of_region.values())):
            found[space] = {
                region: Difference(len(some), float(some.mean()), *bootstrap_interval(some, _SEED), paired_wilcoxon(some)) for region, some in of_region.items()
            }
    return found
