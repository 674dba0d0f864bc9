"""Models at hand: import checks everything and leaves nothing half done, whatever the file says of itself."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from KDNetLib import model_store
from KDNetLib.errors import ModelError
from KDNetLib.manifest import METADATA_KEY, read_manifest
from KDNetLib.model_card import model_card
from KDNetLib.model_file import load_model, save_model
from KDNetLib.model_store import default_model, find_model, fingerprint, import_model, list_models, remove_model
from KDNetLib.networks.encoder_decoder import EncoderDecoder

DESCRIPTION = {
    "name": "tiny",
    "title": "Tiny student",
    "modalities": ["T1ce"],
    "preprocessing": {"preset": "whole-brain", "spacing": 4.0},
    "classes": ["background", "NCR", "ED", "ET"],
    "training": {"summary": "Not trained."},
    "measured": [{"dataset": "BraTS 2021", "cases": 4, "space": "native", "dice": {"ET": 0.5, "TC": 0.6, "WT": 0.7}, "command": "kdnet evaluate a b"}],
    "licence": "MIT",
    "citation": "Hu et al. 2020",
}


def make_model(path, seed=0, **changes) -> Path:
    torch.manual_seed(seed)
    save_model(path, EncoderDecoder(width=2, levels=2, skips=1), DESCRIPTION | changes)
    return Path(path)


def rewrite_manifest(path, **changes):
    """Save the weights of ``path`` again under a manifest that save_model would not write."""
    weights = load_model(path)[0].half().state_dict()
    content = dict(vars(read_manifest(path))) | changes
    save_file({key: value.contiguous() for key, value in weights.items()}, path, metadata={METADATA_KEY: json.dumps(content)})


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty user folder, and a bundle of one model."""
    monkeypatch.setenv("KDNET_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(model_store, "resources_folder", lambda: tmp_path / "bundle")
    make_model(tmp_path / "bundle" / "Models" / "shipped.safetensors", name="shipped")
    return tmp_path / "home" / "models"


def left_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_import_find_and_remove(tmp_path, home):
    source = make_model(tmp_path / "download (1).safetensors")
    model = import_model(source)
    assert (model.name, model.path, model.bundled, model.error) == ("tiny", home / "tiny.safetensors", False, None)
    assert model.path.read_bytes() == source.read_bytes() and left_in(home) == ["tiny.safetensors"]
    assert [(model.name, model.bundled) for model in list_models()] == [("shipped", True), ("tiny", False)]
    assert find_model("tiny") == model.path and find_model(str(source)) == source
    assert default_model() == find_model("shipped")
    load_model(model.path)
    remove_model("tiny")
    assert left_in(home) == [] and [model.name for model in list_models()] == ["shipped"]


def test_importing_again_and_replacing(tmp_path, home):
    first, second = make_model(tmp_path / "1.safetensors"), make_model(tmp_path / "2.safetensors", seed=1)
    import_model(first)
    (home / "tiny.safetensors").write_bytes(altered(first.read_bytes()))
    import_model(first)  # the very same model is no conflict, and mends its copy
    assert (home / "tiny.safetensors").read_bytes() == first.read_bytes()
    with pytest.raises(ModelError, match="another model called tiny"):
        import_model(second)
    assert (home / "tiny.safetensors").read_bytes() == first.read_bytes()
    import_model(second, replace=True)
    assert (home / "tiny.safetensors").read_bytes() == second.read_bytes() and left_in(home) == ["tiny.safetensors"]
    shouting = make_model(tmp_path / "3.safetensors", name="TINY")
    with pytest.raises(ModelError, match="another model called TINY"):
        import_model(shouting)


@pytest.mark.parametrize("replacing", [False, True])
def test_a_bundled_model_is_neither_replaced_nor_removed(tmp_path, home, replacing):
    with pytest.raises(ModelError, match="bundled"):
        import_model(make_model(tmp_path / "x.safetensors", seed=1, name="shipped"), replacing)
    assert import_model(find_model("shipped"), replacing).bundled
    with pytest.raises(ModelError, match="bundled"):
        remove_model("shipped")
    assert left_in(home) == []


HOSTILE_NAMES = ["../../evil", "/etc/evil", "a/b", "a\\b", "C:evil", "..", ".hidden", "", " ", "con", "NUL.txt", "lpt1", "a" * 65, "a\0b", "a\nb", "é", "end.", "-rf", "\ud800"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_that_is_no_safe_file_name_is_refused(tmp_path, home, name):
    source = make_model(tmp_path / "x.safetensors")
    rewrite_manifest(source, name=name)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ModelError, match="cannot be a file's name|damaged"):
        import_model(source, replace=True)
    assert sorted(tmp_path.rglob("*")) == before


def altered(data):
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("damage", [altered, lambda data: data[:-10], lambda data: data[:5], lambda data: b"", lambda data: b"PK\3\4" + data])
def test_a_damaged_file_is_refused_and_nothing_is_left(tmp_path, home, damage):
    source = make_model(tmp_path / "x.safetensors")
    source.write_bytes(damage(source.read_bytes()))
    with pytest.raises(ModelError, match="x.safetensors"):
        import_model(source)
    assert left_in(home) == []


def test_what_is_no_file_or_cannot_be_stored_is_one_sentence(tmp_path, home, monkeypatch):
    with pytest.raises(ModelError, match="no model file"):
        import_model(tmp_path)
    with pytest.raises(ModelError, match="models at hand are: shipped"):
        find_model("nowhere")
    with pytest.raises(ModelError, match="no imported model"):
        remove_model("../bundle/Models/shipped")
    (tmp_path / "occupied").write_text("a file where the folder should be")
    monkeypatch.setenv("KDNET_HOME", str(tmp_path / "occupied"))
    with pytest.raises(ModelError, match="cannot be copied"):
        import_model(make_model(tmp_path / "x.safetensors"))


def test_an_unusable_file_is_listed_with_its_error_and_can_be_removed(home):
    home.mkdir(parents=True)
    (home / "broken.safetensors").write_bytes(b"nonsense")
    broken = list_models()[-1]
    assert (broken.name, broken.manifest) == ("broken", None) and "broken.safetensors" in broken.error
    with pytest.raises(ModelError, match="broken.safetensors"):
        find_model("broken")
    remove_model("broken")
    assert left_in(home) == []


def test_without_a_bundled_model_the_default_is_an_error(tmp_path):
    shutil.rmtree(tmp_path / "bundle")
    with pytest.raises(ModelError, match="No usable model"):
        default_model()


def test_fingerprint_tells_models_apart(tmp_path):
    paths = [make_model(tmp_path / f"{seed}.safetensors", seed=seed) for seed in (0, 1)]
    first, second = map(fingerprint, ([paths[0]], [paths[1]]))
    assert first.startswith("tiny ") and first != second and fingerprint(paths) == f"{first} + {second}"


def test_the_card_tells_everything_and_obeys_nothing(tmp_path):
    manifest = read_manifest(make_model(tmp_path / "x.safetensors"))
    card = model_card(manifest)
    assert "| BraTS 2021 | 4 | native | 0.500 | 0.600 | 0.700 |" in card
    assert all(text in card for text in ("# Tiny student", "Not trained.", "MIT", "Hu et al. 2020", manifest.sha256, "kdnet evaluate a b"))
    hostile = replace(manifest, title="<img src=x>\n# new \x1b[2J", licence="[click](http://x) | `a`", training={"*a*": "\u202e<b>"}, architecture={"parameters": [1]})
    card = model_card(hostile)
    assert "\x1b" not in card and "\u202e" not in card and card.count("\n# ") == 0
    assert r"\<img src=x\> \# new" in card and r"\[click\](http://x) \| \`a\`" in card and r"**\*a\*:** \<b\>" in card


def test_the_store_needs_only_the_standard_library(tmp_path, home):
    """Slicer's own process lists models before torch is there."""
    import_model(make_model(tmp_path / "x.safetensors"))
    code = (
        "import sys; from KDNetLib import batch, model_card, model_store; "
        "assert model_store.list_models()[-1].name == 'tiny'; model_store.import_model(sys.argv[1]); "
        "assert not {'torch', 'numpy', 'nibabel', 'scipy', 'safetensors'} & set(sys.modules), sorted(sys.modules)"
    )
    package = Path(model_store.__file__).resolve().parents[1]
    command = [sys.executable, "-c", code, str(tmp_path / "x.safetensors")]
    subprocess.run(command, check=True, cwd=package)
