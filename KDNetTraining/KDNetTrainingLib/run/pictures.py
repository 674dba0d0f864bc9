"""The pictures in a training's folder: its curves, and what it finds in one validation case."""

import numpy as np

from KDNetLib.image_io import read_image, read_labelmap
from KDNetLib.labels import to_classes
from KDNetTrainingLib.plan import Training
from KDNetTrainingLib.run.curves import draw_curves
from KDNetTrainingLib.run.preview import draw_preview
from KDNetTrainingLib.run.preview_folder import PREDICTION, REFERENCE, SCAN, preview_folder, read_preview
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.systems.registry import SYSTEMS


def draw_training(run: RunFolder, training: Training) -> None:
    """Draw curves.png and preview.png of ``training`` from what its run has told so far; what is not there is left out."""
    folder = run.folder(training.key)
    draw_curves(folder / "curves.png", *course_of(training, [event for event in run.events() if event["kind"] == "epoch"]))
    shown = read_preview(folder)
    if shown:
        files = preview_folder(folder)
        reference, prediction = (to_classes(np.asarray(read_labelmap(files / name).array), "1/2/4") for name in (REFERENCE, PREDICTION))
        title = f"{shown.case}, {training.key}, epoch {shown.epoch}"
        draw_preview(folder / "preview.png", read_image(files / SCAN).array, reference, prediction, title[:80])


def course_of(training: Training, epochs: list[dict]) -> tuple[list[dict], dict[str, float] | None]:
    """Of all the run's events of kind ``epoch`` those of ``training``, and the Dice by region that its teacher reached."""
    level = None
    if SYSTEMS[training.system].taught:
        reached = [event["validation"] for event in epochs if event["training"] == training.teacher.key and event["best"]]
        level = reached[-1] if reached else None
    return [event for event in epochs if event["training"] == training.key], level
