"""``kdnet data``: every kind of problem is found, counted and named, and only usable cases are said to be usable."""

import json

import nibabel
import numpy as np
import pytest

from engine.cli_support import installed, run  # noqa: F401: the fixture declares the subcommands
from engine.generated import affine_of, save
from training.generated_cases import NEW, SPACING, write_case, write_decathlon_case
from KDNetTrainingLib.data.inspection import PROBLEMS, inspect


def relabel(place, old, new):
    path = next(place.glob("*seg.nii.gz"))
    labels = nibabel.load(path).get_fdata()
    save(path, np.where(labels == old, new, labels).astype(np.uint8), affine_of(SPACING))


@pytest.fixture
def folder(tmp_path):
    """One case with each problem, and some good ones."""
    folder = tmp_path / "data"
    write_case(folder / "HGG", "Brats18_CBICA_AAB_1")
    write_case(folder / "LGG", "BraTS19_CBICA_AAB_1")
    relabel(write_case(folder / "LGG", "Brats18_2013_0_1"), 4, 1)
    write_case(folder / "zz-copy", "Brats18_2013_0_1")
    write_case(folder, "BraTS2021_00001", leave_out=("seg",))
    write_case(folder, "BraTS2021_00002", leave_out=("t2",))
    place = write_case(folder, "BraTS2021_00003")
    save(place / "BraTS2021_00003_t2.nii.gz", np.ones((8, 8, 8), dtype=np.float32).cumsum(axis=0), affine_of(SPACING))
    place = write_case(folder, "BraTS2021_00004")
    (place / "BraTS2021_00004_flair.nii.gz").write_bytes(b"\x1f\x8b broken")
    relabel(write_case(folder, "BraTS2021_00005"), 4, 3)
    relabel(write_case(folder, "BraTS-GLI-00007-000", suffixes=NEW, separator="-"), 1, 4)
    write_decathlon_case(folder / "Task01_BrainTumour", "BRATS_001")
    return folder


def test_every_problem_is_found_and_counted(folder):
    seen = []
    report = inspect(folder, lambda done, total, name: seen.append((done, total)))
    assert seen == [(done, 8) for done in range(1, 9)]
    assert {case.name: case.problem for case in report.cases if case.problem} == {
        f"Brats18_2013_0_1 in {folder / 'zz-copy' / 'Brats18_2013_0_1'}": "copy of another case",
        "BraTS2021_00001": "no label", "BraTS2021_00002": "missing a modality", "BraTS2021_00003": "differing grids",
        "BraTS2021_00004": "unreadable", "BraTS2021_00005": "labels outside the edition's set",
    }  # fmt: skip
    counts = report.counts()
    assert list(counts) == ["BraTS 2018", "BraTS 2019", "BraTS 2021", "BraTS 2023 GLI", "MSD Task01", "all"]
    assert counts["BraTS 2021"] == {"found": 5, "usable": 0, **{problem: 1 for problem in PROBLEMS}, "copy of another case": 0} | {
        "usable, of a patient with several": 0, "usable, without enhancing tumour": 0,
    }  # fmt: skip
    assert counts["all"]["found"] == 11 and counts["all"]["usable"] == 5 and counts["all"]["copy of another case"] == 1
    assert report.sessions() == {"CBICA_AAB": ["BraTS19_CBICA_AAB_1", "Brats18_CBICA_AAB_1"]}


def test_grades_enhancing_tumour_and_cavity_are_told(tmp_path):
    write_case(tmp_path / "HGG", "Brats18_CBICA_AAB_1")
    relabel(write_case(tmp_path / "LGG", "Brats18_2013_0_1"), 4, 1)
    relabel(write_case(tmp_path, "BraTS-GLI-02062-100", suffixes=NEW, separator="-"), 1, 4)
    report = inspect(tmp_path)
    assert report.grades() == {"HGG": 1, "LGG": 1, "unknown": 1}
    assert {case.name: (case.enhancing, case.cavity) for case in report.cases} == {
        "Brats18_CBICA_AAB_1": (True, False), "Brats18_2013_0_1": (False, False), "BraTS-GLI-02062-100": (True, True),
    }  # fmt: skip
    assert report.counts()["BraTS 2018"]["usable, without enhancing tumour"] == 1
    assert any("1 case(s) hold the label 4" in note for note in report.notes())


def test_the_command_prints_a_table(folder, capsys):
    code, out, err = run(capsys, "data", folder)
    assert code == 0
    rows = {line[:35].strip(): line[35:].split() for line in out.splitlines() if line[:1].isalpha()}
    assert rows["found"] == ["3", "1", "5", "1", "1", "11"] and rows["differing grids"] == ["0", "0", "1", "0", "0", "1"]
    assert "BraTS2021_00002: no t2" in out and "BraTS2021_00003_t2.nii.gz lies on another grid" in out
    assert "reading 8 cases" in err


def test_the_command_prints_json(folder, capsys):
    code, out, _ = run(capsys, "data", folder, "--json")
    report = json.loads(out)
    assert code == 0 and report["usable"] == 5 and report["editions"]["all"]["found"] == 11
    assert len(report["cases"]) == 11 and report["cases"][0]["edition"] == "MSD Task01"


def test_nothing_usable_is_an_error_after_the_reasons(tmp_path, capsys):
    write_case(tmp_path / "data", "BraTS2021_00002", leave_out=("t2",))
    code, out, err = run(capsys, "data", tmp_path / "data")
    assert code == 2 and "BraTS2021_00002: no t2" in out and "No case of" in err
    code, out, err = run(capsys, "data", tmp_path / "nowhere")
    assert code == 2 and not out and "There is no folder" in err
