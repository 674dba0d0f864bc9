"""The course of one training as two charts: losses by term, Dice by region."""

import numpy as np
from slicer.i18n import tr as _

from KDNetLib.labels import REGIONS
from KDNetTrainingPanelLib.chart import Chart, Line

#: Apart also for those who see red and green alike (Okabe and Ito); those of the pictures in the run folder.
_TERMS = {
    "loss": ((0.16, 0.16, 0.16), _("total")),
    "gt": ((0.0, 0.45, 0.70), _("GT")),
    "kd": ((0.90, 0.62, 0.0), _("KD")),
    "kl": ((0.80, 0.47, 0.65), _("KL")),
}
_REGION_COLOURS = {"ET": (0.84, 0.37, 0.0), "TC": (0.0, 0.45, 0.70), "WT": (0.0, 0.62, 0.45)}
_GREY = (0.45, 0.45, 0.45)


class Curves:
    """Two charts that follow one training at a time; ``losses`` and ``dice`` are their nodes."""

    def __init__(self):
        self._losses = Chart(_("KDNet losses"), _("loss"), logarithmic=True)
        self._dice = Chart(_("KDNet Dice"), _("Dice, validation cases"), yRange=(0.0, 1.0))
        self._shown = None

    @property
    def losses(self):
        """The chart node of the losses."""
        return self._losses.node

    @property
    def dice(self):
        """The chart node of the Dice."""
        return self._dice.node

    def show(self, run, key: str, other=None, otherKey: str | None = None) -> None:
        """Draw the training ``key`` of ``run``, beside it the training ``otherKey`` of another run.

        Does nothing where all is drawn already.
        """
        course, against = run.courses.get(key), other.courses.get(otherKey) if other else None
        if course is None or not course.epochs:
            return
        teacher = run.trainings.get(run.teacherOf(key))
        level = teacher.best_validation if teacher else {}
        mark = (
            run.folder, key, course.version, tuple(level.items()), self.losses, self.dice,
            other and other.folder, otherKey, against and against.version,
        )
        if mark == self._shown:
            return
        self._shown = mark
        self._losses.show(_("{training}: losses").format(training=key), {"course": _lossLines(course)})
        tables = {"course": _diceLines(course)}
        last = max(2, course.epochs[-1])
        if level:
            tables["teacher"] = _levelLines(level, last)
        best = run.trainings[key].best_epoch
        if best and tables["course"][1]:
            tables["best"] = ([best, best], {Line("best", _("best: epoch {epoch}").format(epoch=best), _GREY, "Dash", 1.0): [0.0, 1.0]})
        if against is not None and against.epochs:
            epochs, lines = _diceLines(against)
            named = _("{region}, {run}")
            tables["other"] = (
                epochs,
                {
                    Line(line.column, named.format(region=line.label, run=other.folder.name), line.colour, "Dash"): values
                    for line, values in lines.items()
                },
            )
        self._dice.show(_("{training}: Dice").format(training=key), tables)

    def removeNodes(self) -> None:
        """Take everything out of the scene."""
        self._losses.removeNodes()
        self._dice.removeNodes()
        self._shown = None


def _lossLines(course):
    lines = {}
    for part, style, label in (("train", "Solid", "{term}"), ("validation", "Dash", _("{term}, validation"))):
        for term, (colour, name) in _TERMS.items():
            values = course.columns.get((part, term))
            if values is not None:
                array = np.array(values)
                array[~(array > 0)] = np.nan  # a logarithmic axis cannot show them
                lines[Line(f"{part} {term}", label.format(term=name), colour, style)] = array
    return course.epochs, lines


def _diceLines(course):
    found = {region: course.columns.get(("validation", region)) for region in REGIONS}
    return course.epochs, {Line(region, region, _REGION_COLOURS[region]): values for region, values in found.items() if values is not None}


def _levelLines(level, last):
    return [1, last], {
        Line(f"{region} level", _("{region}, teacher").format(region=region), _REGION_COLOURS[region], "Dot"): [level[region]] * 2
        for region in REGIONS
    }
