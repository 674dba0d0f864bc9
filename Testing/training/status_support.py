"""What the tests of ``kdnet status`` and ``kdnet stop`` share: a run whose events are written one by one, and the commands on it.

``from training.status_support import *`` gives the fixture; the rest is named.
"""

import argparse

import pytest

from KDNetTrainingLib.run.run_folder import RunFolder

__all__ = ["run"]

KEYS = ["fold-1/teacher", "fold-1/gt+kl+kd"]
DICE = {"ET": 0.5, "TC": 0.6, "WT": 0.7}


@pytest.fixture()
def run(tmp_path):
    return RunFolder(tmp_path / "run")


def begin(run, what="begin", epochs=(4, 12)):
    run.event(kind="run", what=what, trainings=KEYS, epochs=list(epochs))


def training(run, key=KEYS[0], epochs=4, from_epoch=0):
    run.event(kind="training", training=key, fold=1, system="teacher", epochs=epochs, cases=14, validation=2, from_epoch=from_epoch)


def steps(run, epoch, step, key=KEYS[0], left_run=100):
    run.event(
        kind="steps", training=key, epoch=epoch, epochs=4, step=step, steps=10, train={"loss": 2.0}, seconds_per_step=1.4, left=50, left_run=left_run,
    )  # fmt: skip


def epoch(run, number, key=KEYS[0], best=True, loss=1.0, validation=None):
    run.event(
        kind="epoch", training=key, epoch=number, epochs=4, train={"loss": loss, "gt": loss}, best=best, left_run=60, left=30, learning_rate=1e-4,
        validation={"loss": 1.5, **DICE} if validation is None else validation, seconds=20, reading_seconds=0.1, gpu_gb=None,
    )


def scores(run, key=KEYS[0]):
    run.event(kind="scores", training=key, cases=8, native={"ET": 0.71, "TC": 0.72, "WT": 0.73}, crop=DICE)


def parsed(module, *words):
    parser = argparse.ArgumentParser()
    module.add_parser(parser.add_subparsers())
    return parser.parse_args([module.__name__.split(".")[-1], *map(str, words)])


def command(capsys, module, *words):
    code = module.run(parsed(module, *words))
    return code, capsys.readouterr().out
