"""Drawing with Pillow what the training pictures are made of: text that fits, lines and axes, smooth at any size."""

import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from KDNetLib.atomic_file import replacing

INK, FAINT, PAPER = (40, 40, 40), (222, 222, 222), (255, 255, 255)
#: Everything is drawn so many times larger and then reduced, because Pillow's lines have no smooth edges.
_ENLARGED = 3


class Canvas:
    """A white picture of ``width`` × ``height`` pixels; positions are (x, y) from the upper left corner."""

    def __init__(self, width: int, height: int):
        self._image = Image.new("RGB", (width * _ENLARGED, height * _ENLARGED), PAPER)
        self._draw = ImageDraw.Draw(self._image)

    def text(self, position, text: str, size: int = 14, colour=INK, anchor: str = "lm", turned: bool = False, edge=None) -> None:
        """Write ``text``; ``anchor`` is Pillow's (``lm``: left, middle). ``turned``: upwards, centred on ``position``.

        ``edge``: colour around the letters, so that they stand out from a picture.
        """
        font = ImageFont.load_default(size * _ENLARGED)
        if not turned:
            self._draw.text(_large(position), text, fill=colour, font=font, anchor=anchor, stroke_width=_ENLARGED if edge else 0, stroke_fill=edge)
            return
        left, top, right, bottom = font.getbbox(text)
        label = Image.new("RGB", (math.ceil(right - left), math.ceil(bottom - top)), PAPER)
        ImageDraw.Draw(label).text((-left, -top), text, fill=colour, font=font)
        label = label.rotate(90, expand=True)
        x, y = _large(position)
        self._image.paste(label, (int(x - label.width / 2), int(y - label.height / 2)))

    def line(self, points, colour=INK, width: float = 1, dashed: bool = False) -> None:
        """Draw a line through ``points``."""
        points = [_large(point) for point in points]
        for part in _dashes(points, 7 * _ENLARGED, 4 * _ENLARGED) if dashed else [points]:
            self._draw.line(part, fill=colour, width=round(width * _ENLARGED), joint="curve")

    def dot(self, position, radius: float, colour=INK, hollow: bool = False) -> None:
        """Draw a circle, filled or as a ring."""
        x, y = _large(position)
        radius *= _ENLARGED
        self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=PAPER if hollow else colour, outline=colour, width=_ENLARGED)

    def box(self, corner, other, fill=None, outline=None) -> None:
        """Draw a rectangle between two corners."""
        self._draw.rectangle((*_large(corner), *_large(other)), fill=fill, outline=outline, width=_ENLARGED)

    def picture(self, position, picture: Image.Image) -> None:
        """Put ``picture`` with its upper left corner at ``position``, one pixel of it on one of the canvas."""
        large = picture.resize((picture.width * _ENLARGED, picture.height * _ENLARGED), Image.Resampling.NEAREST)
        self._image.paste(large, tuple(map(int, _large(position))))

    def save(self, path: Path) -> None:
        """Write the picture as PNG in one step."""
        size = (self._image.width // _ENLARGED, self._image.height // _ENLARGED)
        with replacing(path) as partial:
            self._image.resize(size, Image.Resampling.BOX).save(partial, "PNG")


def _large(position) -> tuple[float, float]:
    return position[0] * _ENLARGED, position[1] * _ENLARGED


def _dashes(points, on: float, off: float):
    """The pieces of the line through ``points`` that a dashed one shows; the pattern goes on around corners."""
    piece, left, drawing = [points[0]], on, True
    for (x, y), (to_x, to_y) in zip(points, points[1:]):
        length = ((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5
        gone = 0.0
        while length - gone > left:
            gone += left
            at = (x + (to_x - x) * gone / length, y + (to_y - y) * gone / length)
            if drawing:
                yield [*piece, at]
            drawing = not drawing
            piece, left = [at], on if drawing else off
        left -= length - gone
        piece.append((to_x, to_y))
    if drawing and len(piece) > 1:
        yield piece
