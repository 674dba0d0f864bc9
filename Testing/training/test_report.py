"""The report of a run: the right figures in the right cells, and robust where the run is not finished."""

import csv
from dataclasses import replace

import pytest

from KDNetTrainingLib.evaluation.report import write_report
from KDNetTrainingLib.evaluation.results import read_scores, scores_path, subsets_path, write_scores, write_subset_scores
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import Settings

REGIONS = ("ET", "TC", "WT")
SYSTEMS = ("gt+kl+kd", "teacher", "baseline", "gt+kl", "gt+kd")
#: Dice of the four cases of two folds, native; in the crop 0.1 more.
DICE = {
    "baseline": (0.50, 0.60, 0.70, 0.80), "teacher": (0.80, 0.81, 0.82, 0.83), "gt+kl": (0.50, 0.60, 0.70, 0.80),
    "gt+kd": (0.49, 0.58, 0.67, 0.76), "gt+kl+kd": (0.61, 0.62, 0.73, 0.84), "hemis": (0.30, 0.41, 0.52, 0.63),
    "protokd-0skips": (0.40, 0.50, 0.60, 0.70),
}


def plan_of(*systems, folds=2, seeds=()):
    return Plan(systems, replace(Settings(), folds=folds), "kdnet experiment DATA RUN", seeds)


def scores_of(training, values, cases, seed=0):
    rows = []
    for case, dice in zip(cases, values):
        for space, more in (("native", 0), ("crop", 0.1)):
            measured = {"dice": dice + more, "hd95": 2, "volume_ml": 3, "reference_ml": 4}
            numbers = {f"{region}_{ending}": number for region in REGIONS for ending, number in measured.items()}
            rows.append({"system": training.label, "fold": training.fold, "seed": seed, "case": case, "space": space, **numbers})
    return rows


def begin(run, training, epochs=40, validation=2):
    run.event(kind="training", training=training.key, epochs=epochs, from_epoch=0, cases=8, validation=validation)


def finish(run, training, values, cases, seed=0):
    write_scores(scores_path(run.path, training), scores_of(training, values, cases, seed))
    begin(run, training)


def finish_folds(run, plan):
    for training in plan.trainings():
        part = slice(0, 2) if training.fold == 1 else slice(2, 4)
        finish(run, training, DICE[training.label][part], ("a", "b", "c", "d")[part])


def table_of(run):
    return (run.path / "table.md").read_text(encoding="utf-8")


def cells(text, table, heading, *first):
    """The cells of the line that begins with ``first`` below ``heading`` in the part of ``table``."""
    below = text[text.index(f"# {table}") :]
    lines = below[below.index(heading) :].splitlines()
    return [cell.strip() for cell in next(line for line in lines if line.startswith(f"| {' | '.join(first)} |")).strip("|").split("|")]


def csv_lines(run, name):
    with open(run.path / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


NATIVE, CROP, VERSUS = "## Dice on the scans' own grid", "## Dice on the network's own grid", "## Difference to the baseline on the scans' own grid"


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path / "run")


@pytest.fixture
def folded(run):
    plan = plan_of(*SYSTEMS)
    finish_folds(run, plan)
    write_report(run, plan)
    return run, plan


def test_own_figures_stand_beside_the_papers(folded):
    run, _ = folded
    text = table_of(run)
    # Fold means 55 and 75: mean 65, sd 20 / sqrt 2 = 14.14.
    own, papers = ["40", "4", *["65.00 ± 14.14"] * 3], ["68.10 ± 1.27", "80.28 ± 2.44", "77.06 ± 1.47"]
    assert cells(text, "Table 1", NATIVE, "Baseline") == ["Baseline", *own, *papers]
    assert cells(text, "Table 2", NATIVE, "4", "Baseline") == ["4", "Baseline", "GT", *own, *papers]
    assert cells(text, "Table 1", CROP, "Baseline")[3] == "75.00 ± 14.14"
    assert cells(text, "Table 2", NATIVE, "4", "KD-Net", "GT+KL+KD")[-3:] == ["71.67 ± 1.22", "81.45 ± 1.25", "76.98 ± 1.54"]
    assert "in 2 folds" in text and "Not finished" not in text and "**Further**" not in text


