"""``kdnet evaluate``: two label maps or two folders of them, whatever their names and numberings."""

import csv

import numpy as np
import pytest
from cli_support import AFFINE, SHAPE, installed, run, write  # noqa: F401 (fixtures)

from KDNetLib.file_naming import is_t1ce


def labels(values=(1, 2, 4), shift=0):
    """Nested boxes of NCR, ED and ET under the given values."""
    ncr, ed, et = values
    array = np.zeros(SHAPE, dtype=np.uint8)
    for value, margin in ((ed, 6), (et, 9), (ncr, 11)):
        array[margin + shift : SHAPE[0] - margin + shift, margin : SHAPE[1] - margin, margin : SHAPE[2] - margin] = value
    return array


def figures(line):
    """The Dice and HD95 of ET, TC and WT in a line of the table."""
    return [float(value) for value in line.split()[1:]]


def test_two_files_are_measured_by_hand_and_numberings_are_told_by_name(tmp_path, capsys):
    prediction = write(tmp_path / "BraTS2021_00001_t1ce_kdnet-seg.nii.gz", labels(shift=1))
    for name, values in {"BraTS2021_00001_seg.nii.gz": (1, 2, 4), "BraTS-GLI-00001-000-seg.nii.gz": (1, 2, 3)}.items():
        code, out, err = run(capsys, "evaluate", prediction, write(tmp_path / name, labels(values)))
        measured = figures(out.splitlines()[1])
        assert code == 0 and err == "" and len(out.splitlines()) == 2
        assert measured[4:] == [pytest.approx(27 / 28, abs=5e-4), 4.0], "28 voxels long, moved by one of 4 mm"
    swapped = write(tmp_path / "BRATS_001.nii.gz", labels((2, 1, 3), shift=1))
    assert figures(run(capsys, "evaluate", prediction, swapped)[1].splitlines()[1]) == [1, 0, 1, 0, 1, 0]
    renamed = write(tmp_path / "x.nii.gz", labels((2, 1, 3), shift=1))
    assert figures(run(capsys, "evaluate", prediction, renamed, "--labels", "msd")[1].splitlines()[1]) == [1, 0, 1, 0, 1, 0]


def test_folders_are_matched_by_case_summed_up_and_written(tmp_path, capsys):
    predicted, true = tmp_path / "predicted", tmp_path / "true"
    for number, shift in ((1, 0), (2, 1), (3, 4)):
        case = f"BraTS2021_0000{number}"
        write(predicted / case / f"{case}_t1ce_kdnet-seg.nii.gz", labels(shift=shift))
        write(true / case / f"{case}_seg.nii.gz", labels())
        write(true / case / f"{case}_t1ce.nii.gz", labels())
    write(true / "BraTS2021_00009" / "BraTS2021_00009_seg.nii.gz", labels())
    write(predicted / "=cmd_kdnet-seg.nii.gz", labels())
    write(true / "=cmd_seg.nii.gz", labels())
    table = tmp_path / "table.csv"
    code, out, err = run(capsys, "evaluate", predicted, true, "--csv", table)
    lines = {line.split()[0]: figures(line) for line in out.splitlines()[1:]}
    assert code == 0 and list(lines) == ["=cmd", "brats2021_00001", "brats2021_00002", "brats2021_00003", "mean", "median"]
    cases = np.array(list(lines.values())[:4])
    assert lines["mean"] == pytest.approx(cases.mean(axis=0), abs=0.006)
    assert lines["median"] == pytest.approx(np.median(cases, axis=0), abs=0.006)
    assert err == "kdnet: 1 reference(s) without a counterpart were left out, such as brats2021_00009.\n"
    with open(table, newline="") as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"'=cmd", "brats2021_00001", "brats2021_00002", "brats2021_00003"}
    assert float(rows["brats2021_00003"]["WT_volume_reference_ml"]) == pytest.approx((labels() > 0).sum() * 0.064, abs=1e-3)
    assert float(rows["brats2021_00003"]["WT_hd95"]) == 16


