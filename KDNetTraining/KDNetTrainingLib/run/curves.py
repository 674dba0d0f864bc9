"""The course of one training as a picture: losses by term above, Dice by region below, the best epoch marked."""

import math
from pathlib import Path

from KDNetLib.labels import REGIONS
from KDNetTrainingLib.run.canvas import FAINT, INK, Canvas

_WIDTH, _PANEL, _LEFT, _RIGHT, _TOP, _BOTTOM = 960, 300, 80, 210, 44, 46
#: Dark enough for a white ground and apart for those who see red and green alike (Okabe and Ito).
_TERM_COLOURS = {"loss": INK, "gt": (0, 114, 178), "kd": (230, 159, 0), "kl": (204, 121, 167)}
_TERM_NAMES = {"loss": "total (minimised)", "gt": "reference (GT)", "kd": "soft labels (KD)", "kl": "bottleneck (KL)"}
REGION_COLOURS = {"ET": (213, 94, 0), "TC": (0, 114, 178), "WT": (0, 158, 115)}
_REGION_NAMES = {"ET": "enhancing tumour", "TC": "tumour core", "WT": "whole tumour"}
#: So few epochs are shown as dots too: a line through one point is invisible.
_FEW = 30


def draw_curves(path: Path, events: list[dict], teacher_level: dict[str, float] | None = None) -> None:
    """Draw the training that ``events`` tell of as the PNG ``path``; nothing where no epoch has ended.

    Args:
        events: its events in order; of an epoch that was trained twice (after a kill) the later one counts.
        teacher_level: Dice (0 to 1) by region that its teacher reached, drawn as levels to compare with.
    """
    canvas = curves_on(Canvas, events, teacher_level)
    if canvas:
        canvas.save(path)


def curves_on(new_canvas: type, events: list[dict], teacher_level: dict[str, float] | None = None):
    """The same on a canvas of another kind: ``new_canvas`` is :class:`Canvas` or what has its methods; None where no epoch has ended."""
    epochs = {event["epoch"]: event for event in events if event["kind"] == "epoch"}
    if not epochs:
        return None
    found = [epochs[number] for number in sorted(epochs)]
    measured = [event for event in found if event["validation"]]
    best = max((event["epoch"] for event in measured if event["best"]), default=None)
    height = _TOP + _PANEL + _BOTTOM
    canvas = new_canvas(_WIDTH, 30 + height * (2 if measured else 1))
    canvas.text((_LEFT, 22), found[-1]["training"], 18)
    _draw_losses(canvas, 30, found, measured, best)
    if measured:
        _draw_dice(canvas, 30 + height, measured, found[-1]["epoch"], best, teacher_level or {})
    return canvas


class _Panel:
    """One coordinate system: epochs to the right from the first to ``last``, values between ``low`` and ``high``."""

    def __init__(self, canvas: Canvas, top: float, last: int, low: float, high: float, logarithmic: bool):
        self._canvas, self._top, self._last, self._logarithmic = canvas, top + _TOP, last, logarithmic
        self._low, self._high = self._scaled(low), self._scaled(high)
        self._legend_y = self._top + 8

    def frame(self, title: str, ticks: list[float]) -> None:
        """Draw axes, grid lines at ``ticks`` and at round epochs, and their labels."""
        canvas, bottom, right = self._canvas, self._top + _PANEL, _WIDTH - _RIGHT
        for tick in ticks:
            y = self._at(1, tick)[1]
            canvas.line([(_LEFT, y), (right, y)], FAINT)
            canvas.text((_LEFT - 8, y), f"{tick:g}", 13, anchor="rm")
        for epoch in epoch_ticks(self._last):
            x = self._at(epoch, 1)[0]
            canvas.line([(x, bottom), (x, bottom + 5)])
            canvas.text((x, bottom + 15), str(epoch), 13, anchor="mm")
        canvas.line([(_LEFT, self._top), (_LEFT, bottom), (right, bottom)])
        canvas.text(((_LEFT + right) / 2, bottom + 34), "epoch", 13, anchor="mm")
        canvas.text((20, self._top + _PANEL / 2), title, 13, turned=True)

    def curve(self, points: list[tuple[int, float]], colour, dashed: bool = False) -> None:
        """Draw values over epochs; those that a logarithmic axis cannot show are left out."""
        places = [self._at(epoch, value) for epoch, value in points if math.isfinite(value) and (value > 0 or not self._logarithmic)]
        if len(places) > 1:
            self._canvas.line(places, colour, 1.6, dashed)
        if len(points) <= _FEW:
            for place in places:
                self._canvas.dot(place, 2.5, colour, hollow=dashed)

    def level(self, value: float, colour) -> None:
        """Draw a dashed line across at ``value``."""
        self._canvas.line([self._at(1, value), (_WIDTH - _RIGHT, self._at(1, value)[1])], colour, 1, dashed=True)

    def mark(self, epoch: int, text: str) -> None:
        """Draw a line upwards at ``epoch`` with ``text`` over it."""
        x = self._at(epoch, 1)[0]
        self._canvas.line([(x, self._top), (x, self._top + _PANEL)], (120, 120, 120), 1)
        self._canvas.text((x, self._top - 9), text, 13, anchor="mm")

    def legend(self, text: str, colour, dashed: bool = False) -> None:
        """Add one line to the legend at the right."""
        x = _WIDTH - _RIGHT + 16
        self._canvas.line([(x, self._legend_y), (x + 26, self._legend_y)], colour, 2, dashed)
        self._canvas.text((x + 34, self._legend_y), text, 13)
        self._legend_y += 22

    def _at(self, epoch: int, value: float) -> tuple[float, float]:
        # The first and the last epoch keep a little way from the frame, and a single one stands in the middle.
        share = (epoch - 1) / (self._last - 1) if self._last > 1 else 0.5
        x = _LEFT + 8 + share * (_WIDTH - _RIGHT - _LEFT - 16)
        return x, self._top + _PANEL * (1 - (self._scaled(value) - self._low) / (self._high - self._low))

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self._logarithmic else value


