"""Prediction in one pass, in tiles and over flips, against forwards made by hand; and what happens without memory."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from engine.generated import random_network
from KDNetLib import inference, memory
from KDNetLib.errors import DeviceError
from KDNetLib.inference import predict
from KDNetLib.memory import available_bytes, is_out_of_memory, needed_bytes
from KDNetLib.networks.base import Network
from KDNetLib.runners.runner import FLIPS, MIRRORED, ONCE

CPU = torch.device("cpu")


def ignore(_):
    pass


def volume(*shape, seed=0):
    return torch.randn(1, *shape, generator=torch.Generator().manual_seed(seed)).numpy()


def without_norm(network):
    """The network with every InstanceNorm taken out, so that a voxel depends on its surroundings alone."""
    for part in network.modules():
        if isinstance(part, torch.nn.Sequential) and isinstance(part[0], torch.nn.Conv3d):
            part[1] = torch.nn.Identity()
    return network


def little_memory(monkeypatch, voxels):
    """Let memory suffice for tiles of up to ``voxels`` only."""
    monkeypatch.setattr(memory, "available_bytes", lambda device: int(needed_bytes(voxels, 2, 4) / 0.8) + 1)


def test_one_pass_is_the_softmax_of_a_forward():
    network, x = random_network(), volume(24, 32, 16)
    found, device = predict([network], x, CPU, ONCE, ignore, ignore)
    logits = network(torch.from_numpy(x)[None])[0].double().numpy()
    expected = np.exp(logits) / np.exp(logits).sum(axis=0)
    assert device == CPU and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


ALL_FLIPS = [axes for count in range(4) for axes in itertools.combinations((0, 1, 2), count)]


@pytest.mark.parametrize(("flips", "flipped"), [(FLIPS, ALL_FLIPS), (MIRRORED, [(), (0,)])])
def test_flips_are_the_mean_of_as_many_forwards(flips, flipped):
    network, x = random_network(), volume(16, 24, 8)
    assert len(ALL_FLIPS) == 8
    parts = []
    for axes in flipped:
        turned = np.flip(x[0], axes).copy()
        probabilities = torch.softmax(network(torch.from_numpy(turned)[None, None])[0], dim=0).numpy()
        parts.append(np.flip(probabilities, [axis + 1 for axis in axes]))
    found = predict([network], x, CPU, flips, ignore, ignore)[0]
    np.testing.assert_allclose(found, np.mean(parts, axis=0), atol=1e-5)
    assert np.abs(found - parts[0]).max() > 1e-3, "flips change this network's answer, so the mean was really taken"


def test_an_ensemble_is_the_mean():
    networks, x = [random_network(seed) for seed in (1, 2, 3)], volume(16, 16, 24)
    single = [predict([network], x, CPU, ONCE, ignore, ignore)[0] for network in networks]
    found = predict(networks, x, CPU, ONCE, ignore, ignore)[0]
    np.testing.assert_allclose(found, sum(single) / 3, atol=1e-6, rtol=1e-5)


def test_tiles_of_a_pointwise_network_equal_one_forward(monkeypatch):
    """Where a voxel's answer depends on that voxel alone, tiles must not be seen at all."""
    network = without_norm(random_network(levels=2, skips=1))
    for blocks in (*network.encoder, *network.decoder):
        for block in blocks:
            centre = block[0].weight[:, :, 1, 1, 1].clone()
            block[0].weight.zero_()
            block[0].weight[:, :, 1, 1, 1] = centre
    network.decoder[0][0][0].weight[:, 2:] = 0  # nothing from below, which would mix neighbours
    x, messages = volume(40, 50, 34), []
    whole = predict([network], x, CPU, ONCE, ignore, ignore)[0]
    little_memory(monkeypatch, 32**3)
    monkeypatch.setattr(inference, "_SMALLEST_TILE", 32)
    tiled = predict([network], x, CPU, ONCE, ignore, messages.append)[0]
    np.testing.assert_allclose(tiled, whole, atol=1e-5, rtol=0)
    assert messages == ["Memory of cpu does not suffice for the whole brain at once; working in tiles of 32×32×32."]


def test_tiles_of_a_network_without_norm_are_close_to_one_forward(monkeypatch):
    network, x = without_norm(random_network(levels=2, skips=1)), volume(48, 32, 32)
    whole = predict([network], x, CPU, ONCE, ignore, ignore)[0]
    little_memory(monkeypatch, 32**3)
    monkeypatch.setattr(inference, "_SMALLEST_TILE", 32)
    tiled = predict([network], x, CPU, ONCE, ignore, ignore)[0]
    difference = np.abs(tiled - whole)
    assert difference[:, :8].max() < 1e-5, "only the first tile sees this part"
    assert 0 < difference.max() < 0.05 * (whole.max() - whole.min())


