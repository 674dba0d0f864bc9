"""Scoring trained networks case by case, on the scans' own grid and on the network's."""

from collections.abc import Callable

import numpy as np
import torch

from KDNetLib.inference import predict
from KDNetLib.labels import REGIONS, decided
from KDNetLib.measures import compare
from KDNetLib.networks.base import Network
from KDNetLib.postprocessing import remove_specks
from KDNetLib.preprocessing import PreparedInput, Preprocessing
from KDNetLib.runners.runner import MIRRORED, ONCE
from KDNetTrainingLib.data.cases import TrainingCase
from KDNetTrainingLib.evaluation.results import MEASURES, SPACES
from KDNetTrainingLib.settings import Settings


def score_cases(
    networks: list[Network], cases: list[TrainingCase], modalities: list[str], settings: Settings, device: torch.device,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[dict]:
    """Measures of every case, predicted by the mean of ``networks``, which see ``modalities`` in this order (``settings.mirrored``: and its mirror image).

    Args:
        progress: called with the number of cases done, of all cases, and the last one's name; what it raises ends the work.
    Returns:
        Two rows per case: ``case``, ``space``, and for each region (ET, TC, WT) ``ET_dice`` (0 to 1), ``ET_hd95`` (mm),
        ``ET_volume_ml`` and ``ET_reference_ml``. Space ``native`` is exactly what ``kdnet segment`` gives in
        float32, on the reference's own grid. ``crop`` is the network's own grid (the paper's 64³), its output as it is, the reference
        brought there by majority: what the network does not look at counts in ``native`` alone, and so does the rule
        that a voxel without signal is background, and ``settings.least_enhancing``.
    Raises:
        InputError: a case's files cannot be used.
        DeviceError: not even the CPU has the memory.
    """
    rows = []
    for done, case in enumerate(cases, start=1):
        rows += _score(networks, case, modalities, settings, device)
        if progress:
            progress(done, len(cases), case.name)
    return rows


def mean_dice(rows: list[dict]) -> dict[str, float]:
    """Mean Dice (0 to 1, four digits) of ET, TC and WT over ``rows``, of which there must be at least one."""
    return {region: round(sum(row[f"{region}_dice"] for row in rows) / len(rows), 4) for region in REGIONS}


def segmented(
    networks: list[Network], case: TrainingCase, modalities: list[str], settings: Settings, device: torch.device
) -> np.ndarray:
    """Class indices (I, J, K) uint8 of ``case`` on its own grid, as :func:`score_cases` scores them in ``native``; raises what it raises."""
    return _native(*_predicted(networks, case, modalities, settings, device), settings)


def _score(networks, case, modalities, settings, device) -> list[dict]:
    reference = case.read_reference()
    prepared, affine, probabilities = _predicted(networks, case, modalities, settings, device)
    native, crop = _native(prepared, affine, probabilities, settings), decided(probabilities)
    network_affine = np.diag([settings.spacing] * 3 + [1.0])  # only the voxel's size matters to the measures
    compared = (compare(native, reference, affine), compare(crop, prepared.labels_like_input(reference), network_affine))
    return [{"case": case.name, "space": space} | _columns(measures) for space, measures in zip(SPACES, compared)]


def _predicted(networks, case, modalities, settings, device) -> tuple[PreparedInput, np.ndarray, np.ndarray]:
    channels, affine = case.read(modalities)
    prepared = Preprocessing(settings.preprocessing, settings.spacing).prepare(channels, affine, networks[0].divisor)
    flips = MIRRORED if settings.mirrored else ONCE
    return prepared, affine, predict(networks, prepared.array, device, flips, lambda share: None, lambda message: None)[0]


def _native(prepared, affine, probabilities, settings) -> np.ndarray:
    classes, _ = prepared.restore(probabilities)
    remove_specks(classes, affine, settings.least_enhancing)
    return classes


def _columns(measures: dict[str, dict[str, float]]) -> dict[str, float]:
    return {f"{region}_{ending}": measures[region][key] for region in REGIONS for ending, key in MEASURES.items()}
