"""Two processes under torchrun (gloo) against one process with the doubled batch."""

import json
import os
import subprocess
import sys

import pytest
import torch

PROGRAM = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
from KDNetTrainingLib.systems.registry import SYSTEMS
from KDNetTrainingLib.training.checkpoints import Checkpoints
from KDNetTrainingLib.training.distributed import world
from KDNetTrainingLib.training.trainer import Trainer
from training.test_trainer import SETTINGS, Events, cases
import json
torch.set_num_threads(1)
folder, batch = Path(sys.argv[1]), int(sys.argv[2])
settings = replace(SETTINGS, batch_size=batch)
with world(torch.device("cpu")) as processes:
    events = Events()
    teacher = SYSTEMS["teacher"].make(settings, None).network
    system = SYSTEMS["gt+kl+kd"].make(settings, teacher)
    none = type("Interruption", (), {"reason": None, "reason_after_epoch": None})()
    Trainer(system, cases(5), cases(3), 2, settings, Checkpoints(folder, events.append), processes, events, none).run()
    if processes.leads:
        (folder / "events.json").write_text(json.dumps(events.of("epoch")))
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
def test_two_processes_are_one_with_the_doubled_batch(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    two = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for name, launcher, batch in (("one", [sys.executable], 4), ("two", two, 2)):
        (tmp_path / name).mkdir()
        subprocess.run([*launcher, str(program), str(tmp_path / name), str(batch)], env=environment, check=True, timeout=300)
    one, together = (json.loads((tmp_path / name / "events.json").read_text()) for name in ("one", "two"))
    assert len(one) == len(together) == 2
    for first, second in zip(one, together):
        for part in ("train", "validation"):
            assert set(first[part]) == set(second[part])
            assert second[part] == pytest.approx(first[part], rel=2e-3, abs=2e-4)
        assert first["best"] == second["best"]


DROPPING = """
import sys
from pathlib import Path
import torch
from KDNetTrainingLib.systems.registry import SYSTEMS
from KDNetTrainingLib.training.checkpoints import Checkpoints
from KDNetTrainingLib.training.distributed import world
from KDNetTrainingLib.training.trainer import Trainer
from training.test_trainer import SETTINGS, Events, cases
torch.set_num_threads(1)
folder = Path(sys.argv[1])
with world(torch.device("cpu")) as processes:
    system = SYSTEMS["u-hemis"].make(SETTINGS, None)
    none = type("Interruption", (), {"reason": None, "reason_after_epoch": None})()
    drawn, real = [], system.draw
    system.draw = lambda: drawn.append(real()) or drawn[-1]
    Trainer(system, cases(4), [], 2, SETTINGS, Checkpoints(folder, print), processes, Events(), none)._train_epoch()
    torch.save({"drawn": drawn, "weights": system.state_dict()}, folder / f"{processes.rank}.pt")
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
def test_two_processes_that_drop_different_modalities_keep_the_same_weights(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(DROPPING)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([*launcher, str(program), str(tmp_path)], env=environment, check=True, timeout=300)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert first["drawn"] != second["drawn"] and len(first["drawn"]) == len(second["drawn"]) == 2
    assert all(torch.equal(weight, second["weights"][name]) for name, weight in first["weights"].items())