def test_both_tables_have_the_papers_rows_in_its_order(folded):
    run, _ = folded
    text = table_of(run)
    first, second = (text[text.index(f"# Table {number}") :] for number in (1, 2))
    named = [line.split(" | ")[0].strip("| ") for line in first[: first.index(CROP)].splitlines() if line.startswith("| ")][2:]
    assert named == ["Baseline", "Teacher (4 modalities)", "U-HVED", "HeMIS", "Ours (KD-Net)"]
    named = [tuple(line.strip("| ").split(" | ")[:3]) for line in second[: second.index(CROP)].splitlines() if line.startswith("| ")][2:]
    models = [("Baseline", "GT"), ("Teacher", "GT"), ("KD-Net", "GT+KL"), ("KD-Net", "GT+KD"), ("KD-Net", "GT+KL+KD")]
    assert named == [(skips, *model) for skips in "40" for model in models]
    # What was not trained here has the paper's figures alone.
    assert cells(text, "Table 1", NATIVE, "U-HVED")[1:] == [*["–"] * 5, "65.50", "66.70", "62.40"]
    assert cells(text, "Table 2", NATIVE, "0", "Teacher")[3:] == [*["–"] * 5, "42.59 ± 2.54", "69.79 ± 1.63", "75.93 ± 0.33"]


def test_holm_is_over_systems_and_regions_of_a_table(folded):
    run, _ = folded
    text = table_of(run)
    # Differences +11, +2, +3, +4: mean 5; all four of one sign: p = 2 / 16. Teacher: +30, +21, +12, +3: the same p.
    # Table 1 compares two systems in three regions: 6 × 0.125 = 0.75; Table 2 four systems: 12 × 0.125 > 1.
    student = cells(text, "Table 1", VERSUS, "Ours (KD-Net)")
    assert student[1] == "4" and student[2] == student[3] == student[4]
    assert student[2].startswith("+5.00 [+2.") and student[2].endswith("], p = 0.750")
    assert cells(text, "Table 1", VERSUS, "Teacher (4 modalities)")[2].endswith(", p = 0.750")
    assert cells(text, "Table 2", VERSUS, "4", "KD-Net", "GT+KL+KD")[4].endswith(", p = 1.000")
    assert "6 comparisons of this table\n(2 systems × 3 regions)" in text and "12 comparisons of this table\n(4 systems × 3 regions)" in text
    assert cells(text, "Table 2", VERSUS, "4", "KD-Net", "GT+KD")[4].startswith("-2.50 [-3.")
    assert cells(text, "Table 2", VERSUS, "4", "KD-Net", "GT+KL")[4] == "+0.00 [+0.00 to +0.00], p = 1.000"
    assert "| Baseline |" not in text[text.rindex(VERSUS) : text.index("# Cost")]


def test_the_csv_is_plain_numbers(folded):
    run, _ = folded
    lines = {line["system"]: line for line in csv_lines(run, "table2.csv")}
    assert list(lines)[:2] == ["baseline", "teacher"] and len(lines) == 10
    line = lines["gt+kd"]
    assert [line[key] for key in ("model", "loss", "skips", "network", "in_paper")] == ["KD-Net", "GT+KD", "4", "plain", "yes"]
    assert [line[key] for key in ("epochs", "folds", "seeds", "cases", "native_TC_dice", "TC_dice_paper", "TC_dice_sd_paper")] == [
        "40", "2", "1", "4", "62.5", "80.54", "1.66",
    ]  # fmt: skip
    assert (float(line["native_TC_difference"]), float(line["native_TC_p_wilcoxon"]), line["native_TC_compared_cases"]) == (-2.5, 0.125, "4")
    assert (line["crop_WT_dice"], line["native_TC_p_holm"]) == ("72.5", "1")
    assert float(line["native_TC_difference_low"]) < -2.5 < float(line["native_TC_difference_high"])
    assert [lines["baseline"][f"native_ET_{key}"] for key in ("difference", "difference_low", "p_holm")] == ["", "", ""]
    assert (lines["baseline-0skips"]["native_ET_dice"], lines["baseline-0skips"]["ET_dice_paper"]) == ("", "42.95")
    assert [float(line["native_ET_p_holm"]) for line in csv_lines(run, "table1.csv") if line["system"] == "gt+kl+kd"] == [0.75]


def test_results_hold_every_score(folded):
    run, plan = folded
    rows = read_scores(run.path / "results.csv")
    assert len(rows) == 5 * 4 * 2
    assert {(row["system"], row["fold"]) for row in rows} == {(training.label, training.fold) for training in plan.trainings()}


def test_the_same_scores_give_the_same_files(folded):
    run, plan = folded
    names = ("results.csv", "table.md", "table1.csv", "table2.csv", "table-cost.csv", "boxplots.png", "scatter.png")
    before = [(run.path / name).read_bytes() for name in names]
    write_report(run, plan)
    assert [(run.path / name).read_bytes() for name in names] == before


