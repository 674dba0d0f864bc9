"""Which files of a folder are cases, and that a run over them survives bad cases, kills and hostile names."""

import csv
import os
from types import SimpleNamespace

import pytest

from KDNetLib import batch
from KDNetLib.batch import COLUMNS, RESULTS_NAME, find_cases, output_path, run_batch
from KDNetLib.csv_report import read_rows
from KDNetLib.errors import Cancelled, InputError, ModelError


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"scan")


def names(folder):
    return [case.name for case in find_cases(folder)]


EDITIONS = {
    "2018": ("HGG/Brats18_2013_10_1/Brats18_2013_10_1", ("flair", "t1", "t1ce", "t2", "seg"), "_"),
    "2021": ("BraTS2021_00495/BraTS2021_00495", ("flair", "t1", "t1ce", "t2", "seg"), "_"),
    "2023": ("BraTS-GLI-00000-000/BraTS-GLI-00000-000", ("t1n", "t1c", "t2w", "t2f", "seg"), "-"),
    "UPENN": ("UPENN-GBM-00001_11/UPENN-GBM-00001_11", ("T1", "T1GD", "T2", "FLAIR", "segm"), "_"),
    "clinical": ("TCGA-FG-6692/TCGA-FG-6692", ("fla", "t1", "t1c", "t2"), "_"),
    "spelled": ("p1/p1", ("T1", "T1-Gd", "T2"), "_"),
}


@pytest.mark.parametrize("edition", EDITIONS)
def test_post_contrast_t1_is_found_by_every_edition_s_naming(tmp_path, edition):
    start, modalities, separator = EDITIONS[edition]
    touch(tmp_path, *(f"{start}{separator}{modality}.nii.gz" for modality in modalities), "notes.txt", "stray.nii.gz")
    wanted = next(modality for modality in modalities if modality.lower() in ("t1ce", "t1c", "t1gd", "t1-gd"))
    assert names(tmp_path) == [f"{start}{separator}{wanted}"]


def test_bids_contrast_is_told_from_plain_t1w(tmp_path):
    touch(tmp_path, "sub-01/anat/sub-01_ce-gadolinium_T1w.nii.gz", "sub-01/anat/sub-01_T1w.nii.gz")
    assert names(tmp_path) == ["sub-01/anat/sub-01_ce-gadolinium_T1w"]


def test_without_such_names_every_scan_counts_but_labels_and_other_modalities(tmp_path):
    touch(tmp_path, "a.nii.gz", "B.NII", "c_flair.nii.gz", "d_T2.nii.gz", "e-seg.nii.gz", "f_label.nii", "g_mask.nii.gz")
    touch(tmp_path, "labelsTr/a.nii.gz", ".hidden.nii.gz", ".git/h.nii.gz", "a_kdnet-seg.nii.gz", "a_kdnet-prob.nii.gz", "x.mgz")
    assert names(tmp_path) == ["B", "a"]


def test_two_files_of_one_stem_stay_two_cases(tmp_path):
    touch(tmp_path, "p/a.nii", "p/a.nii.gz", "q/a.nii")
    cases = find_cases(tmp_path)
    assert [case.name for case in cases] == ["p/a.nii", "p/a.nii.gz", "q/a"]
    outputs = {output_path(case, tmp_path, tmp_path / "out").relative_to(tmp_path).as_posix() for case in cases}
    assert outputs == {"out/p/a.nii_kdnet-seg.nii.gz", "out/p/a.nii.gz_kdnet-seg.nii.gz", "out/q/a_kdnet-seg.nii.gz"}


def test_a_linked_folder_is_followed_once(tmp_path):
    touch(tmp_path, "data/a_t1ce.nii.gz")
    (tmp_path / "study").mkdir()
    try:
        os.symlink(tmp_path / "data", tmp_path / "study" / "linked", target_is_directory=True)
        os.symlink(tmp_path / "study", tmp_path / "data" / "back", target_is_directory=True)
    except OSError:
        pytest.skip("this system lets only administrators make links")
    assert names(tmp_path / "study") == ["linked/a_t1ce"]


