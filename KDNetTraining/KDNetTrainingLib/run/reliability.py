"""The reliability curve as a picture: what was said to be expected, against what came of it."""

from pathlib import Path

import numpy as np

from KDNetLib.labels import REGIONS
from KDNetTrainingLib.run.canvas import FAINT, Canvas
from KDNetTrainingLib.run.curves import REGION_COLOURS

_SIDE, _LEFT, _TOP, _BETWEEN, _GREY = 250, 70, 50, 45, (150, 150, 150)


def draw_reliability(path: Path, promised: dict, confidence: dict, dice: dict, curve: dict[str, list]) -> None:
    """Draw the PNG ``path``: a square per region, confidence to the right and Dice upwards, both from 0 to 1.

    ``promised``, ``confidence`` and ``dice``: region -> (N,), one number per prediction; ``curve``: region -> points
    [mean confidence, mean Dice, number]. Rings are uncalibrated promises, dots the confidences, the line the curve.
    """
    canvas = Canvas(_LEFT + len(REGIONS) * (_SIDE + _BETWEEN), _TOP + _SIDE + 85)
    for number, region in enumerate(REGIONS):
        _draw_region(canvas, _LEFT + number * (_SIDE + _BETWEEN), region, promised[region], confidence[region], dice[region], curve[region])
    canvas.text((20, _TOP + _SIDE / 2), "Dice", 13, turned=True)
    y = _TOP + _SIDE + 65
    canvas.dot((_LEFT + 8, y), 3, _GREY, hollow=True)
    canvas.text((_LEFT + 20, y), "promised by the network", 13)
    canvas.dot((_LEFT + 208, y), 3, _GREY)
    canvas.text((_LEFT + 220, y), "confidence, by a map fitted to the other folds", 13)
    canvas.line([(_LEFT + 530, y), (_LEFT + 560, y)], _GREY, 2)
    canvas.text((_LEFT + 570, y), "its means: the reliability curve", 13)
    canvas.save(path)


def _draw_region(canvas: Canvas, left: float, region: str, promised: np.ndarray, confidence: np.ndarray, dice: np.ndarray, curve: list) -> None:
    def at(x, y):
        return left + x * _SIDE, _TOP + (1 - y) * _SIDE

    for tick in (0, 0.25, 0.5, 0.75, 1):
        canvas.line([at(0, tick), at(1, tick)], FAINT)
        canvas.text((left + tick * _SIDE, _TOP + _SIDE + 15), f"{tick:g}", 12, anchor="mm")
        canvas.text((left - 6, at(0, tick)[1]), f"{tick:g}", 12, anchor="rm")
    canvas.line([at(0, 1), at(0, 0), at(1, 0)])
    canvas.line([at(0, 0), at(1, 1)], _GREY, 1, dashed=True)
    for values, hollow in ((promised, True), (confidence, False)):
        for x, y in zip(values, dice):
            canvas.dot(at(x, y), 3, _GREY if hollow else REGION_COLOURS[region], hollow)
    if len(curve) > 1:
        canvas.line([at(mean, reached) for mean, reached, _ in curve], REGION_COLOURS[region], 2)
    canvas.text((left, _TOP - 20), f"{region}, {len(dice)} predictions", 15)
    canvas.text((left + _SIDE / 2, _TOP + _SIDE + 35), "confidence", 13, anchor="mm")
