"""``kdnet segment`` as a user meets it: files in, files out, sentences and exit codes."""

import csv
import os
import re
import signal
import subprocess
import sys
import time

import nibabel
import numpy as np
import pytest
from cli_support import AFFINE, SHAPE, installed, kdnet, make_scan, model, run, write  # noqa: F401 (fixtures)
from engine.generated import by_nested_regions

from KDNetLib.cli.main import main


def test_one_scan_gives_a_label_map_beside_it_and_its_volumes(model, tmp_path, capsys):
    scan = make_scan(tmp_path / "in" / "p1_t1ce.nii.gz")
    code, out, err = run(capsys, "segment", scan, "--model", "tiny", "--device", "cpu")
    written = nibabel.load(tmp_path / "in" / "p1_t1ce_kdnet-seg.nii.gz")
    labels = np.asarray(written.dataobj)
    assert code == 0 and sorted(os.listdir(scan.parent)) == ["p1_t1ce.nii.gz", "p1_t1ce_kdnet-seg.nii.gz"]
    assert written.shape == SHAPE and np.allclose(written.affine, AFFINE) and set(np.unique(labels)) <= {0, 1, 2, 4}
    for key, values in {"NCR": [1], "ED": [2], "ET": [4], "TC": [1, 4], "WT": [1, 2, 4]}.items():
        shown = float(re.search(rf" {key} +([\d.]+) ml", out)[1])
        assert shown == pytest.approx(np.isin(labels, values).sum() * 0.064, abs=0.006)
    assert "p1_t1ce.nii.gz: Segmenting" in err and "\r" not in err, "plain lines where no terminal is"


