"""The trainer on small real networks: what it reports, how it stops, and what it does where memory or numbers fail."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from KDNetTrainingLib.data.cache import CachedCase
from KDNetTrainingLib.errors import Stopped, TrainingError
from KDNetTrainingLib.settings import settings_from
from KDNetTrainingLib.systems.registry import SYSTEMS
from KDNetTrainingLib.systems.supervised import Supervised
from KDNetTrainingLib.training.batches import Batches, seed_of
from KDNetTrainingLib.training.checkpoints import Checkpoints
from KDNetTrainingLib.training.distributed import World
from KDNetTrainingLib.training.trainer import Trainer, uses_bfloat16

CPU = World(torch.device("cpu"))
SETTINGS = settings_from({"crop": (32, 32, 32), "width": 2, "learning_rate": 0.01, "patience": 1, "spacing": 4.0})


def cases(count, tumour=True):
    found = []
    for index in range(count):
        rng = np.random.default_rng(index)
        images = rng.normal(size=(4, 63, 63, 63)).astype(np.float16)
        classes = np.zeros((64, 64, 64), np.uint8)
        if tumour:
            classes[20:44, 20:40, 24:40] = 2
            classes[24:36, 24:36, 28:36] = 3
            images[1, 24:36, 24:36, 28:36] += 3
            images[3, 20:44, 20:40, 24:40] += 3
        found.append(CachedCase(name=f"case-{index}", images=images, classes=classes, fine=2, volume_hash=""))
    return found


class Events(list):
    def __call__(self, **what):
        self.append(what)

    def of(self, kind):
        return [event for event in self if event["kind"] == kind]


class Asked:
    """In the place of an interruption: asked to end by what ``reason`` and ``after_epoch`` give."""

    def __init__(self, reason, after_epoch):
        self._reason, self._after_epoch = reason, after_epoch

    reason = property(lambda self: self._reason())
    reason_after_epoch = property(lambda self: self.reason or self._after_epoch())


def trainer(
    folder, epochs=2, settings=SETTINGS, system=None, training=3, validation=2, events=None, reason=lambda: None, after_epoch=lambda: None
):
    interruption = Asked(reason, after_epoch)
    events = Events() if events is None else events
    system = system or SYSTEMS["teacher"].make(settings, None)
    return Trainer(system, cases(training), cases(validation), epochs, settings, Checkpoints(folder, events.append), CPU, events, interruption)


def weights(system):
    return {name: weight.clone() for name, weight in system.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_it_learns_and_tells(tmp_path):
    events = Events()
    trained = trainer(tmp_path, epochs=8, events=events).run()
    epochs = events.of("epoch")
    assert [event["epoch"] for event in epochs] == list(range(1, 9)) and {event["epochs"] for event in epochs} == {8}
    assert epochs[-1]["train"]["loss"] < 0.8 * epochs[0]["train"]["loss"]
    assert all(set(event["validation"]) == {"loss", "ET", "TC", "WT"} for event in epochs)
    assert all(0.05 < event["memory_gb"] < 20 and event["gpu_gb"] is None for event in epochs)
    assert epochs[0]["best"] and epochs[-1]["left"] == 0 and 0 < epochs[0]["reading_seconds"] < epochs[0]["seconds"]
    first = events.of("steps")[0]
    assert (first["epoch"], first["step"], first["steps"]) == (1, 1, 3) and first["left"] > 0 and first["train"]["loss"] > 0
    assert not trained.training and not any(parameter.requires_grad for parameter in trained.parameters())
    # What comes back is the best epoch by validation Dice, not the last.
    best = max(epochs, key=lambda event: (sum(event["validation"][region] for region in ("ET", "TC", "WT")), -event["epoch"]))
    assert Checkpoints(tmp_path, print).load_best(CPU.device)["epoch"] == best["epoch"] == [e["epoch"] for e in epochs if e["best"]][-1]
    assert same(weights(trained), Checkpoints(tmp_path, print).load_best(CPU.device)["network"])


def test_the_seed_decides_everything(tmp_path):
    first = weights(trainer(tmp_path / "1").run())
    torch.manual_seed(99)
    assert same(weights(trainer(tmp_path / "2").run()), first)
    assert not same(weights(trainer(tmp_path / "3", settings=replace(SETTINGS, seed=1)).run()), first)


def test_every_system_of_a_fold_sees_the_same_samples():
    one, other = (Batches(cases(3), replace(SETTINGS, imitation=x), CPU) for x in (0.1, 0.9))
    for epoch in (0, 1):
        for (images, classes, names), (again, _, same_names) in zip(one.epoch(epoch, 0), other.epoch(epoch, 0)):
            assert torch.equal(images, again) and names == same_names
    assert seed_of(1, 2, 3) != seed_of(1, 3, 2) and seed_of(1, 23) != seed_of(12, 3)


def test_processes_share_every_batch_and_leave_no_case_out():
    batches = [Batches(cases(5), replace(SETTINGS, batch_size=2), World(torch.device("cpu"), rank, 2)) for rank in (0, 1)]
    names = [[names for _, _, names in each.epoch(3, 0)] for each in batches]
    assert [len(part) for part in names] == [2, 2]
    flat = [name for pair in zip(*names) for part in pair for name in part]
    assert set(flat) == {f"case-{index}" for index in range(5)} and flat[:3] == flat[5:]  # the first ones fill the last step
    alone = Batches(cases(5), replace(SETTINGS, batch_size=4), CPU)
    assert [name for _, _, names in alone.epoch(3, 0) for name in names] == flat


@pytest.mark.parametrize("after", [1, 4, 6])
def test_stopped_at_any_step_it_goes_on_to_the_very_same_weights(tmp_path, after):
    events = Events()
    expected = weights(trainer(tmp_path / "whole", epochs=3, events=events).run())
    asked = iter([None] * after + ["SIGTERM"] * 9)
    stopped = Events()
    with pytest.raises(Stopped, match="SIGTERM"):
        trainer(tmp_path / "cut", epochs=3, events=stopped, reason=lambda: next(asked)).run()
    resumed = Events(stopped)
    assert same(weights(trainer(tmp_path / "cut", epochs=3, events=resumed).run()), expected)
    told = [[(e["epoch"], e["train"], e["validation"], e["learning_rate"], e["best"]) for e in each.of("epoch")] for each in (events, resumed)]
    assert told[0] == told[1]


def test_asked_to_end_after_the_epoch_it_finishes_that_one_and_goes_on_to_the_very_same_weights(tmp_path):
    expected = weights(trainer(tmp_path / "whole").run())
    events = Events()
    with pytest.raises(Stopped, match=r"^Stopped \(on request\) after epoch 1 of 2; everything is saved.$"):
        trainer(tmp_path / "cut", events=events, after_epoch=lambda: "on request").run()
    assert [event["epoch"] for event in events.of("epoch")] == [1]
    assert same(weights(trainer(tmp_path / "cut").run()), expected)
    events = Events()
    trainer(tmp_path / "last", epochs=1, events=events, after_epoch=lambda: "on request").run()  # nothing is left to stop
    assert [event["epoch"] for event in events.of("epoch")] == [1]


def test_a_finished_training_is_prolonged_as_if_it_had_been_longer(tmp_path):
    expected = weights(trainer(tmp_path / "whole", epochs=4).run())
    trainer(tmp_path / "grown", epochs=2).run()
    assert same(weights(trainer(tmp_path / "grown", epochs=4).run()), expected)


def test_without_validation_the_last_epoch_counts(tmp_path):
    settings = replace(SETTINGS, schedule="polynomial", inner_validation=0.0)
    events = Events()
    trained = trainer(tmp_path, settings=settings, validation=0, events=events).run()
    assert [event["validation"] for event in events.of("epoch")] == [{}, {}] and all(event["best"] for event in events.of("epoch"))
    assert same(weights(trained), Checkpoints(tmp_path, print).load(CPU.device)["network"])


class Broken(Supervised):
    """Gives no number from a step on."""

    steps = 4

    def losses(self, images, classes):
        found, logits = super().losses(images, classes)
        if self.training:
            self.steps -= 1
        return ({**found, "loss": found["loss"] * float("nan")} if self.steps < 0 else found), logits


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(tmp_path):
    with pytest.raises(TrainingError, match="not a finite number in epoch 2, case case-[012]; the checkpoint of epoch 1 is intact"):
        trainer(tmp_path, system=Broken(("t1ce",), SETTINGS)).run()
    state = Checkpoints(tmp_path, print).load(CPU.device)
    assert state["epoch"] == 1 and all(torch.isfinite(weight).all() for weight in state["network"].values())


class Small(Supervised):
    """A machine whose memory takes so many samples at once and no more."""

    room = 1

    def losses(self, images, classes):
        if self.training and len(images) > self.room:
            raise torch.OutOfMemoryError("out of memory")
        return super().losses(images, classes)


def test_too_large_a_batch_is_done_in_parts_with_the_same_result(tmp_path):
    settings = replace(SETTINGS, batch_size=4)
    events = Events()
    whole = weights(trainer(tmp_path / "whole", epochs=1, settings=settings, system=Supervised(("t1ce",), settings), training=4).run())
    parts = weights(trainer(tmp_path / "parts", epochs=1, settings=settings, system=Small(("t1ce",), settings), training=4, events=events).run())
    assert [event["message"] for event in events.of("warning")] == [
        f"Memory does not suffice for the whole batch; going on with {count} parts of it one after the other." for count in (2, 4)
    ]
    for name, weight in whole.items():
        # Adam's first step is the gradient's sign times the rate: where the gradient is almost 0 rounding decides.
        assert (weight - parts[name]).abs().mean() < 1e-4


def test_no_memory_even_for_one_sample_is_a_sentence(tmp_path):
    system = Small(("t1ce",), SETTINGS)
    system.room = 0
    with pytest.raises(TrainingError, match="cpu has not enough memory for a step; .*smaller batch_size, crop or width"):
        trainer(tmp_path, system=system).run()


def test_precision():
    cpu = torch.device("cpu")
    assert [uses_bfloat16(name, cpu) for name in ("auto", "float32", "bfloat16")] == [False, False, True]


def test_bfloat16_trains_with_weights_in_float32(tmp_path):
    system = trainer(tmp_path, epochs=1, settings=replace(SETTINGS, precision="bfloat16"), training=1, validation=1).run()
    assert {parameter.dtype for parameter in system.parameters()} == {torch.float32}
