"""From a finished run to a model file that says honestly what it is."""

import json
from pathlib import Path

from KDNetLib.model_file import save_model
from KDNetLib.network import EncoderDecoder
from KDNetLib.preprocessing import Preprocessing
from KDNetTrainingLib.data.cases import MODALITIES, TrainingCase
from KDNetTrainingLib.evaluation.scoring import mean_dice, score_cases, write_scores
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import Settings

_CITATION = (
    "Hu M, Maillard M, Zhang Y, Ciceri T, La Barbera G, Bloch I, Gori P. Knowledge distillation from multi-modal to "
    "mono-modal segmentation networks. MICCAI 2020, LNCS 12261, 772-781."
)


def export_student(
    teacher: EncoderDecoder, student: EncoderDecoder, validation: list[TrainingCase], training_count: int,
    settings: Settings, run: RunFolder, name: str, data: str, licence: str, command: str,
) -> Path:
    """Score teacher and student on the ``validation`` cases and write RUN/``name``.safetensors with the figures.

    The cases' scores go to validation-teacher.csv and validation-student.csv. ``data`` says what it was trained on
    and whom to attribute; ``command`` is what makes the run again.
    """
    preprocessing = Preprocessing("whole-brain", settings.spacing)
    measured = []
    for kind, network, modalities in (("teacher", teacher, list(MODALITIES)), ("student", student, [settings.student_modality])):
        if not validation:
            break
        rows = score_cases(network, validation, modalities, preprocessing)
        write_scores(run.path / f"validation-{kind}.csv", rows)
        measured.append({
            "dataset": f"{kind} ({', '.join(modalities)}): {', '.join(case.name for case in validation)}, held out of training",
            "cases": len(validation),
            "space": "native grid",
            "dice": mean_dice(rows),
            "command": command,
        })
    path = run.path / f"{name}.safetensors"
    save_model(path, student, {
        "name": name,
        "title": f"KD-Net student, {settings.student_modality}, {settings.spacing:g} mm",
        "modalities": [settings.student_modality],
        "preprocessing": {"preset": preprocessing.preset, "spacing": preprocessing.spacing},
        "classes": ["background", "NCR", "ED", "ET"],
        "training": {
            "summary": _summary(settings, training_count),
            "data": data,
            "procedure": json.dumps(settings.as_dict()),
            "limits": f"Trained on {training_count} cases only; for research use, never for decisions about a patient.",
        },
        "measured": measured[::-1],
        "licence": licence,
        "citation": _CITATION,
    })
    return path


def _summary(settings: Settings, training_count: int) -> str:
    paper = Settings()
    differences = ""
    if (settings.imitation, settings.temperature, settings.alpha) != (paper.imitation, paper.temperature, paper.alpha):
        differences += f" The paper has lambda {paper.imitation:g}, T {paper.temperature:g}, alpha {paper.alpha:g}."
    if settings.student_from_teacher:
        differences += " The student started from the teacher's weights, which the paper does not do."
    return (
        f"A teacher seeing {', '.join(MODALITIES)} was trained for {settings.epochs_teacher} epochs with the reference (Eq. 4), "
        f"then a student seeing {settings.student_modality} for {settings.epochs_student} epochs with the complete objective (Eq. 5; "
        f"lambda {settings.imitation:g}, T {settings.temperature:g}, alpha {settings.alpha:g}), on {training_count} cases, whole brain at "
        f"{settings.spacing:g} mm, with flips, rotation, scaling, elastic and intensity augmentation.{differences}"
    )
