"""The report of a run: the right figures in the right cells, and robust where the run is not finished."""

import csv
import itertools

import pytest

from KDNetTrainingLib.evaluation.report import write_report
from KDNetTrainingLib.evaluation.results import read_scores, scores_path, write_scores
from KDNetTrainingLib.evaluation.summaries import summarise
from KDNetTrainingLib.plan import Training
from KDNetTrainingLib.run.run_folder import RunFolder

SYSTEMS = ("gt+kl+kd", "teacher", "baseline", "gt+kl", "gt+kd")
#: Dice of the four cases of two folds, native; in the crop 0.1 more.
DICE = {
    "baseline": (0.50, 0.60, 0.70, 0.80), "teacher": (0.80, 0.81, 0.82, 0.83), "gt+kl": (0.50, 0.60, 0.70, 0.80),
    "gt+kd": (0.49, 0.58, 0.67, 0.76), "gt+kl+kd": (0.61, 0.62, 0.73, 0.84),
}


def scores_of(training, values, cases):
    rows = []
    for case, dice in zip(cases, values):
        for space, more in (("native", 0), ("crop", 0.1)):
            measured = {"dice": dice + more, "hd95": 2, "volume_ml": 3, "reference_ml": 4}
            numbers = {f"{region}_{ending}": number for region in ("ET", "TC", "WT") for ending, number in measured.items()}
            rows.append({"system": training.label, "fold": training.fold, "seed": 0, "case": case, "space": space, **numbers})
    return rows


def finish(run, training, values, cases, epochs=40):
    write_scores(scores_path(run.path, training), scores_of(training, values, cases))
    begin(run, training, epochs)


def begin(run, training, epochs=40, validation=2):
    run.event(kind="training", training=training.key, epochs=epochs, from_epoch=0, cases=8, validation=validation)


def cells(text, heading, first):
    """The cells of the table line that begins with ``first`` below ``heading``."""
    below = text[text.index(heading) :].splitlines()
    return [cell.strip() for cell in next(line for line in below if line.startswith(f"| {first} |")).strip("|").split("|")]


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path / "run")


@pytest.fixture
def folded(run):
    trainings = [Training(system, fold, 4) for fold in (1, 2) for system in SYSTEMS]
    for training in trainings:
        part = slice(0, 2) if training.fold == 1 else slice(2, 4)
        finish(run, training, DICE[training.system][part], ("a", "b", "c", "d")[part])
    write_report(run.path, trainings)
    return run, trainings


NATIVE, CROP, VERSUS = "# Dice on the scans' own grid", "# Dice on the network's own grid", "# Difference to the baseline on the scans' own grid"


def test_own_figures_stand_beside_the_papers(folded):
    run, _ = folded
    text = (run.path / "table.md").read_text(encoding="utf-8")
    # Fold means 55 and 75: mean 65, sd 20 / sqrt 2 = 14.14.
    assert cells(text, NATIVE, "Baseline") == ["Baseline", "4", "40", "4", *["65.00 ± 14.14"] * 3, "68.10 ± 1.27", "80.28 ± 2.44", "77.06 ± 1.47"]
    assert cells(text, CROP, "Baseline")[4] == "75.00 ± 14.14"
    assert cells(text, NATIVE, "GT+KL+KD")[-3:] == ["71.67 ± 1.22", "81.45 ± 1.25", "76.98 ± 1.54"]
    assert cells(text, NATIVE, "U-HVED, from the paper")[-3:] == ["65.50", "66.70", "62.40"]
    lines = [line for line in text[: text.index(CROP)].splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in lines[2:7]] == ["| Baseline", "| Teacher", "| GT+KL", "| GT+KD", "| GT+KL+KD"]
    assert "in 2 folds" in text and "Not finished" not in text


def test_differences_to_the_baseline(folded):
    run, _ = folded
    text = (run.path / "table.md").read_text(encoding="utf-8")
    # +11, +2, +3, +4: mean 5, all of four positive: p = 2 / 16, times 3 regions; the interval lies within the differences.
    student = cells(text, VERSUS, "GT+KL+KD")
    assert student[:3] == ["GT+KL+KD", "4", "4"] and student[3] == student[4] == student[5]
    assert student[3].startswith("+5.00 [+2.") and student[3].endswith("], p = 0.375")
    assert cells(text, VERSUS, "GT+KD")[3].startswith("-2.50 [-3.")
    assert cells(text, VERSUS, "GT+KL")[3] == "+0.00 [+0.00 to +0.00], p = 1.000"
    assert "| Baseline |" not in text[text.index(VERSUS) :]


