"""The README's example of an own system and an own network: exactly this text is trained, exported and read back, in a copy of the packages."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from training.generated_cases import write_case

ROOT = Path(__file__).resolve().parents[2]

#: What the README tells a reader to write, file by file; a file that is there already gets the lines at the end of its list.
EXAMPLE = next(
    "\n" + block for block in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL) if "hints.py" in block
)

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
