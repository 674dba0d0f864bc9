"""The outcome of a run: results.csv (every score), table.md (systems beside the paper's) and table.csv (the same, for programs)."""

import csv
import io
from pathlib import Path

from KDNetLib.atomic_file import replacing
from KDNetLib.labels import REGIONS
from KDNetTrainingLib.evaluation.paper_tables import COMPARATORS, PUBLISHED
from KDNetTrainingLib.evaluation.results import SPACES, collect, scores_path, write_scores
from KDNetTrainingLib.evaluation.summaries import Difference, Summary, summarise
from KDNetTrainingLib.plan import Training
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.systems.registry import SYSTEMS

_SPACE_TITLES = {"native": "on the scans' own grid, as `kdnet segment` gives it", "crop": "on the network's own grid"}
_COLUMNS = (
    "system", "skips", "epochs", "folds", "cases", "space", "region", "dice", "dice_sd", "paper_dice", "paper_dice_sd",
    "compared_cases", "difference", "difference_low", "difference_high", "p_holm",
)


def write_report(run_path: Path, trainings: list[Training]) -> None:
    """Write results.csv, table.md and table.csv of the run in ``run_path``, from the ``trainings`` finished so far.

    Raises InputError where scores or the run's facts cannot be read, OSError where nothing can be written.
    """
    run = RunFolder(run_path)
    rows = collect(run.path, trainings)
    write_scores(run.path / "results.csv", rows)
    begun = {event["training"]: event for event in run.events() if event["kind"] == "training"}
    summaries = summarise(rows, trainings)
    epochs = {training.label: begun[training.key]["epochs"] for training in trainings if training.key in begun}
    with replacing(run.path / "table.csv") as partial:
        partial.write_text(_as_csv(summaries, epochs), encoding="utf-8")
    with replacing(run.path / "table.md") as partial:
        partial.write_text(_as_markdown(run, trainings, summaries, epochs, begun), encoding="utf-8")


def _as_csv(summaries: list[Summary], epochs: dict[str, int]) -> str:
    """``epochs`` of each system by its label, as far as one of its trainings has begun. One line per system, space and region. Plain numbers, also negative ones, which ``csv_report`` would guard as formulas."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for summary in summaries:
        label = summary.training.label
        facts = [label, summary.training.skips, epochs.get(label, ""), summary.folds, summary.cases]
        for space in SPACES:
            for region in REGIONS:
                numbers = [*summary.dice[space][region], *PUBLISHED.get(label, {}).get(region, (None, None))]
                versus = summary.differences.get(space, {}).get(region)
                numbers += [versus.cases, versus.mean, versus.low, versus.high, versus.p] if versus else [None] * 5
                writer.writerow([*facts, space, region, *("" if number is None else f"{number:.6g}" for number in numbers)])
    return text.getvalue()


def _as_markdown(run: RunFolder, trainings: list[Training], summaries: list[Summary], epochs: dict[str, int], begun: dict[str, dict]) -> str:
    parts = [_introduction(run, trainings, begun)]
    if summaries:
        parts += [_dice_table(summaries, epochs, space) for space in SPACES]
        parts += [_difference_table(summaries, space) for space in SPACES if any(space in summary.differences for summary in summaries)]
    else:
        parts.append("There are no scores: no training is finished, or no case was kept to score it on.")
    return "\n\n".join(parts) + "\n"


def _introduction(run: RunFolder, trainings: list[Training], begun: dict[str, dict]) -> str:
    """What the figures are; ``begun`` is the event of kind "training" of every training that has begun, by its key."""
    lines = ["Dice in per cent (a region empty in one: 0, in both: 100). For research use only."]
    folds = {training.fold for training in trainings if training.fold}
    if folds:
        lines.append(f"Cross-validation in {len(folds)} folds, every case tested once: mean of the folds' means ± their standard deviation.")
    elif (run.read("folds") or {}).get("test"):
        lines.append("One training, scored on the cases that were kept for testing: the mean over them, so without a deviation over folds.")
    elif begun and not any(event["validation"] for event in begun.values()):
        lines.append("One training without test cases and without cases that choose the epoch (its last one counts), so there is nothing to score it on.")
    else:
        lines.append("One training without test cases, scored on the cases that also chose the epoch: too good for what it would reach on others.")
    lines.append("The paper's figures: Hu et al., MICCAI 2020, BraTS 2018, 500 epochs, 3 folds; it does not say on which grid.")
    waiting = [training.key for training in trainings if not scores_path(run.path, training).exists()]
    if waiting:
        lines.append(f"**Not finished yet, so not in the tables:** {', '.join(waiting)}.")
    command = (run.read("origin") or {}).get("command")
    return "\n".join(lines) + (f"\n\nMade by:\n\n    {command}" if command else "")


def _dice_table(summaries: list[Summary], epochs: dict[str, int], space: str) -> str:
    header = ["System", "Skips", "Epochs", "Cases", *REGIONS, *(f"{region}, paper" for region in REGIONS)]
    lines = []
    for summary in summaries:
        training, dice, paper = summary.training, summary.dice[space], PUBLISHED.get(summary.training.label, {})
        figures = [_figure(figures.get(region)) for figures in (dice, paper) for region in REGIONS]
        lines.append([_name(training), training.skips, epochs.get(training.label, "–"), summary.cases, *figures])
    for name, paper in COMPARATORS.items():
        lines.append([f"{name}, from the paper", *["–"] * (3 + len(REGIONS)), *(_figure(paper[region]) for region in REGIONS)])
    return f"# Dice {_SPACE_TITLES[space]}\n\n" + _table(header, lines)


def _difference_table(summaries: list[Summary], space: str) -> str:
    lines = []
    for summary in summaries:
        differences = summary.differences.get(space)
        if differences:
            cells = [_difference(differences[region]) for region in REGIONS]
            lines.append([_name(summary.training), summary.training.skips, differences["WT"].cases, *cells])
    return (
        f"# Difference to the baseline {_SPACE_TITLES[space]}\n\n"
        "Per case, in percentage points: mean [95 % bootstrap interval], p of Wilcoxon's signed-rank test after Holm's correction\n"
        "over the three regions.\n\n" + _table(["System", "Skips", "Cases", *REGIONS], lines)
    )


def _table(header: list[str], lines: list[list]) -> str:
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in (header, ["---"] * len(header), *lines))


def _name(training: Training) -> str:
    return training.system.upper() if SYSTEMS[training.system].taught else training.system.capitalize()


def _figure(dice: tuple[float, float | None] | None) -> str:
    if dice is None:
        return "–"
    mean, deviation = dice
    return f"{mean:.2f}" if deviation is None else f"{mean:.2f} ± {deviation:.2f}"


def _difference(versus: Difference) -> str:
    p = "p < 0.001" if versus.p < 0.001 else f"p = {versus.p:.3f}"
    return f"{versus.mean:+.2f} [{versus.low:+.2f} to {versus.high:+.2f}], {p}"