def test_nothing_is_imported_that_one_scan_does_not_need(model, tmp_path):
    """scipy.spatial takes as long as all the rest but torch."""
    scan = make_scan(tmp_path / "scan.nii")
    code = f"import sys\nfrom KDNetLib.cli.main import main\nmain(['segment', {str(scan)!r}, '--model', {str(model)!r}])\n"
    code += "print(sorted({'scipy.spatial', 'scipy.ndimage', 'PIL', 'matplotlib', 'sympy', 'torch.utils.tensorboard'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert " written (" in done.stdout and done.stdout.splitlines()[-1] == "[]"


def test_where_the_output_goes(model, tmp_path, capsys):
    scan = make_scan(tmp_path / "scan.nii")
    (tmp_path / "folder").mkdir()
    for output, written in (("folder", "folder/scan_kdnet-seg.nii.gz"), ("new/mine.nii", "new/mine.nii")):
        assert run(capsys, "segment", scan, "--model", model, "-o", tmp_path / output)[0] == 0
        assert (tmp_path / written).is_file()
    before = scan.read_bytes()
    for output in (scan, tmp_path / "mine.mha"):
        code, _, err = run(capsys, "segment", scan, "--model", model, "-o", output)
        assert code == 2 and str(output) in err
    assert scan.read_bytes() == before


def test_probabilities_masks_flips_and_ensembles(model, tmp_path, capsys):
    scan = make_scan(tmp_path / "scan.nii.gz")
    inside = np.zeros(SHAPE, dtype=np.uint8)
    inside[12:28, 10:26, 8:22] = 1
    mask = write(tmp_path / "mask.nii.gz", inside)
    options = ("--probabilities", "--flips", "--brain-mask", mask, "--model", "tiny", "--model", model)
    code, out, err = run(capsys, "segment", scan, *options)
    assert code == 0 and "model tiny and 1 more" in out
    labels = np.asarray(nibabel.load(tmp_path / "scan_kdnet-seg.nii.gz").dataobj)
    probabilities = np.asarray(nibabel.load(tmp_path / "scan_kdnet-prob.nii.gz").dataobj)
    assert probabilities.shape == (*SHAPE, 4) and np.allclose(probabilities.sum(-1), 1, atol=0.01)
    top = np.array([0, 1, 2, 4])[by_nested_regions(np.moveaxis(probabilities, -1, 0))[0]]
    assert np.mean(top == labels) > 0.999, "but for ties in half precision"
    assert labels.any() and not labels[inside == 0].any(), "nothing outside the mask"
    elsewhere = write(tmp_path / "elsewhere.nii.gz", inside, AFFINE @ np.diag([-1, 1, 1, 1]))
    code, _, err = run(capsys, "segment", scan, "--model", "tiny", "--brain-mask", elsewhere)
    assert code == 1 and "mm apart" in err, "a mask of another orientation would cut out the wrong part silently"


def test_a_folder_goes_on_after_a_bad_case_and_skips_what_is_done(model, tmp_path, capsys):
    study = tmp_path / "study"
    for case in ("a", "c"):
        make_scan(study / case / f"{case}_t1ce.nii.gz", seed=ord(case))
        write(study / case / f"{case}_flair.nii.gz", np.zeros(SHAPE, np.int16))
    (study / "b").mkdir()
    bad = study / "b" / "b_t1ce.nii.gz"
    bad.write_bytes((study / "a" / "a_t1ce.nii.gz").read_bytes()[:1000])
    code, out, err = run(capsys, "segment", study, "--model", "tiny")
    assert code == 1 and "2 done, 0 done already, 1 failed" in out
    assert re.search(r"^kdnet: b/b_t1ce: b_t1ce.nii.gz is truncated .*\.$", err, re.MULTILINE) and "Traceback" not in err
    results = tmp_path / "study-kdnet"
    files = sorted(path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file())
    assert files == ["a/a_t1ce_kdnet-seg.nii.gz", "c/c_t1ce_kdnet-seg.nii.gz", "kdnet-results.csv"]
    with open(results / "kdnet-results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == ["a/a_t1ce", "b/b_t1ce", "c/c_t1ce"] and "truncated" in rows[1]["error"]
    make_scan(bad)
    code, out, err = run(capsys, "segment", study, "--model", "tiny")
    assert code == 0 and "1 done, 2 done already, 0 failed" in out
    assert "3 done, 0 done already" in run(capsys, "segment", study, "--model", "tiny", "--flips")[1], "another setting is another result"


def test_what_cannot_start_is_one_sentence_and_code_2(model, tmp_path, capsys):
    scan = make_scan(tmp_path / "in" / "a_t1ce.nii.gz")
    (tmp_path / "empty").mkdir()
    wrong = {
        "no file or folder": ("segment", tmp_path / "nowhere.nii.gz"),
        "no model or model file": ("segment", scan, "--model", "nowhere"),
        "no device warp": ("segment", scan, "--model", "tiny", "--device", "warp"),
        "mask fits one scan": ("segment", scan.parent, "--model", "tiny", "--brain-mask", scan),
        "no name that the results' folder": ("segment", scan.anchor, "--model", "tiny"),
        "is a file": ("segment", scan.parent, "--model", "tiny", "-o", scan),
        "no post-contrast T1": ("segment", tmp_path / "empty", "--model", "tiny"),
        "not a KDNet model file": ("segment", scan, "--model", scan),
    }
    for sentence, arguments in wrong.items():
        code, out, err = run(capsys, *arguments)
        assert (code, out) == (2, "") and sentence in err and err.count("\n") == 1, arguments
    for arguments in (["segment"], [], ["segment", str(scan), "--brain-mask", "m", "--skull-strip"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2


def test_without_hd_bet_skull_stripping_says_how_to_get_it(model, tmp_path, capsys, monkeypatch):
    scan = make_scan(tmp_path / "a.nii.gz")
    monkeypatch.setenv("PATH", str(tmp_path))
    make_scan(tmp_path / "many" / "b_t1ce.nii.gz")
    for source in (scan, tmp_path / "many"):
        code, _, err = run(capsys, "segment", source, "--model", "tiny", "--skull-strip")
        assert code == 2 and err.count("pip install hd-bet") == 1 and not list(tmp_path.rglob("*kdnet-seg*")), "told before the first case"


@pytest.mark.skipif(os.name == "nt", reason="a script is a program on POSIX systems only")
def test_skull_stripping_hands_the_scan_to_hd_bet_and_uses_its_brain(model, tmp_path, capsys, monkeypatch):
    """A stand-in program with HD-BET's command line, whose brain is the lower half of the grid."""
    program = tmp_path / "bin" / "hd-bet"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport sys, nibabel, numpy\n"
        "source, target = (sys.argv[sys.argv.index(option) + 1] for option in ('-i', '-o'))\n"
        "scan = nibabel.load(source)\nbrain = numpy.asarray(scan.dataobj).copy()\nbrain[:, :, 15:] = 0\n"
        "nibabel.save(nibabel.Nifti1Image(brain, scan.affine), target)\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    scan = make_scan(tmp_path / "a.nii.gz")
    code, _, err = run(capsys, "segment", scan, "--model", "tiny", "--skull-strip")
    found = np.flatnonzero(np.asarray(nibabel.load(tmp_path / "a_kdnet-seg.nii.gz").dataobj).any(axis=(0, 1)))
    assert code == 0 and "Extracting the brain with HD-BET" in err
    assert len(found) and found.max() < 15 + 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_ends_cleanly_and_the_next_run_goes_on(model, tmp_path, capsys):
    study, results = tmp_path / "study", tmp_path / "results"
    for case in range(400):
        (study / f"{case:03}").mkdir(parents=True)
        os.link(make_scan(study / "first_t1ce.nii.gz") if case == 0 else study / "first_t1ce.nii.gz", study / f"{case:03}" / "x_t1ce.nii.gz")
    with kdnet("segment", study, "-o", results, "--model", "tiny", "--device", "cpu") as process:
        assert "ml" in process.stdout.readline()
        start = time.perf_counter()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130 and time.perf_counter() - start < 3
    assert err.splitlines()[-1] == "kdnet: Stopped; no half-written file is left." and "Traceback" not in err
    written = [path for path in results.rglob("*") if path.is_file()]
    assert all(path.name in ("kdnet-results.csv", "x_t1ce_kdnet-seg.nii.gz", "first_t1ce_kdnet-seg.nii.gz") for path in written)
    with open(results / "kdnet-results.csv", newline="") as file:
        done = sum(1 for _ in csv.DictReader(file))
    assert 1 <= done < 401 and done <= len(written) - 1 <= done + 1
    for path in results.rglob("x_t1ce_kdnet-seg.nii.gz"):
        np.asarray(nibabel.load(path).dataobj)
