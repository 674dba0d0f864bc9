"""Draws a segmentation over its scan, three orthogonal slices through the tumour, for ``demo.py``:

    python Testing/demo_picture.py SCAN SEGMENTATION PICTURE.png

Needs pillow (the extra ``demo``).
"""

import sys
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from KDNetLib.bounding_box import bounding_box
from KDNetLib.image_io import read_image, read_labelmap
from KDNetLib.labels import LABELS, REGIONS, to_classes
from KDNetLib.measures import volume_ml

#: Pixels per mm, space between panels, height of title and legend.
SCALE, GAP, BAND = 2, 12, 44
BACKGROUND, TEXT = (0, 0, 0), (230, 230, 230)


def reoriented(array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``array`` (I, J, K) with axes towards left, posterior, superior, and the voxel size in mm along them."""
    canonical = nibabel.as_closest_canonical(nibabel.Nifti1Image(array, affine))
    return np.asarray(canonical.dataobj)[::-1, ::-1], np.array(canonical.header.get_zooms())


def panel(scan: np.ndarray, classes: np.ndarray, millimetres: tuple[float, float]) -> Image.Image:
    """One slice (columns, rows) in grey with the labels as a tint and a firm outline."""
    size = tuple(max(1, round(count * mm * SCALE)) for count, mm in zip(scan.shape, millimetres, strict=True))
    grey = Image.fromarray((scan.T * 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    labels = np.asarray(Image.fromarray(classes.T).resize(size, Image.Resampling.NEAREST))
    pixels = np.repeat(np.asarray(grey, dtype=float)[..., None], 3, axis=2)
    for label in LABELS:
        inside = np.pad(labels == label.index, 1)
        core = inside[1:-1, :-2] & inside[1:-1, 2:] & inside[:-2, 1:-1] & inside[2:, 1:-1]
        opacity = np.where(core, 0.35, 0.9)[..., None] * inside[1:-1, 1:-1, None]
        pixels = pixels * (1 - opacity) + 255 * np.array(label.colour) * opacity
    return Image.fromarray(pixels.astype(np.uint8))


def draw(scan_path: Path, segmentation_path: Path) -> Image.Image:
    """The picture: the plain slices above, the labelled ones below, a legend with volumes in ml."""
    image, segmentation = read_image(scan_path), read_labelmap(segmentation_path)
    classes = to_classes(segmentation.array, "1/2/4")
    volumes = [(label.name, volume_ml(classes == label.index, image.affine), label.colour) for label in LABELS]
    total = volume_ml(np.isin(classes, REGIONS["WT"]), image.affine)
    scan, millimetres = reoriented(np.asarray(image.array, dtype=float), image.affine)
    classes, _ = reoriented(classes, image.affine)
    scan = np.clip(scan / np.percentile(scan[scan > 0], 99.5), 0, 1)
    # The slices that show most of the core, or of the whole tumour where it has no core.
    core = np.isin(classes, REGIONS["TC"])
    shown = core if core.any() else classes > 0
    crop = tuple(slice(max(0, side.start - 4), side.stop + 4) for side in bounding_box(scan > 0.02))
    scan, classes, shown = scan[crop], classes[crop], shown[crop]
    across = [int(np.argmax(shown.sum(axis=tuple(one for one in range(3) if one != axis)))) for axis in range(3)]
    rows = [[], []]
    # Axial, coronal, sagittal: the axis cut, the axes shown, and the direction of rows (superior up, anterior up).
    for axis, plane, step in ((2, (0, 1), 1), (1, (0, 2), -1), (0, (1, 2), -1)):
        pair = [np.take(volume, across[axis], axis=axis)[:, ::step] for volume in (scan, classes)]
        size = (millimetres[plane[0]], millimetres[plane[1]])
        rows[0].append(panel(pair[0], np.zeros_like(pair[1]), size))
        rows[1].append(panel(pair[0], pair[1], size))
    width = sum(one.width for one in rows[0]) + GAP * (len(rows[0]) + 1)
    height = max(one.height for one in rows[0])
    picture = Image.new("RGB", (width, 2 * height + 2 * BAND + 3 * GAP), BACKGROUND)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(size=20)
    title = f"{scan_path.name}: whole tumour {total:.1f} ml. Patient's left on the right. Research use only."
    pen.text((GAP, GAP), title, TEXT, font)
    for row, panels in enumerate(rows):
        x = GAP
        for one in panels:
            picture.paste(one, (x, BAND + GAP + row * (height + GAP) + (height - one.height) // 2))
            x += one.width + GAP
    x, y = GAP, picture.height - BAND + 6
    for name, volume, colour in volumes:
        pen.rectangle((x, y + 2, x + 20, y + 22), tuple(round(255 * part) for part in colour))
        text = f"{name} {volume:.1f} ml"
        pen.text((x + 28, y), text, TEXT, font)
        x += 28 + round(pen.textlength(text, font)) + 28
    return picture


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2])).save(sys.argv[3])
