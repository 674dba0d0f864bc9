"""Three sections through one case as a picture: the scan, the reference and what the network finds."""

from pathlib import Path

import numpy as np
from PIL import Image

from KDNetLib.labels import LABELS
from KDNetLib.measures import dice_by_region
from KDNetTrainingLib.run.canvas import Canvas

#: Per section its name, the axis it is cut across, and the letters at its left and right edge and at its top and
#: bottom, as radiologists look at it: the patient's right at the left, and the face to the left.
_SECTIONS = (("axial", 2, "RLAP"), ("coronal", 1, "RLSI"), ("sagittal", 0, "APSI"))
_CELL, _GAP, _LEFT, _TOP, _BOTTOM = 256, 10, 84, 66, 44
_OPACITY = 0.4


def draw_preview(path: Path, image: np.ndarray, reference: np.ndarray, prediction: np.ndarray, title: str) -> None:
    """Draw the PNG ``path``: axial, coronal and sagittal sections where the tumour is largest; rows scan, reference, network.

    Args:
        image: (X, Y, Z) scan on an isotropic grid whose axes point to right, front and top (RAS); any range, background
            exactly 0, not empty.
        reference, prediction: (X, Y, Z) class indices 0 to 3.
        title: one line of at most 80 characters.
    """
    tumour = reference if reference.any() else prediction
    grey = in_grey(image)
    rows = (("scan", None), ("reference", reference), ("network", prediction))
    canvas = Canvas(_LEFT + 3 * (_CELL + _GAP), _TOP + 3 * (_CELL + _GAP) + _BOTTOM)
    canvas.text((_LEFT, 22), title, 18)
    for column, (name, axis, letters) in enumerate(_SECTIONS):
        index = largest_section(tumour, axis)
        x = _LEFT + column * (_CELL + _GAP)
        canvas.text((x + _CELL / 2, _TOP - 12), name, 14, anchor="mm")
        for row, (_, classes) in enumerate(rows):
            y = _TOP + row * (_CELL + _GAP)
            shown = section(grey, axis, index), (None if classes is None else section(classes, axis, index))
            canvas.box((x, y), (x + _CELL, y + _CELL), fill=(0, 0, 0))
            cell = coloured(*shown, _CELL)
            canvas.picture((x + (_CELL - cell.width) // 2, y + (_CELL - cell.height) // 2), cell)
            for letter, place in zip(letters, ((8, _CELL / 2), (_CELL - 8, _CELL / 2), (_CELL / 2, 9), (_CELL / 2, _CELL - 9))):
                canvas.text((x + place[0], y + place[1]), letter, 12, (200, 200, 200), anchor="mm", edge=(0, 0, 0))
    for row, (name, _) in enumerate(rows):
        canvas.text((_LEFT - 10, _TOP + row * (_CELL + _GAP) + _CELL / 2), name, 14, anchor="rm")
    _legend(canvas, _TOP + 3 * (_CELL + _GAP) + 16, reference, prediction)
    canvas.save(path)


def in_grey(image: np.ndarray) -> np.ndarray:
    """The scan's brightness from 0 to 1: between the brain's 0.5th and 99.5th percentile; the background, exactly 0 in ``image``, stays 0."""
    low, high = np.percentile(image[image != 0], [0.5, 99.5])
    return np.where(image == 0, 0, np.clip((image.astype(np.float32) - low) / max(high - low, 1e-6), 0, 1))


def largest_section(classes: np.ndarray, axis: int) -> int:
    """Index along ``axis`` of the section with the most tumour; the middle one where there is none."""
    areas = (classes != 0).sum(axis=tuple({0, 1, 2} - {axis}))
    return int(areas.argmax()) if areas.any() else classes.shape[axis] // 2


def section(array: np.ndarray, axis: int, index: int) -> np.ndarray:
    """One section as rows from the top and columns from the left: both remaining axes are turned around."""
    return array.take(index, axis=axis).T[::-1, ::-1]


def coloured(grey: np.ndarray, classes: np.ndarray | None, side: int) -> Image.Image:
    """The section in grey (0 to 1), its classes laid over it, enlarged to fit ``side`` × ``side`` pixels."""
    scale = side / max(grey.shape)
    size = (round(grey.shape[1] * scale), round(grey.shape[0] * scale))
    scan = Image.fromarray(np.uint8(grey * 255)).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    if classes is None:
        return scan
    large = np.asarray(Image.fromarray(np.ascontiguousarray(classes, dtype=np.uint8)).resize(size, Image.Resampling.NEAREST))
    inner = np.pad(large, 1, mode="edge")
    border = np.zeros(large.shape, bool)
    for neighbour in (inner[:-2, 1:-1], inner[2:, 1:-1], inner[1:-1, :-2], inner[1:-1, 2:]):
        border |= neighbour != large
    pixels = np.asarray(scan).astype(np.float32)
    for label in LABELS:
        colour = np.array(label.colour, dtype=np.float32) * 255
        inside = large == label.index
        weight = np.where(border, 1.0, _OPACITY)[inside][:, None]
        pixels[inside] = (1 - weight) * pixels[inside] + weight * colour
    return Image.fromarray(np.uint8(pixels.round()))


def legend_of_labels(canvas: Canvas, position) -> None:
    """The labels' colours and names in one line of 570 pixels from ``position``."""
    x, y = position
    for label in LABELS:
        canvas.box((x, y - 7), (x + 14, y + 7), fill=tuple(round(255 * part) for part in label.colour))
        canvas.text((x + 20, y), label.name, 13)
        x += 190


def _legend(canvas: Canvas, y: float, reference: np.ndarray, prediction: np.ndarray) -> None:
    legend_of_labels(canvas, (_LEFT, y))
    scores = ", ".join(f"{region} {value:.2f}" for region, value in dice_by_region(prediction, reference).items())
    canvas.text((_LEFT + 3 * (_CELL + _GAP) - _GAP, y), f"Dice {scores}", 13, anchor="rm")
