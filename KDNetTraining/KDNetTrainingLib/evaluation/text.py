"""How figures and names are written in the tables of a run."""

import csv
import io

from KDNetTrainingLib.plan import Training
from KDNetTrainingLib.systems.registry import SYSTEMS


def name_of(training: Training) -> str:
    """The paper's name of its system, with what its label says of skips and network."""
    said = training.label.removeprefix(training.system).replace("skips", " skips").replace("-", ", ")
    return SYSTEMS[training.system].title + said


def figure(dice: tuple[float, float | None] | None) -> str:
    """Mean ± sd as the paper writes it; a dash where there is none."""
    if dice is None:
        return "–"
    mean, deviation = dice
    return f"{mean:.2f}" if deviation is None else f"{mean:.2f} ± {deviation:.2f}"


def markdown_table(header: list[str], lines: list[list]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in (header, ["---"] * len(header), *lines))


def csv_text(header: list[str], lines: list[list]) -> str:
    """The same as CSV: numbers with six significant digits, None as nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([f"{cell:.6g}" if isinstance(cell, float) else "" if cell is None else cell for cell in line] for line in lines)
    return text.getvalue()
