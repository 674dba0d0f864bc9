"""``kdnet combine``: the folds of a finished cross-validation as one model file that averages them."""

import argparse
from pathlib import Path


def add_parser(subparsers) -> None:
    """Add the subcommand to ``kdnet``."""
    parser = subparsers.add_parser(
        "combine",
        help="make one model file of a cross-validation's folds",
        description="Write RUN/models/NAME.safetensors: the networks of all folds of a finished run in one file, which averages their class "
        "probabilities. Together they have seen every case. Its card tells the cross-validated Dice, which is that of the single networks.",
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a finished cross-validation")
    parser.add_argument("name", metavar="NAME", help="name of the model")
    parser.add_argument("--title", metavar="TEXT", help="what lists and the card call the model (default: system, modality and grid)")
    parser.add_argument("--system", metavar="LABEL", help="label of the system (needed where the run exports several)")
    parser.add_argument("--data", type=Path, help="where the cases lie now (default: where they were)")
    parser.add_argument("--data-text", metavar="TEXT", help="what the data are and whom to attribute, for the model's card (default: as the run has it)")
    parser.add_argument("--licence", metavar="TEXT", help="licence of the model file (default: as the run has it)")


def run(arguments: argparse.Namespace) -> int:
    """Write the file and print its path; returns 0. Raises KDNetError where the run is not finished or has no folds, or NAME is taken."""
    from KDNetLib.errors import InputError
    from KDNetTrainingLib.evaluation.held_out import held_out
    from KDNetTrainingLib.evaluation.results import collect
    from KDNetTrainingLib.export import export_ensemble
    from KDNetTrainingLib.plan import is_plan_name
    from KDNetTrainingLib.run.recorded_plan import recorded_plan
    from KDNetTrainingLib.run.run_folder import existing_run

    folder = existing_run(arguments.run)
    if not is_plan_name(arguments.name):
        raise InputError(f"{arguments.name!r} cannot be a model file's name everywhere; take up to 40 letters, digits, dots, hyphens and underscores.")
    plan, place = recorded_plan(folder)
    if not plan.settings.folds:
        raise InputError(f"{arguments.run} is no cross-validation, so that its networks together have not seen every case; give a run with folds.")
    if arguments.name in map(plan.model_name, plan.trainings()):
        raise InputError(f"{arguments.name} is the name of a model of one training of this run; choose another one.")
    label, trained = held_out(folder, plan, arguments.data or place, arguments.system)
    rows = collect(folder.path, [training for training in plan.trainings() if training.label == label])
    cases = len({case.name for *_, tested in trained for case in tested})
    path = export_ensemble(
        folder.path / "models" / f"{arguments.name}.safetensors", [path for _, _, path, _ in trained], plan, rows, cases, arguments.name, arguments.title,
        arguments.data_text or plan.data_text or f"{cases} cases of the trainer's own folder", arguments.licence or plan.licence,
    )
    print(path)
    return 0