def test_the_csv_is_plain_numbers(folded):
    run, _ = folded
    with open(run.path / "table.csv", newline="", encoding="utf-8") as file:
        lines = {(line["system"], line["space"], line["region"]): line for line in csv.DictReader(file)}
    assert len(lines) == 5 * 2 * 3
    line = lines["gt+kd", "native", "TC"]
    assert [line[key] for key in ("epochs", "folds", "cases", "dice", "paper_dice", "paper_dice_sd")] == ["40", "2", "4", "62.5", "80.54", "1.66"]
    assert (float(line["difference"]), float(line["p_holm"]), line["compared_cases"]) == (-2.5, 0.375, "4")
    assert float(line["difference_low"]) < -2.5 < float(line["difference_high"])
    assert [lines["baseline", "native", "ET"][key] for key in ("difference", "difference_low", "p_holm")] == ["", "", ""]


def test_results_hold_every_score(folded):
    run, trainings = folded
    rows = read_scores(run.path / "results.csv")
    assert len(rows) == 5 * 4 * 2
    assert {(row["system"], row["fold"]) for row in rows} == {(training.label, training.fold) for training in trainings}


def test_the_same_scores_give_the_same_files(folded):
    run, trainings = folded
    names = ("results.csv", "table.md", "table.csv")
    before = [(run.path / name).read_bytes() for name in names]
    write_report(run.path, trainings)
    assert [(run.path / name).read_bytes() for name in names] == before


def test_what_is_not_finished_is_named_and_the_rest_is_shown(run):
    trainings = [Training(system, fold, 4) for fold in (1, 2) for system in ("baseline", "gt+kd")]
    write_report(run.path, trainings)
    assert "There are no scores" in (run.path / "table.md").read_text(encoding="utf-8")
    finish(run, trainings[0], (0.5, 0.7), ("a", "b"))
    finish(run, trainings[1], (0.6, 0.9), ("a", "b"))
    finish(run, trainings[2], (0.4,), ("c",))
    begin(run, trainings[3])
    write_report(run.path, trainings)
    text = (run.path / "table.md").read_text(encoding="utf-8")
    assert "Not finished yet, so not in the tables:** fold-2/gt+kd." in text
    assert cells(text, NATIVE, "Baseline")[3:5] == ["3", "50.00 ± 14.14"]
    assert cells(text, NATIVE, "GT+KD")[3:5] == ["2", "75.00"]
    assert cells(text, VERSUS, "GT+KD")[2:4] == ["2", "+15.00 [+10.00 to +20.00], p = 1.000"]  # over the two shared cases; p = 2 / 4, times 3


def test_one_training_has_no_deviation_and_says_what_it_was_scored_on(run):
    trainings = [Training("teacher", 0, 4), Training("gt+kl+kd", 0, 4)]
    for training in trainings:
        finish(run, training, DICE[training.system], ("a", "b", "c", "d"))
    run.write("folds", {"test": ["a", "b", "c", "d"]})
    run.write("origin", {"data": "/d", "command": "kdnet train DATA RUN --epochs 40"})
    write_report(run.path, trainings)
    text = (run.path / "table.md").read_text(encoding="utf-8")
    assert cells(text, NATIVE, "GT+KL+KD")[4] == "70.00" and "Difference to the baseline" not in text
    assert "kept for testing" in text and "kdnet train DATA RUN --epochs 40" in text
    run.write("folds", {"test": []})
    write_report(run.path, trainings)
    assert "chose the epoch" in (run.path / "table.md").read_text(encoding="utf-8")


def test_without_any_case_to_measure_it_says_so(run):
    trainings = [Training("baseline", 0, 4)]
    run.write("folds", {"test": []})
    begin(run, trainings[0], validation=0)
    write_scores(scores_path(run.path, trainings[0]), [])
    write_report(run.path, trainings)
    text = (run.path / "table.md").read_text(encoding="utf-8")
    assert "nothing to score it on" in text and "also chose" not in text and "There are no scores" in text and "Not finished" not in text


def test_fewer_skips_are_compared_with_their_own_baseline_and_come_below(run):
    trainings = [Training(system, 0, skips) for skips in (0, 2, 4) for system in ("baseline", "gt+kd")]
    for training, dice in zip(trainings, itertools.count(1)):
        finish(run, training, (dice / 10, dice / 10), ("a", "b"))
    write_report(run.path, trainings)
    rows = read_scores(run.path / "results.csv")
    summaries = summarise(rows, trainings)
    assert [(summary.training.system, summary.training.skips) for summary in summaries] == [
        (system, skips) for skips in (4, 2, 0) for system in ("baseline", "gt+kd")
    ]
    assert [round(summary.differences["native"]["ET"].mean, 4) for summary in summaries if summary.differences] == [10, 10, 10]
    text = (run.path / "table.md").read_text(encoding="utf-8")
    (papers,) = [line for line in text[: text.index(CROP)].splitlines() if line.startswith("| GT+KD | 0 |")]
    assert "44.80 ± 1.10" in papers
    (unpublished,) = [line for line in text[: text.index(CROP)].splitlines() if line.startswith("| GT+KD | 2 |")]
    assert unpublished.endswith("| – | – | – |")