@pytest.mark.parametrize("sides", [(160, 192, 144), (64, 64, 64), (48, 400, 32), (512, 512, 512)])
@pytest.mark.parametrize("divisor", [1, 8, 16, 64])
def test_tile_sizes_shrink_to_a_small_cube(sides, divisor):
    sides = tuple(-(-side // divisor) * divisor for side in sides)
    sizes = list(inference._tile_sizes(sides, divisor))
    assert sizes[0] == sides
    assert max(sizes[-1]) <= max(64, 2 * divisor, min(max(sides), 64))
    for before, after in zip(sizes, sizes[1:]):
        assert np.prod(after) < np.prod(before)
        assert all(side % divisor == 0 and side <= full for side, full in zip(after, sides))


@pytest.mark.parametrize(("side", "tile"), [(64, 64), (65, 64), (100, 64), (512, 64), (70, 96)])
def test_tiles_cover_every_voxel_and_overlap_by_half(side, tile):
    starts = inference._starts(side, tile)
    assert starts[0] == 0 and starts[-1] + tile >= side
    assert all(0 < after - before <= tile / 2 for before, after in zip(starts, starts[1:]))
    assert all(start + tile <= max(side, tile) for start in starts)


@pytest.mark.parametrize("flips", [ONCE, MIRRORED, FLIPS], ids=["once", "mirrored", "flips"])
@pytest.mark.parametrize("voxels", [10**9, 16**3])
def test_steps_sum_to_one(monkeypatch, flips, voxels):
    little_memory(monkeypatch, voxels)
    monkeypatch.setattr(inference, "_SMALLEST_TILE", 16)
    steps, messages = [], []
    predict([random_network(levels=2, skips=1)] * 2, volume(24, 16, 16), CPU, flips, steps.append, messages.append)
    assert bool(messages) == (voxels < 10**9)
    assert sum(steps) == pytest.approx(1) and min(steps) > 0


def test_a_device_that_runs_out_is_followed_by_smaller_tiles(monkeypatch):
    """The device's refusal is made by hand, in the words of torch's own; the sum of what was reported stays 1."""
    real, steps, messages = inference._predict_on, [], []

    def refuse_large(networks, x, tile, place, flips, step):
        if np.prod(tile) > 32**3:
            step(0.3)
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")
        return real(networks, x, tile, place, flips, step)

    monkeypatch.setattr(inference, "_predict_on", refuse_large)
    monkeypatch.setattr(inference, "_SMALLEST_TILE", 32)
    predict([random_network(levels=2, skips=1)], volume(48, 32, 32), CPU, ONCE, steps.append, messages.append)
    assert sum(steps) == pytest.approx(1)
    assert len(messages) == 1 and "tiles of 32×32×32" in messages[0]


def test_other_errors_are_not_taken_for_missing_memory():
    network = random_network()
    network.head.weight = torch.nn.Parameter(torch.zeros(4, 9, 1, 1, 1), requires_grad=False)
    with pytest.raises(RuntimeError, match="channels"):
        predict([network], volume(16, 16, 16), CPU, ONCE, ignore, ignore)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's address space so that allocations fail")
def test_real_shortage_of_memory():
    """In a process that may take more and more: first a sentence, then tiles, at last one pass; never a crash."""
    program = (
        "import resource, torch\n"
        "import numpy as np\n"
        "from engine.generated import random_network\n"
        "from KDNetLib.errors import DeviceError\n"
        "from KDNetLib import inference\n"
        "from KDNetLib.inference import predict\n"
        "torch.set_num_threads(1)\n"
        "network = random_network(width=4, levels=2, skips=1)\n"
        "def run(*shape):\n"
        "    messages = []\n"
        "    try: predict([network], np.zeros((1, *shape), np.float32), torch.device('cpu'), [()], lambda s: None, messages.append)\n"
        "    except DeviceError: return 'refused'\n"
        "    return 'tiles' if messages else 'whole'\n"
        "run(16, 16, 16)\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "inference._SMALLEST_TILE = 32\n"
        "for megabytes in range(15, 600, 5):\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * 2**20, resource.RLIM_INFINITY))\n"
        "    print(answer := run(128, 64, 64), flush=True)\n"
        "    if answer == 'whole': break\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=120)
    found = done.stdout.split()
    assert done.returncode == 0, done.stdout + done.stderr
    assert found[0] == "refused" and "tiles" in found and found[-1] == "whole"


def test_not_even_the_smallest_tile_fits(monkeypatch):
    def refuse(*_):
        raise MemoryError

    monkeypatch.setattr(inference, "_predict_on", refuse)
    with pytest.raises(DeviceError, match="not enough memory, even in small tiles"):
        predict([random_network()], volume(16, 16, 16), CPU, ONCE, ignore, ignore)


class Weightless(Network):
    """Its logits are the intensity times 1 to 4. It can be moved to the device "meta", which holds no values."""

    parameters_given, divisor = {"width": 1}, 8

    def forward(self, x, step=None):
        step(1.0)
        return torch.cat([x, 2 * x, 3 * x, 4 * x], dim=1)


def test_a_device_that_lacks_an_operation_gives_way_to_the_cpu():
    """From "meta" the result cannot be copied, which torch calls not implemented as it does an operation that a device lacks."""
    messages, shares = [], []
    found, place = predict([Weightless()], volume(16, 16, 16), torch.device("meta"), ONCE, shares.append, messages.append)
    expected, _ = predict([Weightless()], volume(16, 16, 16), CPU, ONCE, ignore, ignore)
    assert place == CPU and np.array_equal(found, expected) and sum(shares) == pytest.approx(1)
    assert messages == [f"The device meta cannot compute this network with torch {torch.__version__}; going on with the CPU, which is slower."]


def test_memory_is_told_and_its_lack_recognised():
    if sys.platform == "linux":
        assert 2**20 < available_bytes("cpu") < 2**50
    assert is_out_of_memory(MemoryError()) and is_out_of_memory(torch.OutOfMemoryError("x"))
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(RuntimeError("could not create a primitive"))
    assert not is_out_of_memory(RuntimeError("could not create a primitive descriptor for a convolution forward propagation primitive"))
    assert not is_out_of_memory(RuntimeError("shapes differ")) and not is_out_of_memory(ValueError("out of memory"))
