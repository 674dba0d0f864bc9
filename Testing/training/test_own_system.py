"""The example of an own system and an own network: exactly this text is trained, exported and read back, in a copy of the packages."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from training.generated_cases import write_case

ROOT = Path(__file__).resolve().parents[2]

#: What a reader writes, file by file; a file that is there already gets the lines at the end of its list.
EXAMPLE = '''
# KDNetTraining/KDNetTrainingLib/systems/hints.py
"""Hints: the student's bottleneck shall be the teacher's, voxel by voxel (Romero et al., FitNets, ICLR 2015)."""

import torch

from KDNetTrainingLib.losses import segmentation_loss
from KDNetTrainingLib.systems.taught import TaughtSystem


class Hints(TaughtSystem):
    def losses(self, images, classes):
        with torch.no_grad():
            wanted, _ = self.teacher.encode(self.seen_by_teacher(images))
        bottleneck, features = self.network.encode(self.seen(images))
        logits = self.network.decode(bottleneck, features)
        terms = {"gt": segmentation_loss(classes, logits), "hint": (bottleneck - wanted).square().mean()}
        return {"loss": terms["gt"] + terms["hint"], **terms}, logits

# KDNetTraining/KDNetTrainingLib/systems/registry.py, in SYSTEMS
    "hints": Entry(
        "Hints", "GT and equal bottlenecks", _ALL, _ONE, "Romero et al., ICLR 2015", "hints.Hints",
        taught=True, takes_skips=True, takes_network=True,
    ),

# KDNetSegmentation/KDNetLib/networks/shallow.py
"""An encoder-decoder of two resolutions."""

import torch
from torch import nn
from torch.nn import functional

from KDNetLib.networks.base import MAX_CHANNELS, MAX_WIDTH, EncodingNetwork, check_whole_numbers
from KDNetLib.networks.blocks import conv_block


class Shallow(EncodingNetwork):
    divisor = 2

    def __init__(self, channels: int = 1, classes: int = 4, width: int = 16, skips: int = 1):
        super().__init__()
        self.parameters_given = {"channels": channels, "classes": classes, "width": width, "skips": skips}
        check_whole_numbers(self.parameters_given, {"channels": (1, MAX_CHANNELS), "classes": (2, 16), "width": (1, MAX_WIDTH), "skips": (0, 4)})
        self.above = conv_block(channels, width)
        self.below = conv_block(width, 2 * width, stride=2)
        self.last = conv_block(3 * width if skips else 2 * width, width)
        self.head = nn.Conv3d(width, classes, kernel_size=1)

    @property
    def deepest_layers(self):
        return [self.below]

    def encode(self, x, step=None):
        above = self.above(x)
        return self.below(above), [above]

    def decode_features(self, bottleneck, features, step=None):
        x = functional.interpolate(bottleneck, scale_factor=2, mode="trilinear")
        x = self.last(torch.cat((*features, x), dim=1) if self.parameters_given["skips"] else x)
        if step:
            step(1.0)
        return x

# KDNetSegmentation/KDNetLib/networks/registry.py, in ARCHITECTURES
    "Shallow": "shallow",

# KDNetTraining/KDNetTrainingLib/networks.py, in NETWORKS
    "shallow": "Shallow",
'''

EXPERIMENT = {
    "version": 1, "preset": "paper", "systems": ["hints", "hints-shallow"],
    "settings": {
        "crop": [32, 32, 32], "spacing": 4.0, "width": 2, "epochs": 2, "learning_rate": 0.01, "schedule": "polynomial", "inner_validation": 0.4,
    },
}

PROGRAM = """
import json, sys, torch
from pathlib import Path
from KDNetLib.model_file import load_model
from KDNetTrainingLib.cli import running
from KDNetTrainingLib.experiment_file import read_experiment
file, data, run = map(Path, sys.argv[1:])
assert running.start(read_experiment(file, "", {}), data, run, "cpu") == 0
found = {}
for path in (run / "models").iterdir():
    network, manifest = load_model(path)
    found[path.stem] = [manifest.architecture, manifest.modalities, list(network(torch.zeros(1, 1, 32, 32, 32)).shape)]
print(json.dumps(found))
"""


def written_out(example: str, root: Path) -> None:
    """Put the parts of ``example`` where their first lines say."""
    for part in example.split("\n# ")[1:]:
        place, text = part.split("\n", 1)
        name, _, variable = place.partition(", in ")
        path = root / name
        if variable:
            before, opening, after = path.read_text().partition(f"\n{variable} = {{\n")
            assert opening, f"{name} has no list {variable}"
            text = before + opening + after.replace("\n}\n", f"\n{text.strip(chr(10))}\n}}\n", 1)
        path.write_text(text)


def test_the_example_trains_exports_and_reads_back(tmp_path):
    for package in ("KDNetSegmentation/KDNetLib", "KDNetTraining/KDNetTrainingLib"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    written_out(EXAMPLE, tmp_path)
    for index in range(3):
        write_case(tmp_path / "data", f"BraTS2021_{index:05}", seed=index)
    (tmp_path / "own.json").write_text(json.dumps(EXPERIMENT))
    paths = [str(tmp_path / "KDNetSegmentation"), str(tmp_path / "KDNetTraining"), *sys.path]
    arguments = [str(tmp_path / name) for name in ("own.json", "data", "run")]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    names = {name: architecture["name"] for name, (architecture, _, _) in found.items()}
    assert names == {"own-hints": "EncoderDecoder", "own-hints-shallow": "Shallow"}
    assert all(modalities == ["t1ce"] and shape == [1, 4, 32, 32, 32] for _, modalities, shape in found.values())
    events = [json.loads(line) for line in (tmp_path / "run/events.jsonl").read_text().splitlines()]
    for label in EXPERIMENT["systems"]:
        epochs = [event for event in events if event["kind"] == "epoch" and event["training"] == f"all/{label}"]
        assert len(epochs) == 2 and all(set(event["train"]) == {"loss", "gt", "hint"} and event["train"]["hint"] > 0 for event in epochs)
    assert {event["training"] for event in events if event["kind"] == "training"} >= {"all/teacher", "all/teacher-shallow"}