def test_predictions_beside_their_references_are_told_apart(tmp_path, capsys):
    write(tmp_path / "a" / "a_t1ce_kdnet-seg.nii.gz", labels(shift=1))
    write(tmp_path / "a" / "a_seg.nii.gz", labels())
    code, out, _ = run(capsys, "evaluate", tmp_path, tmp_path)
    assert code == 0 and figures(out.splitlines()[1])[5] == 4


def test_names_that_say_nothing_are_read_in_one_way_over_the_whole_folder(tmp_path, capsys):
    """A 2024 case without enhancing tumour but with a resection cavity looks like one of 2021."""
    predicted, true = tmp_path / "predicted", tmp_path / "true"
    with_cavity = labels((1, 2, 3))
    with_cavity[0, 0, 0] = 4
    for name, array in {"a": labels((1, 2, 3)), "b": labels((1, 2, 4))}.items():
        write(predicted / f"{name}_kdnet-seg.nii.gz", labels())
        write(true / f"{name}_seg.nii.gz", array)
    for other in (None, with_cavity):
        if other is not None:
            write(true / "a_seg.nii.gz", other)
        code, out, err = run(capsys, "evaluate", predicted, true)
        assert (code, out) == (2, "") and "--labels" in err and err.count("\n") == 1
    code, out, _ = run(capsys, "evaluate", predicted, true, "--labels", "1/2/3/4")
    first, second = map(figures, out.splitlines()[1:3])
    assert code == 0 and first[0] == 1 and second[:2] == [0, 373.13], "in the second case 4 is the cavity, so no tumour enhances"


@pytest.mark.parametrize("scan", ["p_t1ce", "p_T1_Gd", "p_t1post", "p_T1w-CE", "p_ce-gadolinium_T1w", "p_T1 contrast", "p-t1c"])
def test_a_segmentation_finds_its_reference_however_its_scan_was_named(scan, tmp_path, capsys):
    assert is_t1ce(tmp_path / f"{scan}.nii.gz")
    write(tmp_path / "predicted" / f"{scan}_kdnet-seg.nii.gz", labels())
    write(tmp_path / "true" / "p_seg.nii.gz", labels())
    code, out, err = run(capsys, "evaluate", tmp_path / "predicted", tmp_path / "true")
    assert code == 0 and figures(out.splitlines()[1]) == [1, 0, 1, 0, 1, 0], err


def test_what_cannot_be_compared_is_said_and_the_rest_is_measured(tmp_path, capsys):
    predicted, true = tmp_path / "predicted", tmp_path / "true"
    moved = AFFINE.copy()
    moved[0, 3] += 2
    for name in ("brats18_a_1", "brats18_b_1", "brats18_c_1", "brats18_d_1", "brats18_e_1"):
        write(predicted / f"{name}_kdnet-seg.nii.gz", labels())
        write(true / f"{name}_seg.nii.gz", labels())
    write(true / "brats18_a_1_seg.nii.gz", labels(), moved)
    write(true / "brats18_b_1_seg.nii.gz", labels()[:-1])
    write(true / "brats18_c_1_seg.nii.gz", labels((1, 2, 7)))
    (true / "brats18_d_1_seg.nii.gz").write_bytes(b"nothing")
    code, out, err = run(capsys, "evaluate", predicted, true)
    assert code == 1 and figures(out.splitlines()[1]) == [1, 0, 1, 0, 1, 0] and "mean" in out
    sentences = err.splitlines()
    for sentence, what in zip(sentences, ("2 mm apart", "40×36×30 and 39×36×30", "value(s) 7", "cannot be read"), strict=True):
        assert what in sentence
    for arguments, what in {
        (predicted, true / "brats18_e_1_seg.nii.gz"): "two files or two folders",
        (predicted, tmp_path / "nowhere"): "no file or folder",
    }.items():
        code, out, err = run(capsys, "evaluate", *arguments)
        assert (code, out) == (2, "") and what in err
    other = tmp_path / "other"
    write(other / "x_seg.nii.gz", labels())
    assert "No case of" in run(capsys, "evaluate", predicted, other)[2]
    write(other / "sub" / "x_seg.nii.gz", labels())
    assert "more than one label map of the case x" in run(capsys, "evaluate", predicted, other)[2]
