"""The README's snippets do what it says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def snippet(containing: str) -> str:
    """The one python block of the README that contains ``containing``."""
    found = [block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if containing in block]
    assert len(found) == 1
    return found[0]


@pytest.fixture
def bundled_model():
    from KDNetLib.errors import ModelError
    from KDNetLib.model_store import default_model

    try:
        return default_model()
    except ModelError as error:
        pytest.skip(str(error))


def test_tutorial_names_the_button_of_the_sample(slicer_bench):
    import slicer
    from bench import side_modules
    from KDNetSegmentationLib.sample_data import SAMPLE_NAME

    slicer_bench.load(ROOT / "KDNetSegmentation/KDNetSegmentation.py")
    slicer.app.startupCompleted.emit()
    (title,) = [sample["sampleName"] for sample in side_modules.registeredSamples if sample["nodeNames"] == SAMPLE_NAME]
    assert f"click **{title}**" in README


def test_readme_tells_how_many_poor_results_were_warned_of():
    student = (ROOT / "KDNetTraining/STUDENT.md").read_text(encoding="utf-8")
    section = student.split("## Reliability of the confidence\n")[1].split("\n## ")[0]
    rows = re.findall(r"^ +(?:ET|TC|WT) .* (\d+) +(\d+) +\d+$", section, re.MULTILINE)
    poor, warned = (sum(map(int, column)) for column in zip(*rows))
    cases = re.search(r"(\d+) cases, each judged", section)[1]
    words = f"Of {poor} results of the shipped model's students with Dice below 0.5, on {cases} cases, {warned} had a warning"
    assert len(rows) == 3 and words in " ".join(README.split())


def test_console_snippet_segments_the_loaded_sample(slicer_bench, bundled_model, capsys):
    import slicer

    slicer_bench.load(ROOT / "KDNetSegmentation/KDNetSegmentation.py")
    slicer.util.loadVolume(str(ROOT / "Resources/Sample/KDNetSampleT1ce.nii.gz"))
    names = {"slicer": slicer}
    exec(snippet("KDNetSegmentationLogic()"), names)
    names["logic"].shutdown()
    assert names["result"].volumes_ml["WT"] > 1
    assert "KDNetSampleT1ce KDNet segmentation" in capsys.readouterr().out


@pytest.mark.parametrize("script", ["KDNetBatch.py", "KDNetTrain.py"])
def test_script_of_an_installed_extension_is_found_as_the_readme_says(script, capsys):
    exec(snippet(f'"{script}"'), {})
    path = Path(capsys.readouterr().out.strip())
    assert path.name == script and path.is_file()


def test_plain_python_snippet_writes_a_label_map(bundled_model, tmp_path, monkeypatch):
    import nibabel
    import numpy as np

    monkeypatch.chdir(tmp_path)
    (tmp_path / "case_t1ce.nii.gz").symlink_to(ROOT / "Resources/Sample/KDNetSampleT1ce.nii.gz")
    exec(snippet("Segmenter([default_model()])"), {})
    written = nibabel.load("case_seg.nii.gz")
    assert written.shape == nibabel.load("case_t1ce.nii.gz").shape
    assert set(np.unique(written.dataobj)) <= {0, 1, 2, 4}


def test_training_snippet_trains(slicer_bench, tmp_path, monkeypatch, capsys):
    from training_support import SMALL
    from training.generated_cases import write_cases

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    slicer_bench.load(ROOT / "KDNetTraining/KDNetTraining.py")
    code = snippet("KDNetTrainingLogic()")
    # The paper's settings would take hours.
    for paper, here in (("/data/BraTS", write_cases(tmp_path / "cases", 3)), ("/data/run", tmp_path / "run"), ("epochs=100", "epochs=1, **SMALL")):
        assert paper in code
        code = code.replace(paper, str(here))
    names = {"SMALL": SMALL}
    exec(code, names)
    names["logic"].shutdown()
    assert names["state"].state == "finished"
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) > 1 and "'WT': " in printed[-1]


# A comment "# PATH" at a line's start names a file that the reader is to write (test_own_system.py writes and trains it).
@pytest.mark.parametrize("path", re.findall(r"(?<!^# )(?:Testing|KDNetSegmentation|KDNetTraining|Resources)/[\w./-]+\w", README, re.MULTILINE))
def test_paths_named_in_the_readme_exist(path):
    assert (ROOT / path).exists()
