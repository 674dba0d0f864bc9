"""Tables of scores: written and read back, collected over a run, refused where they are something else."""

import csv

import pytest

from KDNetLib.errors import InputError
from KDNetTrainingLib.evaluation.results import collect, read_scores, scores_path, write_scores
from KDNetTrainingLib.plan import Training

ENDINGS = ("dice", "hd95", "volume_ml", "reference_ml")


def row(case, space="native", system="baseline", fold=1, value=0.5, seed=0):
    numbers = {f"{region}_{ending}": value + place for region in ("ET", "TC", "WT") for place, ending in enumerate(ENDINGS)}
    return {"case": case, "space": space, **numbers, "system": system, "fold": fold, "seed": seed}


def test_what_is_written_comes_back(tmp_path):
    rows = [row("BraTS2021_00001", value=0.125), row("=HYPERLINK(1)", space="crop", system="gt+kl+kd-0skips", fold=0, value=0.25, seed=7)]
    write_scores(tmp_path / "scores.csv", rows)
    assert read_scores(tmp_path / "scores.csv") == rows
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


def test_the_file_is_plain_csv_with_six_digits(tmp_path):
    write_scores(tmp_path / "scores.csv", [row("a", value=1 / 3)])
    with open(tmp_path / "scores.csv", newline="", encoding="utf-8") as file:
        (read,) = csv.DictReader(file)
    assert list(read)[:9] == ["system", "fold", "seed", "case", "space", "ET_dice", "ET_hd95", "ET_volume_ml", "ET_reference_ml"]
    assert read["ET_dice"] == "0.333333" and read["WT_reference_ml"] == "3.33333"


def test_no_rows_and_no_file(tmp_path):
    assert read_scores(tmp_path / "scores.csv") == []
    write_scores(tmp_path / "scores.csv", [])
    assert read_scores(tmp_path / "scores.csv") == [] and (tmp_path / "scores.csv").read_text().startswith("system,fold,seed,case,space,ET_dice")


def test_scores_from_before_there_were_seeds_are_read_as_of_seed_0(tmp_path):
    write_scores(tmp_path / "scores.csv", [row("a", seed=3)])
    lines = [line.split(",") for line in (tmp_path / "scores.csv").read_text().splitlines()]
    assert lines[0][2] == "seed"
    (tmp_path / "scores.csv").write_text("".join(",".join([*cells[:2], *cells[3:]]) + "\n" for cells in lines))
    assert read_scores(tmp_path / "scores.csv") == [row("a", seed=0)]


def test_other_tables_and_other_contents_are_refused(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("case,dice\na,0.5\n")
    with pytest.raises(InputError, match="scores.csv is not a table of this program"):
        read_scores(path)
    write_scores(path, [row("a")])
    path.write_text(path.read_text().replace("0.5", "much"))
    with pytest.raises(InputError, match="scores.csv holds something else than scores.*delete it and resume"):
        read_scores(path)


def test_collecting_keeps_the_order_and_passes_over_what_is_not_finished(tmp_path):
    trainings = [Training("teacher", 2, 4), Training("baseline", 1, 0), Training("gt+kd", 1, 4)]
    write_scores(scores_path(tmp_path, trainings[1]), [row("b", system="baseline-0skips")])
    write_scores(scores_path(tmp_path, trainings[0]), [row("a", system="teacher", fold=2), row("c", system="teacher", fold=2)])
    assert [(each["system"], each["case"]) for each in collect(tmp_path, trainings)] == [
        ("teacher", "a"), ("teacher", "c"), ("baseline-0skips", "b"),
    ]
    assert (tmp_path / "fold-1" / "baseline-0skips" / "scores.csv").exists()