def test_further_systems_come_below_the_papers_rows_and_are_corrected_with_them(run):
    plan = plan_of("baseline", "hemis", "protokd-0skips", "baseline-0skips", "gt+kd-residual", "baseline-residual", folds=0)
    for training in plan.trainings():
        values = DICE.get(training.label, (0.55, 0.66, 0.72, 0.89))
        finish(run, training, values, ("a", "b", "c", "d"))
    write_report(run, plan)
    text = table_of(run)
    first = text[text.index("# Table 1") : text.index("# Table 2")]
    # Beside HeMIS (paper's row) ProtoKD with 0 skips, against the baseline with 0 skips: 2 systems × 3 regions.
    assert "(2 systems × 3 regions)" in first
    assert first.index("| HeMIS") < first.index("| Ours (KD-Net)") < first.index("**Further**") < first.index("| ProtoKD, 0 skips |")
    assert cells(text, "Table 1", VERSUS, "ProtoKD, 0 skips")[2].startswith("-15.50 [")  # 40, 50, 60, 70 against 55, 66, 72, 89
    assert cells(text, "Table 1", VERSUS, "HeMIS")[2].startswith("-18.50 [")  # against 50, 60, 70, 80
    assert cells(text, "Table 2", NATIVE, "4", "KD-Net, residual", "GT+KD")[5] == "70.50"
    assert cells(text, "Table 2", VERSUS, "4", "KD-Net, residual", "GT+KD")[4] == "+0.00 [+0.00 to +0.00], p = 1.000"  # to its own baseline
    assert [line["in_paper"] for line in csv_lines(run, "table1.csv")] == [*["yes"] * 5, "no"]


def test_table_2_is_left_out_where_table_1_says_all(run):
    plan = plan_of("gt+kl+kd", folds=0)
    for training in plan.trainings():
        finish(run, training, DICE[training.label], ("a", "b", "c", "d"))
    write_report(run, plan)
    assert "# Table 1" in table_of(run) and "# Table 2" not in table_of(run) and not (run.path / "table2.csv").exists()


def test_what_is_not_finished_is_named_and_the_rest_is_shown(run):
    plan = plan_of("baseline", "gt+kl+kd")
    of_key = {training.key: training for training in plan.trainings()}
    write_report(run, plan)
    assert "There are no scores" in table_of(run)
    finish(run, of_key["fold-1/baseline"], (0.5, 0.7), ("a", "b"))
    finish(run, of_key["fold-1/gt+kl+kd"], (0.6, 0.9), ("a", "b"))
    finish(run, of_key["fold-2/baseline"], (0.4,), ("c",))
    begin(run, of_key["fold-2/gt+kl+kd"])
    write_report(run, plan)
    text = table_of(run)
    assert "Not finished yet, so not in the tables:** fold-1/teacher, fold-2/teacher, fold-2/gt+kl+kd." in text
    assert cells(text, "Table 1", NATIVE, "Baseline")[2:4] == ["3", "50.00 ± 14.14"]
    assert cells(text, "Table 1", NATIVE, "Ours (KD-Net)")[2:4] == ["2", "75.00"]
    # Over the two cases that both have: p = 2 / 4, times three.
    assert cells(text, "Table 1", VERSUS, "Ours (KD-Net)")[1:3] == ["2", "+15.00 [+10.00 to +20.00], p = 1.000"]
    assert "(1 system × 3 regions)" in text


def test_seeds_are_told_and_averaged(run):
    plan = plan_of("baseline", folds=0, seeds=(3, 4))
    for training, values in zip(plan.trainings(), ((0.5, 0.7), (0.7, 0.9))):
        finish(run, training, values, ("a", "b"), training.seed)
    write_report(run, plan)
    assert "Every training with 2 seeds" in table_of(run)
    (line,) = [line for line in csv_lines(run, "table1.csv") if line["system"] == "baseline"]
    assert [line[key] for key in ("seeds", "cases", "native_ET_dice")] == ["2", "2", "70"]  # mean of 60 and 80


def test_another_modality_than_the_papers_is_told(run):
    for modality in ("t1ce", "flair"):
        write_report(run, Plan(("baseline",), replace(Settings(), student_modality=modality), ""))
        assert ("the one modality is flair and not the paper's T1ce" in table_of(run)) == (modality == "flair")


