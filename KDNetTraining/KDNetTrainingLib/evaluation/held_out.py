"""Which cases of a finished run each of its exported networks was kept from."""

from pathlib import Path

from KDNetLib.errors import InputError
from KDNetTrainingLib.data.cases import TrainingCase, find_training_cases
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.run_folder import RunFolder


def held_out(run: RunFolder, plan: Plan, data: Path, label: str | None) -> tuple[str, list[tuple[str, int, Path, list[TrainingCase]]]]:
    """The label of a system that ``run`` exports, and of each of its trainings: key, fold, model file, tested cases.

    ``label`` may be None where the run exports one system. Raises InputError where it does not tell which system, where
    a training is not finished, or where no case was kept for testing: those that chose the epoch do not count.
    """
    exported = [training for training in plan.trainings() if plan.exports(training)]
    labels = list(dict.fromkeys(training.label for training in exported))
    label = label or (labels[0] if len(labels) == 1 else None)
    if label not in labels:
        raise InputError(f"{run.path} exports {', '.join(labels) or 'no model'}; choose one with --system.")
    split = run.read("folds") or {}
    tests = split.get("folds") or [split.get("test") or []]
    cases = {case.name: case for case in find_training_cases(data)[0]}
    found = []
    for training in exported:
        if training.label != label:
            continue
        names = tests[max(0, training.fold - 1)]
        path = run.path / "models" / f"{plan.model_name(training)}.safetensors"
        if not path.is_file():
            raise InputError(f"{training.key} is not finished ({path} is missing); go on with: kdnet resume {run.path}.")
        gone = [name for name in names if name not in cases]
        if gone or not names:
            what = f"{data} lacks the case {gone[0]}" if gone else f"{run.path} kept no case for testing"
            raise InputError(f"{what}; cases that were held out of training are needed for this.")
        found.append((training.key, training.fold, path, [cases[name] for name in names]))
    return label, found
