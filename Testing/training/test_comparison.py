"""Runs beside each other: the right differences, intervals and changes, and a clear word where there is nothing to compare."""

import argparse
from dataclasses import replace

import numpy as np
import pytest

from KDNetLib.errors import InputError
from KDNetLib.labels import REGIONS
from KDNetTrainingLib.cli import compare
from KDNetTrainingLib.evaluation.comparison import Try, compare_runs, comparison_markdown
from KDNetTrainingLib.evaluation.results import scores_path, write_scores
from KDNetTrainingLib.plan import Plan, Training
from KDNetTrainingLib.run.recorded_plan import record_plan
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import Settings

CASES = [f"case-{index}" for index in range(8)]
FIRST = np.array([0.30, 0.40, 0.55, 0.60, 0.62, 0.70, 0.80, 0.90])


def make_run(path, dice, systems=("baseline",), finished=None, **changes):
    """A run of 2 folds in which every system of ``finished`` has ``dice`` of CASES, in all regions; in the crop 0."""
    plan = Plan(systems, replace(Settings(), folds=2, **changes), "kdnet experiment DATA RUN")
    record_plan(plan, path, path)
    RunFolder(path).write("folds", {"folds": [CASES[::2], CASES[1::2]]})
    for training in plan.trainings():
        if training.label in (finished or systems):
            rows = []
            for case, value in list(zip(CASES, dice))[training.fold - 1 :: 2]:
                for space, scale in (("native", 1), ("crop", 0)):
                    numbers = {f"{region}_{ending}": value * scale for region in ("ET", "TC", "WT") for ending in ("dice", "hd95", "volume_ml", "reference_ml")}
                    rows.append({"system": training.label, "fold": training.fold, "seed": 0, "case": case, "space": space, **numbers})
            scores_path(path, training).parent.mkdir(parents=True, exist_ok=True)
            write_scores(scores_path(path, training), rows)
    return path


def test_what_changed_and_how_much_it_gained(tmp_path):
    first = make_run(tmp_path / "first", FIRST)
    gained = make_run(tmp_path / "gained", FIRST + np.arange(1, 9) / 100, transplantation=0.5, alpha=1.0, crop=(32, 48, 32))
    one, other = compare_runs([first, gained])
    assert (one.run, one.changed, one.cases, one.difference) == ("first", {}, 8, {})
    assert one.dice["ET"][0] == pytest.approx(60.875) and one.dice["ET"][1] < 60.875 < one.dice["ET"][2]
    assert other.changed == {"transplantation": 0.5, "crop": [32, 48, 32]}  # alpha is nothing to a baseline
    difference, p = other.difference["WT"]
    # All eight differences are positive: two-sided p is 2 / 2^8.
    assert difference == pytest.approx(4.5) and p == pytest.approx(2 / 256)
    lines = comparison_markdown([one, other]).splitlines()
    assert lines[2].startswith("| first | Baseline | – | 8 | 60.9 (") and "transplantation 0.5" in lines[3] and "crop 32×48×32" in lines[3]
    assert lines[3].count("; +4.5, p 0.008") == 3
    RunFolder(gained).write("folds", {"test": []})
    assert "8 (they chose the epoch)" in comparison_markdown(compare_runs([gained]))


@pytest.mark.parametrize(
    ("system", "concerned"),
    [("baseline", set()), ("synthesis", set()), ("teacher", {"epochs_teacher", "teacher_modalities"}), ("hemis", {"teacher_modalities"}),
     ("gt+kd", {"epochs_teacher", "teacher_modalities", "alpha"})],
)  # fmt: skip
def test_only_what_concerns_a_system_is_named(system, concerned, tmp_path):
    first = make_run(tmp_path / "first", FIRST, (system,))
    other = make_run(tmp_path / "other", FIRST, (system,), alpha=1.0, epochs_teacher=7, teacher_modalities=("t1ce", "t2"))
    tries = compare_runs([first, other], [system])
    assert set(tries[1].changed) == concerned


def test_a_tiny_p_is_not_written_as_nought():
    differs = Try("run", Training("baseline", 1), {}, 8, True, dict.fromkeys(REGIONS, (1.0, 0.0, 2.0)), dict.fromkeys(REGIONS, (1.0, 0.0004)))
    assert comparison_markdown([differs]).count("+1.0, p < 0.001") == 3


def test_systems_that_are_not_finished_are_left_out(tmp_path, capsys):
    run = make_run(tmp_path / "run", FIRST, ("baseline", "gt+kl+kd"), finished=["baseline", "gt+kl+kd"], alpha=1.0)
    assert [each.training.label for each in compare_runs([run])] == ["baseline", "gt+kl+kd"]
    assert [each.training.label for each in compare_runs([run], ["gt+kl+kd"])] == ["gt+kl+kd"]
    assert compare_runs([make_run(tmp_path / "first", FIRST), run])[2].changed == {"alpha": 1.0}
    fewer = make_run(tmp_path / "fewer", FIRST, ("gt+kl+kd",), alpha=1.0, teacher_modalities=("t1ce", "t2"))
    assert "| teacher_modalities t1ce+t2 |" in comparison_markdown(compare_runs([run, fewer], ["gt+kl+kd"]))
    with pytest.raises(InputError, match="scored in every fold"):
        compare_runs([make_run(tmp_path / "begun", FIRST, ("baseline", "teacher"), finished=["nothing"])])
    with pytest.raises(InputError, match="scored in every fold"):
        compare_runs([make_run(tmp_path / "caseless", [])])
    with pytest.raises(InputError, match="holds no run"):
        compare_runs([tmp_path])
    parser = argparse.ArgumentParser()
    compare.add_parser(parser.add_subparsers())
    assert compare.run(parser.parse_args(["compare", str(run)])) == 0
    assert "| run | GT+KL+KD | – | 8 |" in capsys.readouterr().out
