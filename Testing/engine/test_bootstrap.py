"""The README's two commands: what they install and when, what they say when something is missing, what they draw."""

import json
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

import demo
import environment
from KDNetLib.labels import LABELS, from_classes

pytest.importorskip("PIL", reason="needs the extra 'demo', for the picture")
from demo_picture import draw  # noqa: E402  (needs pillow)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A real environment, made once."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return folder


@pytest.fixture
def prepared(folder, monkeypatch):
    """The pip commands that ``prepare`` would run in the environment ``folder``, where nothing is installed yet."""
    commands = []
    monkeypatch.setattr(environment, "ENVIRONMENT", folder)
    monkeypatch.setattr(environment, "_pip", lambda interpreter, *arguments: commands.append(arguments))
    (folder / "kdnet-installed.json").unlink(missing_ok=True)
    return commands


def test_second_start_installs_nothing_and_an_extra_is_added_to_what_is_there(prepared):
    interpreter = environment.prepare(["test"])
    assert interpreter.is_file() and len(prepared) == 2  # torch, then KDNet
    assert environment.prepare(["test"]) == interpreter and len(prepared) == 2
    environment.prepare(["bench"])
    assert prepared[-1][2].endswith("[bench,test]")
    environment.prepare(["test"])
    assert len(prepared) == 4


def test_a_change_of_the_requirements_installs_again(prepared):
    environment.prepare(["test"])
    stamp = environment.ENVIRONMENT / "kdnet-installed.json"
    stamp.write_text(json.dumps({"fingerprint": "of another pyproject.toml", "extras": ["test"]}), encoding="utf-8")
    environment.prepare(["test"])
    assert len(prepared) == 4


def test_a_broken_environment_is_made_anew(prepared, tmp_path, monkeypatch):
    broken = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(broken)], check=True)
    monkeypatch.setattr(environment, "ENVIRONMENT", broken)
    interpreter = environment.prepare(["test"])
    assert subprocess.run([str(interpreter), "-m", "pip", "--version"], capture_output=True).returncode == 0


def test_torch_is_pinned_so_that_no_newer_build_is_fetched(prepared):
    environment.prepare([])
    assert all(any(str(part).startswith("torch==2.13.0") for part in arguments) for arguments in prepared)


def test_a_failing_pip_is_one_sentence_and_its_output_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "ENVIRONMENT", tmp_path)
    with pytest.raises(environment.SetupError, match="no-such-kdnet.*check the network") as caught:
        environment._pip(Path(sys.executable), "install", "--no-index", "--target", str(tmp_path), "no-such-kdnet")
    assert "\n" not in str(caught.value)
    assert "no-such-kdnet" in (tmp_path / "kdnet-pip.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("version", [(3, 9, 18), (3, 14, 0)])
def test_an_unfit_python_is_named(monkeypatch, version):
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(environment.SetupError, match=f"3.10 to 3.13 and this is Python {version[0]}.{version[1]}"):
        environment.prepare([])


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries are looked for on Linux only")
def test_a_missing_library_is_told_by_its_debian_package(monkeypatch):
    monkeypatch.setattr(environment, "LINUX_LIBRARIES", {"libkdnet-missing.so.1": "libkdnet1", "libc.so.6": "libc6"})
    assert environment.missing_debian_packages() == ["libkdnet1"]


def phantom(tmp_path: Path, orientation: str) -> list[Path]:
    """A scan and its labels, stored in ``orientation``, with a tumour in the patient's left half."""
    scan = np.zeros((60, 72, 50), dtype=np.int16)  # RAS
    scan[8:52, 8:64, 8:42] = 300
    scan[30:52, 40:60, 10:30] = 400
    labels = np.zeros(scan.shape, dtype=np.uint8)
    labels[12:24, 20:34, 20:32] = 2
    labels[14:22, 22:32, 22:30] = 3
    ras, there = (nibabel.orientations.axcodes2ornt(tuple(axes)) for axes in ("RAS", orientation))
    turn = nibabel.orientations.ornt_transform(ras, there)
    folder = tmp_path / orientation
    folder.mkdir()
    paths = []
    for name, array in (("scan", scan), ("labels", from_classes(labels))):
        paths.append(folder / f"{name}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)).as_reoriented(turn), paths[-1])
    return paths


def test_the_picture_shows_the_patient_not_the_file(tmp_path):
    pictures = [np.asarray(draw(*phantom(tmp_path, orientation))) for orientation in ("RAS", "LPS", "PIR")]
    assert all(np.array_equal(pictures[0], picture) for picture in pictures[1:])
    enhancing = (np.array(LABELS[2].colour) * 255).round()
    # The axial panel is the leftmost; the phantom's tumour lies in the left half, which is drawn on the right.
    panel = pictures[0][: pictures[0].shape[0] - 44, : 12 + 2 * 60]
    columns = np.nonzero((np.abs(panel.astype(int) - enhancing) < 40).all(axis=2))[1]
    assert columns.size > 20 and columns.min() > 12 + 60 * 0.75


def test_demo_leaves_the_segmentation_and_the_picture(tmp_path, monkeypatch, capfd):
    interpreter = Path(sys.executable)
    if not interpreter.with_name("kdnet.exe" if interpreter.suffix else "kdnet").is_file():
        pytest.skip("KDNet is not installed beside this interpreter; run_tests.py installs it")
    if not list((environment.ROOT / "Resources/Models").glob("*.safetensors")):
        pytest.skip("no model is bundled yet")
    monkeypatch.setattr(environment, "prepare", lambda extras: interpreter)
    monkeypatch.setattr(demo, "OUTPUT", tmp_path)
    monkeypatch.setattr(demo, "SEGMENTATION", tmp_path / "seg.nii.gz")
    monkeypatch.setattr(demo, "PICTURE", tmp_path / "picture.png")
    demo.main()
    assert nibabel.load(tmp_path / "seg.nii.gz").shape == nibabel.load(demo.SAMPLE).shape
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert "Whole tumour" in capfd.readouterr().out


def test_a_failing_step_of_the_demo_is_one_sentence(capfd):
    with pytest.raises(environment.SetupError, match=r"^The demo failed in a step \(exit code 3\); .*$"):
        demo.run("a step", [sys.executable, "-c", "import sys; sys.exit(3)"])
