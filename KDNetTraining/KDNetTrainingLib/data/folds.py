"""Splitting cases by patient, so that no patient is on both sides, with the grades in equal shares.

Chance comes from hashes of seed and patient: neither the order of the files nor the version of a library changes a split.
"""

import hashlib
from collections import defaultdict

from KDNetLib.errors import InputError
from KDNetTrainingLib.data.cases import TrainingCase


def make_folds(cases: list[TrainingCase], folds: int, seed: int) -> list[list[str]]:
    """Names of the test cases of each fold, sorted; every case is in one fold.

    Patients go, grade by grade, to the fold that has fewest cases of the grade, then fewest in all: where each has one
    case, the folds' sizes differ by at most one, in all and within each grade.
    Raises InputError where there are fewer patients than folds.
    """
    patients = _by_patient(cases)
    if len(patients) < folds:
        raise InputError(f"{len(patients)} patient(s) cannot be split into {folds} folds; give fewer folds or more cases.")
    result: list[list[str]] = [[] for _ in range(folds)]
    for stratum in _strata(patients, f"fold {seed}").values():
        counts = [0] * folds
        for patient in sorted(stratum, key=lambda patient: -len(patients[patient])):  # large ones first: the small ones even out
            fold = min(range(folds), key=lambda fold: (counts[fold], len(result[fold]), fold))
            counts[fold] += len(patients[patient])
            result[fold] += [case.name for case in patients[patient]]
    return [sorted(names) for names in result]


def inner_split(cases: list[TrainingCase], share: float, seed: int) -> tuple[list[TrainingCase], list[TrainingCase]]:
    """Cases to train on and cases to validate on, sorted by name: about ``share`` (0 to 0.5) of all for validation.

    At least one patient validates where ``share`` is above 0 and there are two.
    """
    patients = _by_patient(cases)
    order = []
    for stratum in _strata(patients, f"validation {seed}").values():
        # Any beginning of this order holds the grades in the shares of the whole.
        order += [((place + 0.5) / len(stratum), patient) for place, patient in enumerate(stratum)]
    wanted = max(1, round(share * len(cases))) if share > 0 else 0
    chosen: set[str] = set()
    validating = 0
    for _, patient in sorted(order)[: len(patients) - 1]:
        if validating >= wanted:
            break
        chosen.add(patient)
        validating += len(patients[patient])
    ordered = sorted(cases, key=lambda case: case.name)
    return [case for case in ordered if case.patient not in chosen], [case for case in ordered if case.patient in chosen]


def _by_patient(cases: list[TrainingCase]) -> dict[str, list[TrainingCase]]:
    patients = defaultdict(list)
    for case in sorted(cases, key=lambda case: case.name):
        patients[case.patient].append(case)
    return patients


def _strata(patients: dict[str, list[TrainingCase]], salt: str) -> dict[str, list[str]]:
    """By grade ("" where unknown) the patients, in an order that ``salt`` decides."""
    strata = defaultdict(list)
    for patient in sorted(patients, key=lambda patient: hashlib.sha256(f"{salt} {patient}".encode()).digest()):
        strata[next((case.grade for case in patients[patient] if case.grade), "")].append(patient)
    return dict(sorted(strata.items()))
