"""``kdnet systems``: every system under the paper's names, as a table and as JSON, without waiting for torch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from KDNetLib.errors import InputError
from KDNetTrainingLib.cli import systems
from KDNetTrainingLib.experiment_file import read_experiment
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.registry import SYSTEMS
from training.status_support import command

#: Table 2's rows and Table 1's comparators, as the paper calls them.
PAPER = ("Baseline", "Teacher", "GT+KL", "GT+KD", "GT+KL+KD", "HeMIS", "U-HVED")


def test_the_table_names_every_system_with_what_it_sees_and_its_source(capsys):
    code, text = command(capsys, systems)
    lines = text.splitlines()
    header, *rows = lines[: len(SYSTEMS) + 1]
    assert code == 0 and [row.split()[0] for row in rows] == list(SYSTEMS)
    columns = {name: header.index(name) for name in ("the paper's name", "trained with", "tested with", "skips")}
    shown = {row[columns["the paper's name"] :].split("  ")[0]: row for row in rows}
    assert set(PAPER) <= set(shown)
    assert shown["Teacher"][columns["tested with"] :].startswith("T1, T1ce, T2, FLAIR  ")
    assert shown["GT+KL+KD"][columns["trained with"] :].startswith("T1, T1ce, T2, FLAIR  ") and shown["GT+KL+KD"][columns["tested with"] :].startswith("T1ce  ")
    assert shown["Baseline"][columns["trained with"] :].startswith("T1ce  ") and shown["Baseline"][columns["skips"] :].startswith("0 to 4")
    assert shown["HeMIS"][columns["skips"] :].startswith("-")
    assert all(entry.source in text for entry in SYSTEMS.values()) and "hemis: Havaei" in text


def test_the_json_holds_everything(capsys):
    told = json.loads(command(capsys, systems, "--json")[1])
    assert [each["name"] for each in told] == list(SYSTEMS) and {each["title"] for each in told} >= set(PAPER)
    (student,) = [each for each in told if each["name"] == "gt+kd"]
    assert student["taught"] and student["takes_skips"] and "MICCAI 2020" in student["source"]


def test_nobody_waits_for_torch():
    program = "import sys, argparse; from KDNetTrainingLib.cli import systems; systems.run(argparse.Namespace(json=False)); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=True, stdout=subprocess.DEVNULL)


def test_the_files_that_come_along_are_the_papers_tables_and_every_system():
    table1, table2, tables, everything = (read_experiment(Path(name), "", {}) for name in ("table1", "table2", "tables", "all"))
    losses = ("baseline", "teacher", "gt+kl", "gt+kd", "gt+kl+kd")
    assert table2.systems == (*losses, *(f"{label}-0skips" for label in losses)) and len(table2.trainings()) == 3 * 10
    assert set(table1.systems) == {"baseline", "teacher", "gt+kl+kd", "u-hved", "hemis"}
    assert set(tables.systems) == {*table1.systems, *table2.systems}
    assert set(everything.systems) >= {*table1.systems, *table2.systems, "gt+kl+kd-residual"}
    assert {training.system for training in everything.trainings()} == set(SYSTEMS)
    assert all((plan.settings.epochs, plan.settings.folds) == (500, 3) for plan in (table1, table2, tables, everything))


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_takes_what_its_entry_says(name):
    entry = SYSTEMS[name]
    for ending, takes in (("-0skips", entry.takes_skips), ("-residual", entry.takes_network)):
        if takes:
            assert Plan((name + ending,), Settings(), "").trainings()[-1].label == name + ending
        else:
            with pytest.raises(InputError, match="there is no choice of"):
                Plan((name + ending,), Settings(), "")
