"""Folds and the inner split: no patient on both sides, sizes and grades even, the same whatever the files' order."""

import random
from collections import Counter
from pathlib import Path

import pytest

from KDNetLib.errors import InputError
from KDNetTrainingLib.data.cases import TrainingCase
from KDNetTrainingLib.data.folds import inner_split, make_folds


def case(name, patient=None, grade=None):
    return TrainingCase(name, patient or name, "BraTS", grade, {}, Path(name), None)


def brats_2018():
    """As the paper's data: 210 HGG and 75 LGG, one case of each patient."""
    return [case(f"Brats18_{number:03}", grade="HGG" if number < 210 else "LGG") for number in range(285)]


def names(cases):
    return [entry.name for entry in cases]


def test_every_case_is_tested_once_and_grades_are_even():
    cases = brats_2018()
    folds = make_folds(cases, 3, 0)
    assert sorted(sum(folds, [])) == sorted(names(cases))
    grades = {entry.name: entry.grade for entry in cases}
    assert [Counter(grades[name] for name in fold) for fold in folds] == [{"HGG": 70, "LGG": 25}] * 3


@pytest.mark.parametrize(("high", "low", "unknown", "folds"), [(7, 4, 0, 3), (2, 2, 2, 5), (0, 0, 8, 3), (1, 5, 3, 4)])
def test_sizes_differ_by_one_at_most(high, low, unknown, folds):
    cases = [case(f"{grade}-{number}", grade=grade) for grade, count in (("HGG", high), ("LGG", low), (None, unknown)) for number in range(count)]
    sizes = [len(fold) for fold in make_folds(cases, folds, 1)]
    assert max(sizes) - min(sizes) <= 1


def test_patients_stay_together():
    rng = random.Random(0)
    cases = [case(f"p{number}-{session}", f"p{number}") for number in range(40) for session in range(rng.choice((1, 1, 2, 5)))]
    folds = make_folds(cases, 3, 0)
    patients = [{name.split("-")[0] for name in fold} for fold in folds]
    assert sum(map(len, patients)) == 40 == len(set.union(*patients))
    sizes = [len(fold) for fold in folds]
    assert max(sizes) - min(sizes) <= 1, "the single ones even out what the large ones leave"
    training, validation = inner_split(cases, 0.2, 0)
    assert not {entry.patient for entry in training} & {entry.patient for entry in validation}
    assert abs(len(validation) - 0.2 * len(cases)) <= 5


def test_the_seed_decides_and_the_order_does_not():
    cases = brats_2018()
    shuffled = random.Random(0).sample(cases, len(cases))
    assert make_folds(shuffled, 3, 0) == make_folds(cases, 3, 0) != make_folds(cases, 3, 1)
    assert inner_split(shuffled, 0.2, 0) == inner_split(cases, 0.2, 0) != inner_split(cases, 0.2, 1)


def test_splits_stay_what_they_were():
    """A run is continued and compared by its folds, so they must never change."""
    cases = [case(f"p{number}", grade="HGG" if number < 4 else "LGG") for number in range(7)]
    assert make_folds(cases, 3, 0) == [["p1", "p2", "p5"], ["p3", "p4"], ["p0", "p6"]]
    assert names(inner_split(cases, 0.3, 0)[1]) == ["p2", "p6"]


def test_the_inner_split_holds_the_grades_in_their_shares():
    training, validation = inner_split(brats_2018(), 0.2, 0)
    assert len(validation) == 57 and len(training) == 228
    assert Counter(entry.grade for entry in validation) == {"HGG": 42, "LGG": 15}
    assert names(training) == sorted(names(training)) and names(validation) == sorted(names(validation))


@pytest.mark.parametrize(("count", "share", "expected"), [(24, 0.0, 0), (5, 0.01, 1), (2, 0.5, 1), (1, 0.5, 0), (4, 0.5, 2)])
def test_the_inner_split_of_few_cases(count, share, expected):
    training, validation = inner_split([case(f"p{number}") for number in range(count)], share, 0)
    assert (len(training), len(validation)) == (count - expected, expected)


def test_fewer_patients_than_folds_are_refused():
    with pytest.raises(InputError, match="2 patient.* 3 folds"):
        make_folds([case("a-1", "a"), case("a-2", "a"), case("b")], 3, 0)
