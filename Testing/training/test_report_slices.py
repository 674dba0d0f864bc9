"""`kdnet report` on a run that was really trained: slices segmented anew by the networks that had not seen the case."""

import argparse
import csv
import shutil

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image

from KDNetLib.errors import InputError
from KDNetLib.image_io import read_image
from KDNetLib.measures import dice_by_region
from KDNetTrainingLib.cli import report, running
from KDNetTrainingLib.data.cases import find_training_cases
from KDNetTrainingLib.evaluation.results import read_scores, scores_path
from KDNetTrainingLib.evaluation.slices import cases_at_quartiles, draw_slices, segmented_again
from KDNetTrainingLib.plan import Plan, Training
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import settings_from
from training.generated_cases import write_case

CPU = torch.device("cpu")
SETTINGS = settings_from({
    "crop": (32, 32, 32), "spacing": 4.0, "width": 2, "epochs": 1, "learning_rate": 0.01, "schedule": "polynomial", "inner_validation": 0.0, "folds": 2,
})  # fmt: skip
PLAN = Plan(("baseline", "gt+kl+kd"), SETTINGS, "kdnet experiment DATA RUN", name="slices")
NAMES = [f"BraTS2021_{index:05}" for index in range(4)]


def reported(*arguments):
    parser = argparse.ArgumentParser()
    report.add_parser(parser.add_subparsers())
    return report.run(parser.parse_args(["report", *map(str, arguments)]))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for index, name in enumerate(NAMES):
        write_case(folder, name, seed=index)
    return folder


@pytest.fixture(scope="module")
def trained_run(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    running.start(PLAN, data, path, "cpu")
    return path


@pytest.fixture
def run(trained_run, tmp_path):
    """A copy without the prepared cases: the report needs none."""
    return RunFolder(shutil.copytree(trained_run, tmp_path / "run", ignore=shutil.ignore_patterns("cache")))


def test_what_is_segmented_again_has_the_scores_of_the_run(run, data):
    finished, networks = PLAN.trainings(), {}
    for student in [training for training in finished if training.system == "gt+kl+kd"]:
        rows = {training.system: read_scores(scores_path(run.path, training)) for training in (student, student.teacher, Training("baseline", student.fold))}
        tested = sorted({row["case"] for row in rows["gt+kl+kd"]})
        assert len(tested) == 2
        for case in [case for case in find_training_cases(data)[0] if case.name in tested]:
            shown = segmented_again(run, PLAN, student, finished, case, networks, CPU)
            assert (shown.case, shown.fold, list(shown.predictions)) == (case.name, student.fold, ["Baseline", "Student", "Teacher"])
            for name, system in (("Baseline", "baseline"), ("Student", "gt+kl+kd"), ("Teacher", "teacher")):
                (row,) = [row for row in rows[system] if (row["case"], row["space"]) == (case.name, "native")]
                for region, dice in dice_by_region(shown.predictions[name], shown.reference).items():
                    assert dice == pytest.approx(row[f"{region}_dice"], abs=1e-5)
            # Turned as nibabel turns it.
            image = read_image(case.images["t1ce"].path)
            turned = nibabel.as_closest_canonical(nibabel.Nifti1Image(np.asarray(image.array, np.float32), image.affine))
            assert np.array_equal(shown.scan, turned.get_fdata(dtype=np.float32))
    assert len(networks) == 6  # each network is loaded once


def test_the_default_cases_are_those_at_the_quartiles():
    def row(case, dice, space="native"):
        return {"system": "gt+kl+kd", "fold": 1, "seed": 0, "case": case, "space": space, "WT_dice": dice}

    student = Training("gt+kl+kd", 0)
    rows = [row(f"c{index}", (7 * index % 11) / 10) for index in range(9)] + [row("other", 0.0, "crop")]
    # Dice 0, .7, .3, 1, .6, .2, .9, .5, .1 of c0 to c8; in order .1 (c8) .2 (c5) are 2nd and 3rd, .5 (c7) the 5th, .7 (c1) the 7th.
    assert cases_at_quartiles(rows, student) == ["c5", "c7", "c1"]
    assert cases_at_quartiles(rows[:1], student) == ["c0"]


def test_the_command_writes_all_and_shows_the_chosen_cases(run, capsys):
    for path in [*run.path.glob("table*"), *run.path.glob("*.png")]:
        path.unlink()
    assert reported(run.path, "--cases", NAMES[2], NAMES[0]) == 0
    names = {path.name for path in run.path.iterdir()}
    assert {"table.md", "table1.csv", "table-cost.csv", "boxplots.png", "scatter.png", "slices.png", "report.html", "README.md"} <= names
    assert capsys.readouterr().out.strip() == str(run.path / "report.html")
    picture = np.asarray(Image.open(run.path / "slices.png"))
    cells = [picture[top + 20 : top + 196, left : left + 200] for top in (88, 364) for left in (25, 251, 477, 703, 929)]
    assert all(len(np.unique(cell.reshape(-1, 3), axis=0)) > 50 for cell in cells)  # a scan in each of two lines of five
    colourful = [(np.ptp(cell.astype(int), axis=2) > 60).mean() for cell in cells]
    assert colourful[0] == colourful[5] == 0 and min(colourful[4], colourful[9]) > 0.005  # labels on the reference, none on the scan
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == len(PLAN.trainings()) + 2 and "Slices of some cases" in page
    readme = (run.path / "README.md").read_text(encoding="utf-8")
    assert "- [slices.png](slices.png)" in readme and "`table-cost.csv`" in readme
    with open(run.path / "table-cost.csv", newline="", encoding="utf-8") as file:
        lines = {line["system"]: line for line in csv.DictReader(file)}
    assert set(lines) == {"baseline", "teacher", "gt+kl+kd"}
    assert all(float(line[key]) > 0 for line in lines.values() for key in ("parameters", "step_gflop", "seconds_per_step", "memory_gb"))


def test_cases_that_cannot_be_shown_are_refused(run, data):
    with pytest.raises(InputError, match="tested on BraTS2021_00009; choose from BraTS2021_00000, "):
        draw_slices(run, PLAN, data, ["BraTS2021_00009"], "cpu")
    (run.path / "fold-1/teacher/best.pt").write_bytes(b"x")
    (tested, *_) = (row["case"] for row in read_scores(run.path / "fold-1/teacher/scores.csv"))
    with pytest.raises(InputError, match="fold-1/teacher lacks best.pt"):
        draw_slices(run, PLAN, data, [tested], "cpu")


def test_without_the_cases_the_rest_is_still_reported(run, data, tmp_path, capsys):
    run.write("origin", {"data": str(tmp_path / "gone"), "command": "kdnet experiment DATA RUN"})
    assert reported(run.path) == 0
    assert "No slices are drawn: There is no folder" in capsys.readouterr().err
    assert not (run.path / "slices.png").exists() and (run.path / "table1.csv").exists()
    with pytest.raises(InputError, match="There is no folder"):
        reported(run.path, "--cases", NAMES[0])


def test_a_run_without_a_student_has_no_slices_and_says_nothing(run, data):
    plan = Plan(("baseline",), SETTINGS, "kdnet experiment DATA RUN")
    assert draw_slices(run, plan, data, None, "cpu") == ""
    with pytest.raises(InputError, match="has no finished gt"):
        draw_slices(run, plan, data, [NAMES[0]], "cpu")
