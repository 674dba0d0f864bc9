"""The cases of a run: found, preprocessed at the resolutions that its settings ask for, and split into folds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from KDNetLib.errors import InputError
from KDNetLib.preprocessing import Preprocessing
from KDNetTrainingLib.data.cache import CachedCase, build_cache
from KDNetTrainingLib.data.cases import TrainingCase, find_training_cases
from KDNetTrainingLib.data.folds import inner_split, make_folds
from KDNetTrainingLib.phantom.folder import write_folder
from KDNetTrainingLib.plan import Plan, Training
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.training.distributed import World

#: Where in the run folder the generated cases lie, named as which edition names its own.
_PHANTOMS, _EDITION = "phantoms", "BraTS 2021"


@dataclass(frozen=True)
class RunData:
    """All by the cases' names: ``cases``; their arrays ``cached`` and, at half the resolution where it is asked for, ``coarse``.

    ``phantoms`` are the arrays of the generated cases, which are in no fold. ``left_out`` tells for what reason a case is
    not among them; ``folds`` has the names of the test cases of every fold (without folds one list, which may be empty).
    """

    settings: Settings
    cases: dict[str, TrainingCase]
    cached: dict[str, CachedCase]
    coarse: dict[str, CachedCase]
    phantoms: list[CachedCase]
    left_out: dict[str, str]
    folds: list[list[str]]

    def split(self, training: Training) -> tuple[list[str], list[str], list[str]]:
        """Names of the cases to train on, to choose the epoch by, and to test on."""
        test = self.folds[max(0, training.fold - 1)]
        tested_patients = {self.cases[name].patient for name in test}
        rest = [case for case in self.cases.values() if case.patient not in tested_patients]
        inner = inner_split(rest, self.settings.inner_validation, self.settings.seed)
        return tuple([case.name for case in part] for part in inner) + (test,)

    def learnt(self, names: list[str], settings: Settings) -> tuple[list[CachedCase], list[CachedCase]]:
        """The arrays that a training with ``settings`` (``Plan.settings_of``) on the cases ``names`` learns, and those at half the resolution."""
        fine = [self.cached[name] for name in names]
        return fine + self.phantoms[: settings.phantoms], [self.coarse[name] for name in names] if settings.coarse else []


def prepare(plan: Plan, trainings: list[Training], data: Path, run: RunFolder, world: World, progress: Callable[[int, int, str], None]) -> RunData:
    """Find the cases under ``data``, generate those that the settings ask for, and preprocess what is not in the run's caches yet.

    Writes data.json and folds.json. Every process of ``world`` must call it. ``progress`` is that of :func:`build_cache`.
    Raises InputError where one of ``trainings`` has nothing to train on, or where the cases are not those that the run
    began with.
    """
    found, left_out = find_training_cases(data)
    settings = plan.settings

    def cached(of: list[TrainingCase], folder: str, spacing: float) -> tuple[list[CachedCase], dict[str, str], dict]:
        def build():
            return build_cache(of, run.path / folder, Preprocessing(settings.preprocessing, spacing), progress)

        return world.led(build) or build()  # the first process writes the cache, the others find it

    fine, bad, hashes = cached(found, "cache", settings.spacing)
    coarse, bad_coarse, _ = cached(found, "cache-coarse", 2 * settings.spacing) if settings.coarse else ([], {}, {})
    left_out |= bad | bad_coarse
    phantoms = []
    if any(plan.settings_of(training).phantoms for training in trainings):
        place = run.path / _PHANTOMS
        world.led(lambda: write_folder(place, settings.phantoms, _EDITION, settings.seed, lambda done, total: progress(done, total, "generated")))
        phantoms, bad, _ = cached(find_training_cases(place)[0], f"cache-{_PHANTOMS}", settings.spacing)
        if bad:
            name, reason = next(iter(bad.items()))
            raise InputError(f"The generated case {name} in {place} cannot be used ({reason}); delete that folder and start again.")
    cases = {case.name: case for case in found if case.name not in left_out}
    by_name = ({case.name: case for case in each} for each in (fine, coarse))
    prepared = RunData(settings, cases, *by_name, phantoms, left_out, _folds(plan, cases, data))
    for training in trainings:
        if not prepared.split(training)[0]:
            raise InputError(f"No case is left to train {training.key} on (a tested patient's other scans do not count); give more cases or test fewer.")
    if world.leads:
        _record(run, {name: hashes[name] for name in cases}, left_out, data)
        run.record("folds", {"folds": prepared.folds} if settings.folds else {"test": prepared.folds[0]})
    return prepared


def _folds(plan: Plan, cases: dict[str, TrainingCase], data: Path) -> list[list[str]]:
    if plan.settings.folds:
        return make_folds(list(cases.values()), plan.settings.folds, plan.settings.seed)
    unknown = sorted(set(plan.test) - set(cases))
    if unknown:
        raise InputError(f"{data} holds no complete case {', '.join(unknown)}; correct the test cases.")
    return [sorted(plan.test)]


def _record(run: RunFolder, hashes: dict[str, dict[str, str]], left_out: dict[str, str], data: Path) -> None:
    """Write data.json; refuses to go on with other cases than the run began with."""
    earlier = (run.read("data") or {"cases": hashes})["cases"]
    other = sorted(name for name in earlier.keys() | hashes.keys() if earlier.get(name) != hashes.get(name))
    if other:
        shown = ", ".join(other[:5]) + (f" and {len(other) - 5} more" if len(other) > 5 else "")
        raise InputError(
            f"{data} does not hold the cases that the run in {run.path} began with: {shown} are new, gone, changed or unusable; "
            "put them back, or begin a new run in another folder."
        )
    run.write("data", {"cases": hashes, "left_out": left_out})
