"""The command ``kdnet`` itself: help, plugins, failures, progress, and its models."""

import os
import re
import subprocess
import sys
import time

import pytest
from cli_support import declare, installed, kdnet, model, run  # noqa: F401 (fixtures)

import KDNetLib
from KDNetLib.cli.main import main
from KDNetLib.cli.progress import Progress


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


def test_the_details_are_shown_by_whatever_fails(model, tmp_path, capsys):
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"nothing")
    for arguments in (("models", "show", "nowhere"), ("segment", broken, "--model", "tiny")):
        assert "Traceback" not in run(capsys, *arguments)[2]
        assert "Traceback" in run(capsys, *arguments, "--debug")[2]
    assert "Traceback" in run(capsys, "models", "--debug", "show", "nowhere")[2]


@pytest.mark.skipif(os.name == "nt", reason="a closed pipe is another error on Windows")
def test_a_reader_that_closes_the_pipe_is_no_error(model):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "KDNetLib.cli.main", "models", "show", "tiny"]
    result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (result.returncode, result.stderr) == (0, "")


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