def test_a_folder_without_a_scan_says_what_is_wanted(tmp_path):
    touch(tmp_path, "a_flair.nii.gz")
    with pytest.raises(InputError, match="_t1ce.nii.gz"):
        find_cases(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        find_cases(tmp_path / "nowhere")


class Recorder:
    """Segments by writing the case's name; notes what is reported; fails for the cases told to."""

    def __init__(self, root, out, failing=(), settings="model 1"):
        self.root, self.out, self.failing, self.settings = root, out, dict(failing), settings
        self.events, self.confidence = [], None

    def segment(self, source, output):
        if source.name in self.failing:
            raise self.failing[source.name]
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(os.fsencode(source.name))
        volumes = {"NCR": 1, "ED": 2.5, "ET": 3, "TC": 4, "WT": 6.5}
        return SimpleNamespace(volumes_ml=volumes, seconds={"total": 1.234}, warnings=["One thing.", "Another."], confidence=self.confidence)

    def run(self, cancelled=lambda: False):
        self.events.clear()
        cases = find_cases(self.root)
        return run_batch(cases, self.root, self.out, self.segment, self.report, cancelled, self.settings)

    def report(self, number, case, state, detail):
        self.events.append((number, case.name, state))

    def states(self):
        return [state for _, _, state in self.events]

    def rows(self):
        return {row["case"]: row for row in read_rows(self.out / RESULTS_NAME, COLUMNS)}


@pytest.fixture
def study(tmp_path):
    touch(tmp_path / "in", "a/a_t1ce.nii.gz", "b/b_t1ce.nii.gz", "c/c_t1ce.nii.gz")
    return Recorder(tmp_path / "in", tmp_path / "out")


def test_a_bad_case_is_recorded_and_the_others_are_done(study):
    study.failing = {"b_t1ce.nii.gz": InputError("It is empty; export it again."), "c_t1ce.nii.gz": ZeroDivisionError("oops")}
    assert study.run() == 2
    assert study.states() == ["started", "done", "started", "failed", "started", "failed"]
    assert (study.out / "a" / "a_t1ce_kdnet-seg.nii.gz").read_text() == "a_t1ce.nii.gz"
    rows = study.rows()
    assert list(rows["a/a_t1ce"].values())[:9] == ["a/a_t1ce", "1.000", "2.500", "3.000", "4.000", "6.500", "1.23", "One thing. Another.", ""]
    assert rows["b/b_t1ce"]["error"] == "It is empty; export it again."
    assert rows["c/c_t1ce"]["error"] == "Unexpected ZeroDivisionError: oops"
    assert rows["b/b_t1ce"]["WT_ml"] == ""


def test_what_is_done_is_skipped_and_what_failed_is_tried_again(study):
    study.failing = {"b_t1ce.nii.gz": InputError("Bad.")}
    study.run()
    study.failing = {}
    assert study.run() == 0
    assert study.events == [(1, "a/a_t1ce", "skipped"), (2, "b/b_t1ce", "started"), (2, "b/b_t1ce", "done"), (3, "c/c_t1ce", "skipped")]
    assert study.rows()["b/b_t1ce"]["error"] == "" and study.rows()["a/a_t1ce"]["WT_ml"] == "6.500"


def test_changes_of_model_input_or_output_are_noticed(study):
    study.run()
    changed = study.root / "a" / "a_t1ce.nii.gz"
    os.utime(changed, (1_000_000, 1_000_000))  # replaced by an older file, as by a copy that keeps times
    (study.out / "b" / "b_t1ce_kdnet-seg.nii.gz").unlink()
    study.run()
    assert study.states() == ["started", "done", "started", "done", "skipped"]
    study.settings = "model 2"
    study.run()
    assert study.states() == ["started", "done"] * 3


def test_the_same_case_name_from_another_folder_is_not_taken_for_done(study, tmp_path):
    study.run()
    other = tmp_path / "other"
    touch(other, "a/a_t1ce.nii.gz")
    times = (study.root / "a" / "a_t1ce.nii.gz").stat()
    os.utime(other / "a" / "a_t1ce.nii.gz", ns=(times.st_atime_ns, times.st_mtime_ns))
    study.root = other
    study.run()
    assert study.states() == ["started", "done"]
    assert sorted(study.rows()) == ["a/a_t1ce", "b/b_t1ce", "c/c_t1ce"], "rows of earlier runs stay"


def test_a_killed_run_goes_on_where_it_stopped(study):
    study.failing = {"b_t1ce.nii.gz": KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        study.run()
    assert list(study.rows()) == ["a/a_t1ce"]
    study.failing = {}
    study.run()
    assert study.states() == ["skipped", "started", "done", "started", "done"]
    assert sorted(path.name for path in study.out.iterdir()) == ["a", "b", "c", RESULTS_NAME]


def test_cancelling_and_a_useless_model_end_the_run(study):
    asked = iter([False, True])
    with pytest.raises(Cancelled, match="case 2 of 3"):
        study.run(lambda: next(asked))
    assert list(study.rows()) == ["a/a_t1ce"]
    study.failing, study.settings = {"a_t1ce.nii.gz": ModelError("Damaged.")}, "other"
    with pytest.raises(ModelError):
        study.run()
    assert study.states() == ["started"], "every further case would have failed alike"


@pytest.mark.skipif(os.name == "nt", reason="Windows allows fewer names")
def test_names_that_a_spreadsheet_would_run_are_made_harmless(study):
    hostile = ['=HYPERLINK("x")', "+1", "-1", "@SUM(A1)", "'=1", "\t=1", "two\nlines", os.fsdecode(b"latin\xe4")]
    touch(study.root, *(f"{name}_t1ce.nii.gz" for name in hostile))
    assert study.run() == 0
    with open(study.out / RESULTS_NAME, newline="", encoding="utf-8", errors="surrogateescape") as file:
        cells = [row[0] for row in csv.reader(file)]
    assert len(cells) == 1 + 3 + len(hostile)
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\n", "\r"))]
    assert {f"{name}_t1ce" for name in hostile} < set(study.rows())
    study.run()
    assert set(study.states()) == {"skipped"}, "such names are found again in the table"


def test_a_table_that_is_not_ours_is_left_alone(study):
    study.out.mkdir()
    table = study.out / RESULTS_NAME
    table.write_text("case;mine\n")
    with pytest.raises(InputError, match="move it away"):
        study.run()
    assert table.read_text() == "case;mine\n" and study.events == []


def test_a_table_held_open_meanwhile_is_written_at_the_end(study, monkeypatch):
    """Windows refuses to replace a file that a spreadsheet program holds open; here the refusal is made by hand."""
    write, calls = batch.write_rows, []

    def refused_after_each_case(path, columns, rows):
        calls.append(path)
        if 2 <= len(calls) <= 4:
            raise InputError("The table is open elsewhere.")
        write(path, columns, rows)

    monkeypatch.setattr(batch, "write_rows", refused_after_each_case)
    assert study.run() == 0
    assert len(calls) == 5 and len(study.rows()) == 3
