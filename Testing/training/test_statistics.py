"""Statistics against hand-worked values, scipy and exhaustive enumeration; the paper's figures against its text."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from KDNetTrainingLib.evaluation.paper_tables import PUBLISHED, TABLE_1, TABLE_2
from KDNetTrainingLib.evaluation.statistics import bootstrap_interval, holm, mean_and_sd_over_folds, paired_differences, paired_wilcoxon
from KDNetTrainingLib.plan import Training
from KDNetTrainingLib.systems.registry import SYSTEMS


def rows_of(system, dice_of_folds, space="native"):
    """Rows with the Dice of ET given fold by fold, case names c0, c1, …"""
    numbered = itertools.count()
    return [
        {"system": system, "fold": fold, "case": f"c{next(numbered)}", "space": space, "ET_dice": dice}
        for fold, values in enumerate(dice_of_folds, start=1)
        for dice in values
    ]


def test_mean_and_sd_are_of_the_folds_means():
    """Fold means 60, 70 and 86 %: mean 72; deviations -12, -2, 14, so variance 344 / 2 = 172. The mean of cases would be 69.2."""
    rows = rows_of("baseline", [[0.5, 0.7], [0.6, 0.7, 0.8], [0.86]]) + rows_of("teacher", [[0.1]]) + rows_of("baseline", [[0.2]], "crop")
    mean, deviation = mean_and_sd_over_folds(rows, "baseline", "ET", "native")
    assert mean == pytest.approx(72) and deviation == pytest.approx(172**0.5)
    assert mean_and_sd_over_folds(rows, "baseline", "ET", "crop") == (pytest.approx(20), None)
    assert mean_and_sd_over_folds(rows, "teacher", "ET", "native") == (pytest.approx(10), None)


def test_differences_pair_by_case_and_leave_out_what_one_lacks():
    rows = rows_of("gt+kd", [[0.7, 0.3], [0.9]]) + rows_of("baseline", [[0.5], [0.4]])[::-1] + rows_of("gt+kd", [[0.0]], "crop")
    assert paired_differences(rows, "gt+kd", "baseline", "ET", "native").tolist() == [20, -10]
    assert len(paired_differences(rows, "gt+kd", "teacher", "ET", "native")) == 0


def test_a_case_counts_once_with_the_mean_over_its_seeds():
    """Case a: 60 and 80 %, so 70; case b, of which one seed is not finished: 50. The mean of all three would be 63.3."""
    own = [{"system": "gt+kd", "fold": 1, "seed": seed, "case": case, "space": "native", "ET_dice": dice}
           for seed, case, dice in ((0, "a", 0.6), (1, "a", 0.8), (0, "b", 0.5))]
    others = [{**row, "system": "baseline", "ET_dice": row["ET_dice"] - (0.1 if row["seed"] else 0.2)} for row in own]
    assert mean_and_sd_over_folds(own, "gt+kd", "ET", "native") == (pytest.approx(60), None)
    assert paired_differences(own + others, "gt+kd", "baseline", "ET", "native").tolist() == [15, 20]


def test_equal_differences_are_equal_numbers():
    rows = rows_of("gt+kd", [[0.1, 0.3, 0.45]]) + rows_of("baseline", [[0.05, 0.25, 0.4]])
    assert len({*paired_differences(rows, "gt+kd", "baseline", "ET", "native").tolist()}) == 1


def exact_p(differences):
    """Two-sided p of the signed-rank test by trying all signs."""
    ranks = stats.rankdata(np.abs(differences))
    observed = ranks[np.array(differences) > 0].sum()
    sums = np.array([ranks @ np.array(signs) for signs in itertools.product((0, 1), repeat=len(ranks))])
    return min(1, 2 * min((sums <= observed).mean(), (sums >= observed).mean()))


def test_wilcoxon_is_the_exact_test():
    all_better = np.array([0.4, 1.2, 2.5, 3.1, 0.9, 4.4])
    assert paired_wilcoxon(all_better) == pytest.approx(2 / 2**6)  # one sign pattern of 64 on either side
    mixed = np.array([1.5, -0.3, 2.2, -2.9, 4.1, 0.8, 3.3, -1.1, 5.0])
    assert paired_wilcoxon(mixed) == pytest.approx(exact_p(mixed))
    assert paired_wilcoxon(-mixed) == pytest.approx(paired_wilcoxon(mixed))


def test_wilcoxon_drops_zeros_and_takes_ties():
    mixed = np.array([1.5, -0.3, 2.2, -2.9, 4.1, 0.8])
    assert paired_wilcoxon(np.append(mixed, [0.0, 0.0, 0.0])) == pytest.approx(exact_p(mixed))
    assert paired_wilcoxon(np.zeros(8)) == 1
    assert paired_wilcoxon(np.array([])) == 1
    tied = np.array([1.0, 1.0, 1.0, -1.0, 2.0, 2.0, 3.0, -2.0, 4.0, 5.0])
    assert paired_wilcoxon(tied) == pytest.approx(exact_p(tied), abs=0.02)  # scipy before 1.13 approximates here


def test_wilcoxon_of_many_cases_follows_the_normal_approximation():
    differences = np.round(np.random.default_rng(1).normal(0.4, 2, 1251), 4)
    ranks = stats.rankdata(np.abs(differences[differences != 0]))
    count, positive = len(ranks), ranks[differences[differences != 0] > 0].sum()
    z = (positive - count * (count + 1) / 4) / np.sqrt(count * (count + 1) * (2 * count + 1) / 24)
    assert 0 < paired_wilcoxon(differences) == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-3)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])  # 3·0.01; 2·0.03; 0.04 raised to 0.06
    assert holm([0.5, 0.9, 0.02]) == pytest.approx([1.0, 1.0, 0.06])
    assert holm([0.2, 0.2, 0.2]) == pytest.approx([0.6, 0.6, 0.6])
    assert holm([0.3]) == [0.3] and holm([]) == []


def test_holm_rejects_what_the_step_down_procedure_rejects():
    rng = np.random.default_rng(0)
    for _ in range(50):
        p_values = rng.uniform(0, 0.12, size=5)
        rejected = set()
        for rank, place in enumerate(np.argsort(p_values)):
            if p_values[place] > 0.05 / (5 - rank):
                break
            rejected.add(place)
        assert {place for place, p in enumerate(holm(p_values.tolist())) if p <= 0.05} == rejected


def test_bootstrap_interval_agrees_with_scipy_and_repeats():
    differences = np.random.default_rng(3).gamma(1.5, 2.0, 24) - 2
    low, high = bootstrap_interval(differences, seed=0)
    expected = stats.bootstrap((differences,), np.mean, n_resamples=20000, method="percentile", random_state=0).confidence_interval
    error = differences.std() / np.sqrt(len(differences))
    assert low == pytest.approx(expected.low, abs=0.1 * error) and high == pytest.approx(expected.high, abs=0.1 * error)
    assert low < differences.mean() < high
    assert bootstrap_interval(differences, seed=0) == (low, high) != bootstrap_interval(differences, seed=1)


def test_bootstrap_interval_against_all_resamples():
    """Of three cases the 27 resamples can be written down; 2.5 % of them is less than the one that holds the smallest thrice."""
    differences = np.array([0.0, 3.0, 12.0])
    means = [np.mean(draw) for draw in itertools.product(differences, repeat=3)]
    assert bootstrap_interval(differences, seed=0) == (pytest.approx(min(means)), pytest.approx(max(means)))
    assert bootstrap_interval(np.array([2.5]), seed=0) == (2.5, 2.5)


@pytest.fixture(scope="module")
def paper():
    path = Path(__file__).resolve().parents[3] / "shared" / "paper" / "kd-net.txt"
    if not path.exists():
        pytest.skip("the paper's text is not at hand")
    return re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))


def test_published_figures_are_those_of_the_papers_text(paper):
    """Table 2 row by row: the figures that follow the row's model and loss, in their order."""
    words = {"baseline": "Baseline GT", "teacher": "Teacher GT"}
    after = paper.index("Table 2.")
    for system, skips in TABLE_2:
        label = Training(system, 0, skips).label
        figures = PUBLISHED[label]
        name = words.get(system, f"KD-Net {system.upper()}")
        after = paper.index(f" {name} ", after)
        found = re.findall(r"([\d.]+) ± ([\d.]+)", paper[after : after + 90])[:3]
        assert [(float(mean), float(deviation)) for mean, deviation in found] == list(figures.values()), label
        assert list(figures) == ["ET", "TC", "WT"]
        after += 1


def test_rows_and_comparators_are_those_of_table_1(paper):
    titles = [SYSTEMS[system].title for system, _ in TABLE_1[:-1]]
    places = [paper.index(f" {name} ", paper.index("Model ET TC WT")) for name in titles]
    assert places == sorted(places)  # rows in the paper's order
    for name in ("U-HVED", "HeMIS"):
        figures = PUBLISHED[name.lower()]
        place = paper.index(f" {name} ", paper.index("Model ET TC WT"))
        assert re.findall(r"\d\d\.\d", paper[place : place + 40])[:3] == [str(mean) for mean, _ in figures.values()]
