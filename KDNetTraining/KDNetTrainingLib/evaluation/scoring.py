"""Scoring a network case by case on the scans' native grid."""

import csv
from pathlib import Path

import numpy as np
import torch

from KDNetLib.image_io import read_image, read_labelmap
from KDNetLib.inference import predict
from KDNetLib.input_checks import usable_image
from KDNetLib.labels import REGIONS, convention_of, to_classes
from KDNetLib.measures import compare
from KDNetLib.network import EncoderDecoder
from KDNetLib.preprocessing import Preprocessing
from KDNetTrainingLib.data.cases import TrainingCase


def score_cases(network: EncoderDecoder, cases: list[TrainingCase], modalities: list[str], preprocessing: Preprocessing) -> list[dict]:
    """Dice and HD95 (mm) of ET, TC and WT for each case: rows with ``case``, ``ET_dice``, ``ET_hd95``, …

    Exactly what ``kdnet segment`` would give with this network, compared on the reference's own grid.
    """
    rows = []
    for case in cases:
        images = [usable_image(read_image(case.images[modality]))[0] for modality in modalities]
        prepared = preprocessing.prepare([image.array for image in images], images[0].affine, network.divisor)
        probabilities, _ = predict([network], prepared.tensor, torch.device("cpu"), False, lambda share: None, print)
        predicted, _ = prepared.restore(probabilities)
        reference = read_labelmap(case.reference)
        classes = to_classes(reference.array, convention_of(case.reference.name, np.unique(reference.array)))
        measured = compare(predicted, classes, images[0].affine)
        rows.append({"case": case.name} | {f"{region}_{key}": measured[region][key] for region in REGIONS for key in ("dice", "hd95")})
    return rows


def mean_dice(rows: list[dict]) -> dict[str, float]:
    """Mean Dice (0 to 1) of ET, TC and WT over the rows of :func:`score_cases`."""
    return {region: round(sum(row[f"{region}_dice"] for row in rows) / len(rows), 4) for region in REGIONS}


def write_scores(path: Path, rows: list[dict]) -> None:
    """Write the rows of :func:`score_cases` as CSV, with the mean in the last line."""
    keys = list(rows[0])
    mean = {"case": "mean"} | {key: sum(row[key] for row in rows) / len(rows) for key in keys[1:]}
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, keys)
        writer.writeheader()
        for row in [*rows, mean]:
            writer.writerow({key: row[key] if key == "case" else round(row[key], 4) for key in keys})
