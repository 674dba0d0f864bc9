"""Tables 1 and 2 in the paper's layout: which systems are in which row, and p-values corrected over the whole table."""

from dataclasses import dataclass

from KDNetLib.labels import REGIONS
from KDNetTrainingLib.evaluation.paper_tables import TABLE_1, TABLE_2
from KDNetTrainingLib.evaluation.results import SPACES
from KDNetTrainingLib.evaluation.statistics import holm
from KDNetTrainingLib.evaluation.summaries import Summary
from KDNetTrainingLib.plan import Training

#: The systems of the paper's study of skips and loss terms; with other skips or networks they continue it.
_ABLATION = {system for system, _ in TABLE_2}


@dataclass(frozen=True)
class Row:
    """One system: ``training`` is any of its trainings, ``summary`` None where none is scored; ``beyond`` the paper's rows or one of them."""

    training: Training
    summary: Summary | None
    beyond: bool


@dataclass(frozen=True)
class Table:
    """Table ``number`` of the paper.

    ``p``: space -> (label, region) -> p of the difference to the baseline after Holm's correction over all of this table
    in this space.
    """

    number: int
    rows: list[Row]
    p: dict[str, dict[tuple[str, str], float]]

    def compared(self, space: str) -> list[Row]:
        """The rows that have a difference to the baseline in ``space``."""
        return [row for row in self.rows if row.summary and space in row.summary.differences]


def tables_of(summaries: list[Summary]) -> list[Table]:
    """The paper's tables that ``summaries`` say something about: all of the paper's rows, then those beyond the paper.

    Table 2 has the systems of the ablation study, Table 1 every other one. Without scores that Table 1 does not hold,
    Table 2 is left out.
    """
    first = _table(1, TABLE_1, summaries, lambda system: system not in _ABLATION)
    second = _table(2, TABLE_2, summaries, lambda system: system in _ABLATION)
    shown = [{row.training.label for row in table.rows if row.summary} for table in (first, second)]
    return ([first] if shown[0] else []) + ([second] if shown[1] - shown[0] else [])


def _table(number: int, layout: list[tuple[str, int]], summaries: list[Summary], continues) -> Table:
    by_label = {summary.training.label: summary for summary in summaries}
    papers = [Training(system, 0, skips) for system, skips in layout]
    rows = [Row(training, by_label.get(training.label), False) for training in papers]
    known = {training.label for training in papers}
    rows += [Row(summary.training, summary, True) for label, summary in by_label.items() if label not in known and continues(summary.training.system)]
    return Table(number, rows, {space: _corrected(rows, space) for space in SPACES})


def _corrected(rows: list[Row], space: str) -> dict[tuple[str, str], float]:
    p = {}
    for row in rows:
        differences = row.summary.differences.get(space, {}) if row.summary else {}
        p |= {(row.training.label, region): differences[region].p for region in REGIONS if region in differences}
    return dict(zip(p, holm(list(p.values()))))
