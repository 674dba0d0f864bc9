"""Model files: written and read whole; damaged, foreign and hostile ones are refused and take no memory."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load, save

from engine.generated import DESCRIPTION, random_model, random_network, within_eight_bits
from engine.generated_models import HOSTILE_MODELS, damaged_headers, unpack
from KDNetLib.errors import ModelError
from KDNetLib.manifest import METADATA_KEY, read_manifest, weights_hash
from KDNetLib.model_file import load_model, save_model


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> bytes:
    return random_model(tmp_path_factory.mktemp("sound") / "model.safetensors").read_bytes()


def test_what_is_written_is_read_again(tmp_path):
    network = random_network(3, levels=4, skips=2, width=3)
    path = tmp_path / "new" / "model.safetensors"
    written = save_model(path, network, DESCRIPTION)
    loaded, manifest = load_model(path)
    assert manifest == written == read_manifest(path)
    assert manifest.architecture == {"name": "EncoderDecoder", "parameters": {"channels": 1, "classes": 4, "width": 3, "levels": 4, "skips": 2}}
    assert {key: getattr(manifest, key) for key in DESCRIPTION} == DESCRIPTION
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    assert loaded.state_dict().keys() == network.state_dict().keys()
    for key, value in network.state_dict().items():
        assert loaded.state_dict()[key].dtype == torch.float32
        assert torch.equal(loaded.state_dict()[key], value.half().float())
    assert [entry.name for entry in path.parent.iterdir()] == ["model.safetensors"]


def test_in_eight_bits_a_file_is_half_as_large_and_a_weight_off_by_half_a_step_at_most(tmp_path):
    network = random_network(3, width=8)
    with torch.no_grad():
        next(network.parameters())[0] = 0  # a part without any weight has no scale to find
    halves, eighths = tmp_path / "halves.safetensors", tmp_path / "eighths.safetensors"
    save_model(halves, network, DESCRIPTION)
    save_model(eighths, network, DESCRIPTION, eight_bits=True)
    assert eighths.stat().st_size < 0.55 * halves.stat().st_size
    kept, exact = load_model(eighths)[0].state_dict(), load_model(halves)[0].state_dict()
    assert kept.keys() == exact.keys()
    for key, value in exact.items():
        assert within_eight_bits(kept[key], value) and kept[key].dtype == torch.float32
        assert value.ndim == 1 or value.shape[0] == 1 or not torch.equal(kept[key], value)


def with_other_scales(content: bytes, damage: str) -> bytes:
    """A file of 8-bit weights whose scales are missing or wrong, its hash and all else right."""
    tensors, header = load(content), unpack(content)[0]
    for key in [key for key in tensors if key.endswith(".scale")]:
        scale = tensors.pop(key)
        if damage != "no scale":
            tensors[key] = scale[:-1] if damage == "scale too short" else scale.astype(np.float16)
    kinds = {"int8": "I8", "float16": "F16", "float32": "F32"}
    fields = json.loads(header["__metadata__"][METADATA_KEY])
    fields["sha256"] = weights_hash((key, kinds[str(tensors[key].dtype)], tensors[key].shape, tensors[key].tobytes()) for key in sorted(tensors))
    return save(tensors, {METADATA_KEY: json.dumps(fields)})


@pytest.mark.parametrize("damage", ["no scale", "scale too short", "scale in half precision"])
def test_a_scale_that_is_not_as_it_must_be_is_refused(tmp_path, damage):
    path = tmp_path / "model.safetensors"
    save_model(path, random_network(), DESCRIPTION, eight_bits=True)
    path.write_bytes(with_other_scales(path.read_bytes(), damage))
    with pytest.raises(ModelError, match=r"the scale of '.*' is missing or of a wrong shape"):
        load_model(path)


def test_the_file_is_plain_safetensors(tmp_path):
    path = random_model(tmp_path / "model.safetensors")
    with safe_open(path, framework="pt") as file:
        assert set(file.keys()) == set(random_network().state_dict())
        assert json.loads(file.metadata()[METADATA_KEY])["title"] == DESCRIPTION["title"]


def test_the_manifest_is_read_without_torch(tmp_path):
    path = random_model(tmp_path / "model.safetensors")
    program = (
        "import sys\n"
        "for name in ('torch', 'numpy', 'safetensors', 'nibabel', 'scipy'): sys.modules[name] = None\n"
        "from KDNetLib.manifest import read_manifest\n"
        "print(read_manifest(sys.argv[1]).title)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == DESCRIPTION["title"], done.stderr


@pytest.fixture(scope="module")
def answers(sound, tmp_path_factory):
    """What reading each hostile file gave, all in one process of their own, and by how much its peak memory grew (MB)."""
    pytest.importorskip("resource", reason="this system does not tell a process's peak memory")
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "sound.safetensors").write_bytes(sound)
    for index, make in enumerate(HOSTILE_MODELS.values()):
        (folder / f"{index}.safetensors").write_bytes(make(sound))
    program = (
        "import json, resource, sys\n"
        "from pathlib import Path\n"
        "from KDNetLib.errors import ModelError\n"
        "from KDNetLib.manifest import read_manifest\n"
        "from KDNetLib.model_file import load_model\n"
        "folder, count = Path(sys.argv[1]), int(sys.argv[2])\n"
        "load_model(folder / 'sound.safetensors')\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "answers = []\n"
        "for index in range(count):\n"
        "    before, found = peak(), []\n"
        "    for read in (read_manifest, load_model):\n"
        "        try: read(folder / f'{index}.safetensors'); found.append(['accepted', ''])\n"
        "        except ModelError as error: found.append(['ModelError', str(error)])\n"
        "        except BaseException as error: found.append([type(error).__name__, str(error)[:200]])\n"
        "    answers.append([*found, peak() - before])\n"
        "print(json.dumps(answers))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program, folder, str(len(HOSTILE_MODELS))], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return dict(zip(HOSTILE_MODELS, json.loads(done.stdout)))


@pytest.mark.parametrize("what", HOSTILE_MODELS)
def test_hostile_file_is_refused_in_a_sentence_and_takes_no_memory(answers, what):
    card, loaded, megabytes = answers[what]
    assert card[0] in ("ModelError", "accepted"), "the card may be readable, a crash may not be"
    assert loaded[0] == "ModelError"
    message = loaded[1]
    assert ".safetensors" in message and len(message) < 500
    assert message.endswith(".") and not re.search(r"[.!?] [A-Z]", message)
    assert megabytes < 16  # a header of 4 MB at most, taken apart


def test_a_bit_flipped_in_the_header_is_refused_or_changes_words_alone(sound, tmp_path):
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(sound)
    original, manifest = load_model(path)
    refused = 0
    for place, content in damaged_headers(sound):
        path.write_bytes(content)
        try:
            network, found = load_model(path)
        except ModelError:
            refused += 1
            continue
        assert found.sha256 == manifest.sha256 and found.preprocessing == manifest.preprocessing, place
        for key, value in original.state_dict().items():
            assert torch.equal(network.state_dict()[key], value), place
    assert refused > 50


def test_missing_files_and_folders_are_refused(tmp_path):
    for path in (tmp_path / "nowhere.safetensors", tmp_path):
        with pytest.raises(ModelError, match="cannot be read"):
            load_model(path)


def test_incomplete_descriptions_and_useless_weights_are_not_written(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(ModelError, match="licence"):
        save_model(path, random_network(), {key: value for key, value in DESCRIPTION.items() if key != "licence"})
    for value in (float("nan"), 1e6):  # half precision ends at 65504
        network = random_network()
        network.head.bias[0] = value
        with pytest.raises(ModelError, match="no numbers in half precision"):
            save_model(path, network, DESCRIPTION)
    assert list(tmp_path.iterdir()) == []


def test_the_hash_is_over_names_types_shapes_and_bytes(sound):
    """By the standard library alone, as the manifest's text says."""
    import hashlib

    header, weights = unpack(sound)
    digest = hashlib.sha256()
    for key in sorted(set(header) - {"__metadata__"}):
        entry = header[key]
        digest.update(f"{key} {entry['dtype']} {entry['shape']}\n".encode())
        digest.update(weights[slice(*entry["data_offsets"])])
    assert json.loads(header["__metadata__"][METADATA_KEY])["sha256"] == digest.hexdigest()
