"""What the tests of the command ``kdnet`` share: an installation, a tiny model, scans, and ways to run it."""

import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from KDNetLib.cli.main import main
from KDNetLib.model_file import save_model
from KDNetLib.networks.encoder_decoder import EncoderDecoder

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
