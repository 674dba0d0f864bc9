"""How far a result can be believed: for each region the Dice to be expected, from 0 to 1.

The network's probabilities alone promise a Dice (:func:`expected_dice`), but networks promise too much, the more so the
less a scan is like those they learnt from. A model file may therefore hold a calibration: for each region two numbers
that map what is promised to the Dice that cases held out of training really reached, and a third for where the region was
not found, fitted by ``kdnet calibrate``. A model without one gives no confidence, since an uncalibrated number would be
believed where it should not be.
"""

import math

import numpy as np

from KDNetLib.labels import REGIONS, decided

#: Below this confidence the user is warned: the outline is to be expected more wrong than right.
LOW = 0.5
#: Promises nearer to 0 or 1 than this count as equal: on the logit's scale they would otherwise lie infinitely far from all others.
_NEAREST = 0.01
_NAMES = {"ET": "the enhancing tumour", "TC": "the tumour core", "WT": "the whole tumour"}


def expected_dice(probabilities: np.ndarray, inside: np.ndarray) -> dict[str, float]:
    """The Dice of ET, TC and WT that class ``probabilities`` (4, X, Y, Z) float32 promise for what is decided by them, 0 to 1.

    Of a region M as predicted, with the probability p of a voxel to belong to it, the overlap expected is the sum of p
    over M, the reference's size expected the sum of p over all voxels: E[Dice] = 2 Σ_M p / (|M| + Σ p), the "soft Dice
    confidence" of Borges, Pacheco and Silva (arXiv:2402.10665), who show that this ratio of expectations is close to
    the expectation of the ratio. A region that was not found gets 0. ``inside`` (X, Y, Z) bool is the brain; what lies
    outside it is never tumour (see ``PreparedInput.restore``).
    """
    flat, brain = probabilities.reshape(len(probabilities), -1), inside.ravel()
    expected = flat[1:] @ brain.astype(np.float32)  # voxels of each class
    # Where tumour is more probable than background, background has less than a half: few voxels are left to look at.
    candidates = flat[:, np.flatnonzero((flat[0] < 0.5) & brain)]
    predicted = decided(candidates)
    promised = {}
    for region, indices in REGIONS.items():
        own = np.isin(predicted, indices)
        overlap = float(candidates[list(indices)][:, own].sum())
        size = int(own.sum()) + float(expected[[index - 1 for index in indices]].sum())
        promised[region] = 2 * overlap / size if size else 0.0
    return promised


def calibrated(promised: dict[str, float], maps: dict[str, list[float]]) -> dict[str, float]:
    """The Dice to be expected by region, where the network ``promised`` so much.

    ``maps``: region -> [a, b, c], the part ``map`` of a manifest's calibration: σ(a + b logit(promised)), and c where the
    region was not found (promised 0), so that Dice is 1 if there is none and 0 if there is.
    """
    return {region: _mapped(value, *maps[region]) for region, value in promised.items()}


def _mapped(promised: float, offset: float, slope: float, absent: float) -> float:
    return 1 / (1 + math.exp(-(offset + slope * logit(promised)))) if promised else absent


def logit(promised: float) -> float:
    """log(p / (1 − p)) of a promised Dice, which is first kept between 0.01 and 0.99."""
    kept = min(max(promised, _NEAREST), 1 - _NEAREST)
    return math.log(kept / (1 - kept))


def confidence_warnings(confidence: dict[str, float] | None) -> list[str]:
    """A sentence that names the regions whose confidence is low, in a list; none where there are none or no confidence."""
    low = [f"{_NAMES[region]} ({region} {value:.2f})" for region, value in (confidence or {}).items() if value < LOW]
    if not low:
        return []
    listed = ", ".join(low[:-1]) + (" and " if low[:-1] else "") + low[-1]
    return [f"The confidence is low for {listed}: such results are more often wrong than right, so check the outline against the scan."]