def _draw_losses(canvas: Canvas, top: float, found: list[dict], measured: list[dict], best: int | None) -> None:
    terms = [term for term in _TERM_NAMES if any(term in event["train"] for event in found)]
    values = [value for event in found for part in ("train", "validation") for term in terms
              if (value := event[part].get(term, 0)) > 0 and math.isfinite(value)] or [1.0]
    low, high = min(values) / 1.1, max(values) * 1.1
    panel = _Panel(canvas, top, found[-1]["epoch"], low, high, logarithmic=True)
    panel.frame("loss (logarithmic)", loss_ticks(low, high))
    if best:
        panel.mark(best, f"best: epoch {best}")
    for term in reversed(terms):  # the total last, over the others
        panel.curve([(event["epoch"], event["train"][term]) for event in found if term in event["train"]], _TERM_COLOURS[term])
        validated = [(event["epoch"], event["validation"][term]) for event in measured if term in event["validation"]]
        panel.curve(validated, _TERM_COLOURS[term], dashed=True)
    for term in terms:
        panel.legend(_TERM_NAMES[term], _TERM_COLOURS[term])
    panel.legend("training", (120, 120, 120))
    if measured:
        panel.legend("validation", (120, 120, 120), dashed=True)


def _draw_dice(canvas: Canvas, top: float, measured: list[dict], last: int, best: int | None, teacher: dict[str, float]) -> None:
    panel = _Panel(canvas, top, last, 0.0, 1.0, logarithmic=False)
    panel.frame("Dice, validation cases", [0, 0.2, 0.4, 0.6, 0.8, 1])
    if best:
        panel.mark(best, f"best: epoch {best}")
    for region in REGIONS:
        colour = REGION_COLOURS[region]
        if region in teacher:
            panel.level(teacher[region], colour)
        panel.curve([(event["epoch"], event["validation"][region]) for event in measured], colour)
        panel.legend(f"{region}, {_REGION_NAMES[region]}", colour)
    if teacher:
        panel.legend("the teacher's best", (120, 120, 120), dashed=True)


def loss_ticks(low: float, high: float) -> list[float]:
    """Round numbers from ``low`` to ``high`` for a logarithmic axis: 1, 2 and 5 times powers of ten, or the powers alone."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(powers) <= 4 else (1,)
    ticks = [factor * 10.0**power for power in powers for factor in factors]
    inside = [tick for tick in ticks if low <= tick <= high]
    if len(inside) >= 2:
        return inside
    step = 10.0 ** math.floor(math.log10(high - low))  # a narrow range: evenly spaced numbers instead
    step = step if (high - low) / step >= 3 else step / 5
    return [round(number * step, 12) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def epoch_ticks(last: int) -> list[int]:
    """The first epoch and then about eight round ones up to ``last``."""
    step = next(factor * 10**power for power in range(9) for factor in (1, 2, 5) if last / (factor * 10**power) <= 10)
    return sorted({1, *range(step, last + 1, step)}) if step > 1 else list(range(1, last + 1))
