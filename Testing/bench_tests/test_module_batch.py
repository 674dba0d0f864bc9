"""The headless batch script in a process of its own: files, table, exit codes."""

import csv

import nibabel
import numpy as np
import pytest
from headless_script import runScript
from module_support import scanArray, writeModel

SCRIPT = "KDNetSegmentation/KDNetSegmentationLib/KDNetBatch.py"


def run(*arguments):
    return runScript(SCRIPT, arguments, {"torch"})


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return writeModel(tmp_path_factory.mktemp("model"))


def writeScan(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.Nifti1Image(scanArray(seed=seed), np.diag([-1.0, -1, 1, 1])).to_filename(path)


def test_folder_goes_on_after_a_bad_case_and_skips_what_is_done(tmp_path, model):
    source, out = tmp_path / "in", tmp_path / "out"
    writeScan(source / "a" / "a_t1ce.nii.gz")
    writeScan(source / "b" / "b_t1ce.nii.gz", seed=1)
    (source / "c").mkdir()
    (source / "c" / "c_t1ce.nii.gz").write_bytes(b"broken")
    done = run("--", source, out, "--model", model, "--device", "cpu")
    assert done.returncode == 1, done.stdout + done.stderr
    rows = {row["case"]: row for row in csv.DictReader(open(out / "kdnet-results.csv"))}
    assert [bool(rows[f"{c}/{c}_t1ce"]["error"]) for c in "abc"] == [False, False, True]
    image = nibabel.load(out / "a" / "a_t1ce_kdnet-seg.nii.gz")
    labels = np.asarray(image.dataobj)
    assert set(np.unique(labels)) == {0, 1, 2, 4}
    assert np.allclose(image.affine, np.diag([-1.0, -1, 1, 1]))
    assert float(rows["a/a_t1ce"]["WT_ml"]) == pytest.approx((labels > 0).sum() / 1000, abs=0.001)
    again = run(source, out, "--model", model, "--device", "cpu")
    assert again.returncode == 1
    assert again.stdout.count("skipped") == 2 and again.stdout.count("failed") == 1


def test_single_file_and_exit_code_zero(tmp_path, model):
    writeScan(tmp_path / "scan.nii.gz")
    done = run("--", tmp_path / "scan.nii.gz", tmp_path / "out", "--model", model)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "scan_kdnet-seg.nii.gz").is_file()


@pytest.mark.parametrize(
    "arguments",
    [["--"], ["missing", "out"], ["{empty}", "out"], ["{scan}", "out", "--model", "no-such-model"]],
    ids=str,
)
def test_what_cannot_start_is_exit_code_two(tmp_path, arguments):
    (tmp_path / "empty").mkdir()
    writeScan(tmp_path / "scan.nii.gz")
    places = {"empty": tmp_path / "empty", "scan": tmp_path / "scan.nii.gz"}
    done = run(*[argument.format(**places) for argument in arguments])
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_unexpected_exception_still_ends_slicer(tmp_path, model, monkeypatch):
    writeScan(tmp_path / "scan.nii.gz")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import sys, types\nbroken = types.ModuleType('KDNetSegmentationLib.logic')\n"
        "sys.modules['KDNetSegmentationLib.logic'] = broken\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    done = run(tmp_path / "scan.nii.gz", tmp_path / "out", "--model", model)
    assert done.returncode == 1
    assert "ImportError" in done.stderr
