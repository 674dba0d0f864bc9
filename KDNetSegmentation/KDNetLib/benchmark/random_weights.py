"""Model files of random weights: how long a network takes does not depend on what it has learnt."""

from pathlib import Path

import torch

from KDNetLib.labels import LABELS
from KDNetLib.model_file import save_model
from KDNetLib.networks.registry import architecture

_SEED = 0


def random_model(path: Path, kind: str, parameters: dict, preset: str, spacing: float) -> Path:
    """Write a network of class ``kind`` with these constructor's ``parameters`` for this preprocessing; returns ``path``."""
    torch.manual_seed(_SEED)
    description = {
        "name": path.stem,
        "title": "Random weights",
        "modalities": ["T1ce"],
        "preprocessing": {"preset": preset, "spacing": spacing},
        "classes": ["background", *(label.key for label in LABELS)],
        "training": {"summary": "Not trained: random weights to measure time with."},
        "measured": [],
        "licence": "MIT",
        "citation": "none",
    }
    save_model(path, architecture(kind)(**parameters), description)
    return path
