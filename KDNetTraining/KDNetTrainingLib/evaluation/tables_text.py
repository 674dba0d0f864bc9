"""Tables 1 and 2 as Markdown and as CSV: the paper's figures beside ours, on both grids, and the differences to the baseline."""

from KDNetLib.labels import REGIONS
from KDNetTrainingLib.evaluation.paper_tables import PUBLISHED
from KDNetTrainingLib.evaluation.results import SPACES
from KDNetTrainingLib.evaluation.summaries import Difference
from KDNetTrainingLib.evaluation.tables import Row, Table
from KDNetTrainingLib.evaluation.text import csv_text, figure, markdown_table, name_of
from KDNetTrainingLib.plan import Training
from KDNetTrainingLib.systems.registry import SYSTEMS

SPACE_TITLES = {"native": "on the scans' own grid, as `kdnet segment` gives it", "crop": "on the network's own grid"}
_TITLES = {1: "Table 1: the models compared", 2: "Table 2: loss terms, with and without skip connections"}
_NOTES = {
    1: "Rows as in the paper, whose figures of U-HVED and HeMIS are those of Dorent et al. (MICCAI 2019, another resolution); further systems below.",
    2: "Rows as in the paper; other numbers of skips and other networks below.",
}
_FACTS = ("system", "model", "loss", "skips", "network", "in_paper", "epochs", "folds", "seeds", "cases")
_DICE = ("dice", "dice_sd")
_VERSUS = ("compared_cases", "difference", "difference_low", "difference_high", "p_wilcoxon", "p_holm")


def table_markdown(table: Table, epochs: dict[str, int], modalities: int) -> str:
    """``epochs`` by label, as far as known; ``modalities`` is how many the teacher sees."""
    parts = [f"# {_TITLES[table.number]}", _NOTES[table.number]]
    parts += [_dice_table(table, epochs, modalities, space) for space in SPACES]
    parts += [_difference_table(table, modalities, space) for space in SPACES if table.compared(space)]
    return "\n\n".join(parts)


def table_csv(table: Table, epochs: dict[str, int], modalities: int) -> str:
    """One line per row of the table: what the system is, then figures by space and region, and the paper's.

    Plain numbers, also negative ones, which ``csv_report`` would guard as formulas.
    """
    header = [*_FACTS, *(f"{region}_{name}_paper" for region in REGIONS for name in _DICE)]
    header += [f"{space}_{region}_{name}" for space in SPACES for region in REGIONS for name in (*_DICE, *_VERSUS)]
    lines = []
    for row in table.rows:
        training, summary, label = row.training, row.summary, row.training.label
        counts = [summary.folds, summary.seeds, summary.cases] if summary else [None] * 3
        facts = [label, _model(table, row, modalities), _loss(training), _skips(training), training.network, "no" if row.beyond else "yes"]
        numbers = [number for region in REGIONS for number in PUBLISHED.get(label, {}).get(region, (None, None))]
        for space in SPACES:
            for region in REGIONS:
                numbers += summary.dice[space][region] if summary else [None] * len(_DICE)
                versus = summary.differences.get(space, {}).get(region) if summary else None
                corrected = table.p[space].get((label, region))
                numbers += [versus.cases, versus.mean, versus.low, versus.high, versus.p, corrected] if versus else [None] * len(_VERSUS)
        lines.append([*facts, epochs.get(label) if summary else None, *counts, *numbers])
    return csv_text(header, lines)


def _dice_table(table: Table, epochs: dict[str, int], modalities: int, space: str) -> str:
    header = [*_columns(table), "Epochs", "Cases", *REGIONS, *(f"{region}, paper" for region in REGIONS)]
    lines = []
    for row, names in _named(table.rows, table, modalities):
        summary, paper = row.summary, PUBLISHED.get(row.training.label, {})
        own = summary.dice[space] if summary else {}
        facts = [epochs.get(row.training.label, "–"), summary.cases] if summary else ["–", "–"]
        lines.append([*names, *facts, *(figure(figures.get(region)) for figures in (own, paper) for region in REGIONS)])
    return f"## Dice {SPACE_TITLES[space]}\n\n" + markdown_table(header, _divided(table.rows, lines))


def _difference_table(table: Table, modalities: int, space: str) -> str:
    rows = table.compared(space)
    lines = []
    for row, names in _named(rows, table, modalities):
        differences, label = row.summary.differences[space], row.training.label
        cells = [_difference(differences[region], table.p[space][label, region]) for region in REGIONS]
        lines.append([*names, differences["WT"].cases, *cells])
    comparisons = len(table.p[space])
    return (
        f"## Difference to the baseline {SPACE_TITLES[space]}\n\n"
        "Per case, in percentage points, to the baseline with the same skips and network: mean [95 % bootstrap interval], two-sided p of\n"
        f"Wilcoxon's signed-rank test, paired by case, after Holm's correction over the {comparisons} comparisons of this table\n"
        f"({len(rows)} {'system' if len(rows) == 1 else 'systems'} × {len(REGIONS)} regions).\n\n"
        + markdown_table([*_columns(table), "Cases", *REGIONS], _divided(rows, lines))
    )


def _columns(table: Table) -> list[str]:
    return ["Model"] if table.number == 1 else ["Skip", "Model", "Loss"]


def _named(rows: list[Row], table: Table, modalities: int) -> list[tuple[Row, list[str]]]:
    """Every row with its first cells, those of :func:`_columns`."""
    if table.number == 1:
        return [(row, [_model(table, row, modalities)]) for row in rows]
    return [(row, [str(row.training.skips), _model(table, row, modalities), _loss(row.training)]) for row in rows]


def _divided(rows: list[Row], lines: list[list]) -> list[list]:
    """``lines`` of ``rows`` with one between the paper's and those beyond it."""
    beyond = sum(row.beyond for row in rows)
    if not beyond:
        return lines
    return [*lines[:-beyond], ["**Further**", *[""] * (len(lines[0]) - 1)], *lines[-beyond:]]


def _model(table: Table, row: Row, modalities: int) -> str:
    system = row.training.system
    if table.number == 2:
        name = "KD-Net" if system.startswith("gt+") else SYSTEMS[system].title
        return name if row.training.network == "plain" else f"{name}, {row.training.network}"
    if system == "teacher":
        return f"Teacher ({modalities} modalities)"
    return "Ours (KD-Net)" if system == "gt+kl+kd" else name_of(row.training)


def _loss(training: Training) -> str:
    """As the paper names it; empty for systems that are none of the paper's ablation study."""
    if training.system.startswith("gt+"):
        return SYSTEMS[training.system].title
    return "GT" if training.system in ("baseline", "teacher") else ""


def _skips(training: Training) -> int | None:
    return training.skips if SYSTEMS[training.system].takes_skips else None


def _difference(versus: Difference, p: float) -> str:
    told = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    return f"{versus.mean:+.2f} [{versus.low:+.2f} to {versus.high:+.2f}], {told}"
