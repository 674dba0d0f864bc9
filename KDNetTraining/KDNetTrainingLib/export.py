"""From a finished training to a model file that says honestly what it is."""

import json
from pathlib import Path

from KDNetLib.errors import InputError
from KDNetLib.model_file import load_model, save_model
from KDNetLib.networks.ensemble import ensemble_of
from KDNetTrainingLib.evaluation.scoring import mean_dice
from KDNetTrainingLib.plan import Plan, Training
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.any_subset import AnySubsetSystem
from KDNetTrainingLib.systems.base import System
from KDNetTrainingLib.systems.registry import SYSTEMS

_CITATION = (
    "Hu M, Maillard M, Zhang Y, Ciceri T, La Barbera G, Bloch I, Gori P. Knowledge distillation from multi-modal to "
    "mono-modal segmentation networks. MICCAI 2020, LNCS 12261, 772-781."
)

#: A card lists as many cases by name; folds.json in the run's folder has all.
_MOST_LISTED = 20


def export_model(
    run_path: Path, plan: Plan, training: Training, system: System, rows: list[dict], teacher_rows: list[dict], trained_on: int, unseen: bool
) -> Path:
    """Write RUN/models/NAME.safetensors of a trained ``system``; returns its path.

    Args:
        rows: the scores of the system, as :func:`score_cases` gives them; its teacher's are ``teacher_rows``.
        trained_on: number of training cases.
        unseen: whether the scored cases had no part in training; else they are those that chose the epoch, which the
            card then says.
    """
    name = plan.model_name(training)
    settings = plan.settings
    measured = [
        {
            "dataset": f"{who}: {_listed([row['case'] for row in native])}, {'held out of training' if unseen else 'which also chose the epoch (not independent)'}",
            "cases": len(native),
            "space": "native grid",
            "dice": {region: round(value, 4) for region, value in mean_dice(native).items()},
            "command": plan.command,
        }
        for who, found in ((f"this model ({', '.join(system.modalities)})", rows), (f"its teacher ({', '.join(settings.teacher_modalities)})", teacher_rows))
        if (native := [row for row in found if row["space"] == "native"])
    ]
    path = run_path / "models" / f"{name}.safetensors"
    save_model(path, system.deployed, {
        "name": name,
        "title": f"{SYSTEMS[training.system].what}, {', '.join(system.modalities)}, {settings.spacing:g} mm",
        "modalities": list(system.modalities),
        "preprocessing": {"preset": settings.preprocessing, "spacing": settings.spacing},
        "classes": ["background", "NCR", "ED", "ET"],
        "least_enhancing_ml": settings.least_enhancing,
        "mirrored": settings.mirrored,
        "training": {
            "summary": _summary(plan, training, system, trained_on),
            "data": plan.data_text or f"{trained_on} cases of the trainer's own folder",
            "procedure": json.dumps(plan.settings_of(training).as_dict()),
            "limits": _limits(trained_on),
        },
        "measured": measured,
        "licence": plan.licence,
        "citation": _citation(SYSTEMS[training.system].source),
    })
    return path


def export_ensemble(
    path: Path, members: list[Path], plan: Plan, rows: list[dict], cases: int, name: str, title: str | None, data_text: str, licence: str
) -> Path:
    """Write the model files ``members``, one per fold (and seed) of a cross-validation by ``plan``, as one that averages them; returns ``path``.

    Its kernels are kept in 8 bits: what that changes is less than the members differ.

    Args:
        rows: the scores of every member on the cases that it was not trained on.
        cases: how many cases the folds have together.
        title: None: that of a member.
    Raises:
        ModelError: a member is no sound model file, or ``path`` cannot be written.
        InputError: the members differ in architecture.
    """
    loaded = [load_model(member) for member in members]
    first = loaded[0][1]
    try:
        ensemble = ensemble_of([network for network, _ in loaded])
    except ValueError as error:
        raise InputError(f"The models of this run cannot be combined: {error}.") from error
    native = [row for row in rows if row["space"] == "native"]
    each, judges = ("fold and seed", "those") if len(plan.seeds) > 1 else ("fold", "the one")
    save_model(path, ensemble, {
        "name": name,
        "title": f"{title or first.title}, mean of {len(members)} networks",
        "modalities": first.modalities,
        "preprocessing": first.preprocessing,
        "classes": first.classes,
        "least_enhancing_ml": first.least_enhancing_ml,
        "mirrored": first.mirrored,
        "training": {
            **first.training,
            "summary": f"{len(members)} networks, one per {each} of a cross-validation, their class probabilities averaged; the first: {first.training['summary']}",
            "data": data_text,
            "limits": _limits(cases),
        },
        "measured": [{
            "dataset": f"cross-validation: every case by {judges} of the {len(members)} networks not trained on its patient (the mean of all was "
            "trained on every case, so it cannot be measured on them)",
            "cases": len({row["case"] for row in native}),
            "space": "native grid",
            "dice": mean_dice(native),
            "command": plan.command,
        }],
        "licence": licence,
        "citation": first.citation,
    }, eight_bits=True)
    return path


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_LISTED
    return ", ".join(names[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def _limits(cases: int) -> str:
    return f"Trained on {cases} cases; for research use, never for decisions about a patient."


def _citation(source: str) -> str:
    """The system's ``source``, where it is not the paper itself, before the paper whose framework it was trained in."""
    return _CITATION if source == SYSTEMS["gt+kl+kd"].source else f"{source}. {_CITATION}"


def _summary(plan: Plan, training: Training, system: System, trained_on: int) -> str:
    settings, epochs = plan.settings_of(training), plan.epochs(training)
    begun = f", begun with the weights of the same network after {plan.epochs(training.baseline)} epochs without a teacher," if settings.student_from_baseline else ""
    ended = "; its weights are the mean of those it began and ended with" if settings.mean_with_baseline else ""
    if settings.teacher_model and SYSTEMS[training.system].taught:
        what = (
            f"A student seeing {settings.student_modality}{begun} was trained for {epochs} epochs ({SYSTEMS[training.system].what}) by a teacher that was "
            f"given as {Path(settings.teacher_model).name}{ended}"
        )
    elif SYSTEMS[training.system].taught:
        what = (
            f"A teacher seeing {', '.join(settings.teacher_modalities)} was trained for {plan.epochs(training.teacher)} epochs with the reference "
            f"(Eq. 4), then a student seeing {settings.student_modality}{begun} for {epochs} epochs ({SYSTEMS[training.system].what}){ended}"
        )
    elif isinstance(system, AnySubsetSystem):
        what = (
            f"A network for any subset of {', '.join(system.all_modalities)} was trained for {epochs} epochs with the reference "
            f"({SYSTEMS[training.system].what}); here is what it needs for {', '.join(system.modalities)} alone"
        )
    else:
        what = f"A network was trained for {epochs} epochs with the reference ({SYSTEMS[training.system].what})"
    different = settings.differences_from(Settings())
    listed = "; ".join(f"{name} {own} (paper: {paper})" for name, (paper, own) in different.items())
    generated = f" and {settings.phantoms} generated ones" if settings.phantoms else ""
    return f"{what}, on {trained_on} cases{generated}. " + (f"Different from the paper: {listed}." if listed else "All parameters are the paper's.")
