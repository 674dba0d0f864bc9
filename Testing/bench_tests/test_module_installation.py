"""The module as Slicer meets it: registration, terminology, sample data, dependencies, reload, self-test."""

from module_support import addVolume, click, segmentAndWait  # first: starts the bench
from module_fixtures import *  # noqa: F403

import hashlib
import subprocess
import sys
import types
from pathlib import Path

import pytest
import slicer
from bench import side_modules
from bench.side_modules import SampleDataLogic
from KDNetLib.errors import DependencyError
from KDNetSegmentationLib import dependencies


def test_module_describes_itself(module):
    assert module.title == "KDNet Segmentation"
    assert list(module.categories) == ["Segmentation"]
    assert "skull-stripped" in module.helpText


@pytest.mark.parametrize("name", ["KDNetSegmentation", "KDNetTraining"])
def test_help_says_that_it_is_for_research(bench, name):
    module = bench.load(Path(__file__).resolve().parents[2] / name / f"{name}.py").object
    assert "For research use only." in module.helpText


def test_startup_registers_sample_data_and_terms(module):
    slicer.app.startupCompleted.emit()
    assert slicer.modules.terminologies.logic().IsTerminologyContextLoaded("Segmentation category and type - KDNet")
    samples = {sample["nodeNames"]: sample for sample in side_modules.registeredSamples}
    assert list(samples) == ["KDNetSampleT1ce", "KDNetSampleT1ce-labels"]
    assert "ynthetic" in samples["KDNetSampleT1ce"]["sampleName"]
    for name, nodeClass in (("KDNetSampleT1ce", "ScalarVolume"), ("KDNetSampleT1ce-labels", "Segmentation")):
        path = Path(samples[name]["uris"].removeprefix("file://"))
        assert samples[name]["checksums"] == "SHA256:" + hashlib.sha256(path.read_bytes()).hexdigest()
        node = SampleDataLogic().downloadSample(samples[name]["sampleName"])
        assert nodeClass in node.GetClassName()


def test_slicers_process_imports_neither_torch_nor_nibabel():
    folder = Path(dependencies.__file__).resolve().parents[1]
    names = ["errors", "labels", "resources", "manifest", "model_store", "model_card", "batch"]
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n" + "".join(f"import KDNetLib.{n}\n" for n in names)
    code += "print(sorted({'torch', 'nibabel', 'safetensors', 'scipy'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


class FakePip:
    """Stands for Slicer's installer: packages are missing until it has run."""

    def __init__(self, monkeypatch, missing, works=True):
        self.missing = set(missing)
        self.calls = []
        self.works = works
        find = dependencies.importlib.util.find_spec
        monkeypatch.setattr(
            dependencies.importlib.util, "find_spec", lambda name: None if name in self.missing else find(name)
        )
        monkeypatch.setattr(dependencies, "_installTorch", lambda: self.install("torch"))
        packaging = types.ModuleType("slicer.packaging")
        packaging.pip_ensure = self.pip_ensure
        monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)

    def install(self, *names):
        self.calls.append(names)
        if self.works:
            self.missing -= set(names)

    def pip_ensure(self, requirements, prompt_install, prompt_restart, requester, show_progress):
        assert prompt_install is False
        self.settings = (prompt_restart, show_progress)
        self.install(*(requirement.name for requirement in requirements))


def test_the_gui_asks_once_for_everything(panel, bench, monkeypatch):
    pip = FakePip(monkeypatch, ["torch", "safetensors"])
    addVolume()
    panel.enter()
    bench.dialogs.press("Ok")
    segmentAndWait(panel)
    assert pip.calls == [("torch",), ("safetensors",)]
    assert len(bench.dialogs.shown) == 1 and "torch, safetensors" in bench.dialogs.shown[0][1]
    assert panel.ui.outputSelector.currentNode() is not None


def test_declined_installation_is_a_sentence(panel, bench, monkeypatch):
    pip = FakePip(monkeypatch, ["nibabel"])
    addVolume()
    panel.enter()
    bench.dialogs.press("Cancel")
    click(panel.ui.segmentButton)
    assert "cannot run without nibabel; try again" in panel.ui.statusLabel.text
    assert not pip.calls and not panel.logic.busy


def test_headless_never_asks(logic, model, bench, monkeypatch):
    bench.headless()
    pip = FakePip(monkeypatch, ["nibabel"])
    logic.segment(addVolume(), model=model)
    assert pip.calls == [("nibabel",)] and pip.settings == (False, False)
    assert not bench.dialogs.shown


def test_failed_installation_is_a_sentence(logic, model, bench, monkeypatch):
    bench.headless()
    FakePip(monkeypatch, ["nibabel"], works=False)
    with pytest.raises(DependencyError, match="nibabel could not be installed"):
        logic.segment(addVolume(), model=model)


def test_missing_pytorch_extension_is_a_sentence(logic, model, bench, monkeypatch):
    bench.headless()
    installTorch = dependencies._installTorch
    FakePip(monkeypatch, ["torch"])
    monkeypatch.setattr(dependencies, "_installTorch", installTorch)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    with pytest.raises(DependencyError, match="PyTorch extension"):
        logic.segment(addVolume(), model=model)


def test_self_test_passes_on_the_sample(module, model):
    slicer.selfTests["KDNetSegmentation"](msec=1)