def test_one_training_has_no_deviation_and_says_what_it_was_scored_on(run):
    plan = plan_of("gt+kl+kd", folds=0)
    for training in plan.trainings():
        finish(run, training, DICE[training.system], ("a", "b", "c", "d"))
    run.write("folds", {"test": ["a", "b", "c", "d"]})
    run.write("origin", {"data": "/d", "command": "kdnet train DATA RUN --epochs 40"})
    write_report(run, plan)
    text = table_of(run)
    assert cells(text, "Table 1", NATIVE, "Ours (KD-Net)")[3] == "70.00" and "Difference to the baseline" not in text
    assert "kept for testing" in text and "kdnet train DATA RUN --epochs 40" in text
    run.write("folds", {"test": []})
    write_report(run, plan)
    assert "chose the epoch" in table_of(run)


def test_without_any_case_to_measure_it_says_so(run):
    plan = plan_of("baseline", folds=0)
    (training,) = plan.trainings()
    run.write("folds", {"test": []})
    begin(run, training, validation=0)
    write_scores(scores_path(run.path, training), [])
    write_report(run, plan)
    text = table_of(run)
    assert "nothing to score it on" in text and "also chose" not in text and "There are no scores" in text and "Not finished" not in text
    assert not (run.path / "boxplots.png").exists()


def test_fewer_skips_are_compared_with_their_own_baseline(run):
    plan = plan_of(*(f"{system}-{skips}skips" for skips in (0, 2, 4) for system in ("baseline", "gt+kd")), folds=0)
    dice = {"baseline-0skips": 0.1, "gt+kd-0skips": 0.2, "baseline-2skips": 0.3, "gt+kd-2skips": 0.4, "baseline": 0.5, "gt+kd": 0.6}
    for training in plan.trainings():
        if training.label in dice:
            finish(run, training, (dice[training.label],) * 2, ("a", "b"))
    write_report(run, plan)
    text = table_of(run)
    for skips in ("4", "0", "2"):
        assert cells(text, "Table 2", VERSUS, skips, "KD-Net", "GT+KD")[4].startswith("+10.00 ")
    assert cells(text, "Table 2", NATIVE, "0", "KD-Net", "GT+KD")[-3] == "44.80 ± 1.10"
    assert cells(text, "Table 2", NATIVE, "2", "KD-Net", "GT+KD")[5:] == [*["40.00"] * 3, *["–"] * 3]
    assert text.index("| 0 | KD-Net | GT+KD |") < text.index("**Further**") < text.index("| 2 | Baseline | GT |")


def test_every_subset_of_the_modalities_has_a_line(run):
    plan = plan_of("hemis", "u-hemis")
    subsets = {"t1ce": 0.0, "t1+t1ce": 0.02, "t1+t1ce+t2+flair": 0.1}
    for training in plan.trainings():
        cases, values = (("a", "b"), (0.4, 0.6)) if training.fold == 1 else (("c",), (0.7,))
        more = 0.1 if training.system == "u-hemis" else 0.0
        rows = [
            {**row, "modalities": subset} for subset, gain in subsets.items() if (training.system, subset) != ("u-hemis", "t1+t1ce")
            for row in scores_of(training, [value + gain + more for value in values], cases)
        ]  # fmt: skip
        write_subset_scores(subsets_path(run.path, training), rows)
        finish(run, training, values, cases)
    write_report(run, plan)
    text, heading = table_of(run), "## Subsets, Dice on the scans' own grid"
    # HeMIS with T1ce: fold means 50 and 70.
    assert cells(text, "Any subset", heading, "Modalities")[1:] == [f"{name} {region}" for name in ("HeMIS", "U-HeMIS") for region in REGIONS]
    assert cells(text, "Any subset", heading, "T1ce")[1:] == [*["60.00"] * 3, *["70.00"] * 3]
    assert cells(text, "Any subset", heading, "T1, T1ce")[1:] == [*["62.00"] * 3, *["–"] * 3]
    assert cells(text, "Any subset", heading, "T1, T1ce, T2, FLAIR")[1] == "70.00"
    assert cells(text, "Any subset", heading, "**Mean of the 3**")[1:] == [*["64.00"] * 3, *["–"] * 3]
    lines = csv_lines(run, "table-subsets.csv")
    assert len(lines) == 5 * 2 * 3
    (line,) = [line for line in lines if (line["system"], line["modalities"], line["space"], line["region"]) == ("hemis", "t1+t1ce", "crop", "TC")]
    assert (line["folds"], line["cases"], float(line["dice"])) == ("2", "3", 72.0) and float(line["dice_sd"]) == pytest.approx(200**0.5, rel=1e-5)
