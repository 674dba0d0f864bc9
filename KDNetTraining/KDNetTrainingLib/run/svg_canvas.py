"""The canvas of the training pictures as SVG: sharp at any size, its text selectable, and small enough to lie inside a page."""

from html import escape

from KDNetTrainingLib.run.canvas import INK

_ANCHORS = {"l": "start", "m": "middle", "r": "end"}


class SvgCanvas:
    """Has what :class:`KDNetTrainingLib.run.canvas.Canvas` has to draw curves with; :meth:`svg` is the result."""

    def __init__(self, width: int, height: int):
        self._size, self._parts = (width, height), []

    def text(self, position, text: str, size: int = 14, colour=INK, anchor: str = "lm", turned: bool = False) -> None:
        """Write ``text``; ``anchor`` is Pillow's (``lm``: left, middle). ``turned``: upwards, centred on ``position``."""
        x, y = position
        turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
        where = "middle" if turned else _ANCHORS[anchor[0]]
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" dy="0.35em" font-size="{size}" fill="{_rgb(colour)}" text-anchor="{where}"{turn}>{escape(text)}</text>'
        )

    def line(self, points, colour=INK, width: float = 1, dashed: bool = False) -> None:
        """Draw a line through ``points``."""
        dashes = ' stroke-dasharray="7 4"' if dashed else ""
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(f'<polyline points="{places}" fill="none" stroke="{_rgb(colour)}" stroke-width="{width:g}"{dashes}/>')

    def dot(self, position, radius: float, colour=INK, hollow: bool = False) -> None:
        """Draw a circle, filled or as a ring."""
        fill = "#ffffff" if hollow else _rgb(colour)
        self._parts.append(f'<circle cx="{position[0]:.1f}" cy="{position[1]:.1f}" r="{radius:g}" fill="{fill}" stroke="{_rgb(colour)}"/>')

    def box(self, corner, other, fill=None, outline=None) -> None:
        """Draw a rectangle between two corners."""
        (x, y), (to_x, to_y) = corner, other
        colours = " ".join(f'{name}="{_rgb(colour) if colour else "none"}"' for name, colour in (("fill", fill), ("stroke", outline)))
        self._parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{to_x - x:.1f}" height="{to_y - y:.1f}" {colours}/>')

    def svg(self, title: str) -> str:
        """The picture as an ``svg`` element that fills the width it is given; ``title`` is what is read out instead of it."""
        width, height = self._size
        opening = f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{escape(title)}" font-family="sans-serif">'
        return "\n".join([opening, *self._parts, "</svg>"])


def _rgb(colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
