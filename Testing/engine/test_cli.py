"""The command ``kdnet`` as a user meets it: files in, files out, sentences and exit codes."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

import KDNetLib
from KDNetLib.cli.main import main
from KDNetLib.cli.progress import Progress
from KDNetLib.model_file import save_model
from KDNetLib.network import EncoderDecoder

ROOT = Path(__file__).resolve().parents[2]
AFFINE = np.array([[-4.0, 0, 0, 80], [0, -4, 0, 70], [0, 0, 4, -60], [0, 0, 0, 1]])
SHAPE = (40, 36, 30)
DESCRIPTION = {
    "title": "Tiny \x1b[31mstudent", "modalities": ["T1ce"], "preprocessing": {"preset": "whole-brain", "spacing": 4.0},
    "classes": ["background", "NCR", "ED", "ET"], "training": {"summary": "Not trained."},
    "measured": [{"dataset": "none", "cases": 3, "space": "native", "dice": {"ET": 0.5, "TC": 0.6, "WT": 0.7}, "command": "none"}],
    "licence": "MIT", "citation": "none",
}  # fmt: skip


def declare(folder, name, entries):
    """What pip leaves of an installed package for others to find its entry points by."""
    info = folder / f"{name}-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[kdnet.commands]\n" + "\n".join(entries) + "\n")


@pytest.fixture(autouse=True)
def installed(tmp_path, monkeypatch):
    """The subcommands as pyproject.toml declares them, and an empty user folder; returns a folder on the path."""
    section = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split('[project.entry-points."kdnet.commands"]')[1].split("[")[0]
    site = tmp_path / "site"
    declare(site, "kdnet_slicer", [line.replace('"', "") for line in section.strip().splitlines()])
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("KDNET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (site, ROOT / "KDNetSegmentation", ROOT / "KDNetTraining"))))
    return site


@pytest.fixture
def model(tmp_path):
    """A model of random weights, imported as ``tiny``; its file is returned."""
    torch.manual_seed(0)
    path = tmp_path / "tiny.safetensors"
    save_model(path, EncoderDecoder(width=2, levels=2, skips=1), DESCRIPTION | {"name": "tiny"})
    assert main(["models", "import", str(path)]) == 0
    return path


def make_scan(path, seed=0):
    grid = np.indices(SHAPE).transpose(1, 2, 3, 0) - np.array(SHAPE) / 2
    brain = np.linalg.norm(grid / (np.array(SHAPE) * 0.42), axis=-1) < 1
    values = np.where(brain, np.random.default_rng(seed).normal(1000, 200, SHAPE), 0).astype(np.int16)
    return write(path, values)


def write(path, values, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, affine), path)
    return path


def kdnet(*arguments, **options):
    command = [sys.executable, "-m", "KDNetLib.cli.main", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def run(capsys, *arguments):
    """Exit code, standard output and standard error of ``kdnet`` with ``arguments``, in this process."""
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


# --- the command itself ---


def test_help_and_version_come_at_once():
    code = "import sys\nfrom KDNetLib.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "main(['models'])\nprint(sorted({'torch', 'numpy', 'nibabel', 'scipy'} & set(sys.modules)))"
    start = time.perf_counter()
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert time.perf_counter() - start < 2, "about 0.2 s where nothing else runs"
    for command in ("segment", "evaluate", "models"):
        assert re.search(rf"^ +{command} ", result.stdout, re.MULTILINE)
    assert result.stdout.splitlines()[-1] == "[]", "torch alone would take over a second"
    with kdnet("--version") as process:
        assert process.communicate()[0].strip() == f"kdnet {KDNetLib.__version__}"


def test_a_plugin_adds_a_command_and_a_broken_one_is_one_sentence(installed, tmp_path, capsys):
    (installed / "kdnet_plugin.py").write_text(
        "def add_parser(subparsers): subparsers.add_parser('fail').add_argument('--what')\n"
        "def run(arguments): raise ZeroDivisionError(arguments.what)\n"
    )
    (installed / "kdnet_imposter.py").write_text("raise AssertionError('ours was not taken first')")
    entries = ["fail = kdnet_plugin", "bad = kdnet_not_there", "models = kdnet_imposter"]
    declare(installed, "another", entries)
    code, out, err = run(capsys, "models")
    assert code == 0 and err == "kdnet: the command bad (kdnet_not_there) cannot be loaded: No module named 'kdnet_not_there'\n"
    code, out, err = run(capsys, "fail", "--what", "boom")
    assert code == 1 and "ZeroDivisionError: boom" in err and "--debug" in err and "Traceback" not in err
    assert "Traceback" in run(capsys, "fail", "--debug")[2]
    with pytest.raises(SystemExit) as stop:
        main(["bad"])
    assert stop.value.code == 2


@pytest.mark.skipif(os.name == "nt", reason="a closed pipe is another error on Windows")
def test_a_reader_that_closes_the_pipe_is_no_error(model):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "KDNetLib.cli.main", "models", "show", "tiny"]
    result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (result.returncode, result.stderr) == (0, "")


# --- segment ---


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
    top = np.array([0, 1, 2, 4])[probabilities.argmax(-1)]
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
    code, _, err = run(capsys, "segment", scan, "--model", "tiny", "--skull-strip")
    assert code == 1 and "pip install hd-bet" in err and not (tmp_path / "a_kdnet-seg.nii.gz").exists()


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


class Terminal:
    """A stream that says it is a terminal and keeps what a terminal would show on its last line."""

    def __init__(self):
        self.line = ""

    def isatty(self):
        return True

    def write(self, text):
        for part in re.split(r"(\r)", text):
            self.line = "" if part == "\r" else part + self.line[len(part) :] if part else self.line
        self.longest = max(getattr(self, "longest", 0), len(text) - 1)

    def flush(self):
        pass


def test_a_terminal_gets_one_line_that_rewrites_itself(monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    terminal = Terminal()
    progress = Progress("x" * 80 + "case", terminal)
    progress.update(0.1, "Segmenting")
    assert len(terminal.line) == 49 and terminal.line.endswith("xcase: Segmenting  10 %")
    progress = Progress("case", terminal)
    now[0] += 10
    progress.update(0.25, "Segmenting")
    assert terminal.line == "case: Segmenting  25 %, 30 s left"
    now[0] += 190
    progress.update(0.5, "Segmenting")
    assert terminal.line == "case: Segmenting  50 %, 3 min left"
    progress.update(0.51, "Segmenting")
    assert "50 %" in terminal.line, "not redrawn at once"
    progress.clear()
    assert terminal.line == ""


# --- evaluate ---


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


# --- models ---


def test_models_are_listed_shown_and_removed(model, capsys):
    code, out, _ = run(capsys, "models")
    assert code == 0 and out == run(capsys, "models", "list")[1]
    line = next(line for line in out.splitlines() if line.startswith("tiny"))
    assert "imported" in line and "Dice ET 0.50 TC 0.60 WT 0.70 on 3 cases" in line and "\x1b" not in line
    assert "**Licence:** MIT" in run(capsys, "models", "show", "tiny")[1]
    assert run(capsys, "models", "remove", "tiny")[:2] == (0, "Removed tiny.\n")
    assert "tiny" not in run(capsys, "models")[1]
    for arguments in (("show", "tiny"), ("remove", "tiny"), ("import", "nowhere.safetensors")):
        code, out, err = run(capsys, "models", *arguments)
        assert (code, out) == (2, "") and err.startswith("kdnet: There is no ") and err.count("\n") == 1
