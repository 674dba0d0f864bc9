"""Draws the icon: an axial slice of a brain with the three tumour labels.

    python Testing/tools/draw_icon.py Resources/Pictures/KDNet.png KDNetSegmentation/Resources/Icons/KDNetSegmentation.png

Needs pillow. Run once; the results are committed.
"""

import sys

import numpy as np
from PIL import Image

SIZE, SCALE = 128, 4
NCR, ED, ET = (64, 115, 217), (115, 204, 89), (230, 64, 51)


def wobble(angle: np.ndarray, amount: float, phase: float) -> np.ndarray:
    """A closed curve's radius factor, so that shapes look grown rather than drawn with a compass."""
    return 1 + amount * (np.sin(3 * angle + phase) + 0.6 * np.sin(5 * angle + 2 * phase))


def draw() -> Image.Image:
    """The icon at 128×128, RGBA, drawn larger and reduced for smooth edges."""
    y, x = (np.mgrid[0 : SIZE * SCALE, 0 : SIZE * SCALE] + 0.5) / SCALE
    pixels = np.zeros((SIZE * SCALE, SIZE * SCALE, 4), dtype=np.uint8)

    def radius(centre, half, amount=0.0, phase=0.0):
        dx, dy = (x - centre[0]) / half[0], (y - centre[1]) / half[1]
        return np.hypot(dx, dy) / wobble(np.arctan2(dy, dx), amount, phase)

    brain = radius((64, 64), (49, 59), 0.015, 0.6)
    pixels[brain < 1] = (52, 58, 70, 255)
    folds = 0.91 + 0.03 * np.sin(22 * np.arctan2(y - 64, x - 64) + 1.4 * np.sin(3 * np.arctan2(y - 64, x - 64)))
    pixels[brain < folds] = (150, 158, 170, 255)
    pixels[(np.abs(x - 64) < 1.4) & (brain < 0.97)] = (52, 58, 70, 255)
    for side in (-1, 1):
        ventricle = radius((64 + side * (9 + 0.12 * np.abs(y - 60)), 60), (5.5, 19))
        pixels[ventricle < 1] = (52, 58, 70, 255)
    tumour = (84, 78)
    pixels[(radius(tumour, (24, 27), 0.07, 1.1) < 1) & (brain < 0.9) & (x > 66.5)] = (*ED, 255)
    pixels[radius(tumour, (15.5, 17.5), 0.05, 0.2) < 1] = (*ET, 255)
    pixels[radius(tumour, (8.5, 10), 0.08, 2.1) < 1] = (*NCR, 255)
    return Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BOX)


if __name__ == "__main__":
    for path in sys.argv[1:]:
        draw().save(path, optimize=True)
