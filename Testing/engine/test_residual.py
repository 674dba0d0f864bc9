"""The residual encoder-decoder against nnU-Net's own numbers of parameters, scipy's convolutions and formulas worked out by hand."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.utils.flop_counter import FlopCounterMode

from engine.generated import DESCRIPTION
from KDNetLib.model_file import load_model, save_model
from KDNetLib.networks.residual import ResidualBlock, ResidualEncoderDecoder

BLOCKS = (1, 3, 4, 6, 6)


def made(seed=0, **parameters):
    """With random weights everywhere, also where training begins with 0 or 1."""
    torch.manual_seed(seed)
    network = ResidualEncoderDecoder(**{"width": 2, "levels": 3, "skips": 2} | parameters).eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter.add_(torch.rand_like(parameter), alpha=0.3)
    return network


@pytest.mark.parametrize(("channels", "width", "levels", "published"), [
    # ResidualEncoderUNet of dynamic-network-architectures 0.4.4, its blocks per level and widths nnU-Net's, conv_bias False,
    # without the segmentation layers of the deeper levels, which only deep supervision uses.
    (1, 16, 5, 28010868), (4, 16, 5, 28012164), (1, 2, 5, 439058), (4, 32, 5, 62802308), (2, 4, 3, 68652),
])
def test_it_has_as_many_parameters_as_nnu_nets(channels, width, levels, published):
    with torch.device("meta"):
        network = ResidualEncoderDecoder(channels, width=width, levels=levels, skips=levels - 1)
    assert sum(parameter.numel() for parameter in network.parameters()) == published


@pytest.mark.parametrize("skips", range(5))
def test_number_of_parameters_by_hand(skips):
    """A convolution has a kernel and two numbers per normalised channel; a level's first block has a 1³ one besides."""
    w = 3
    widths = [w, 2 * w, 4 * w, 8 * w, 16 * w]

    def conv(a, b, kernel=27):
        return kernel * a * b + 2 * b

    expected = conv(1, w) + 2 * conv(w, w)  # stem and the top level's one block, which needs no shortcut of its own
    for above, own, count in zip(widths, widths[1:], BLOCKS[1:]):
        expected += conv(above, own) + conv(own, own) + conv(above, own, kernel=1) + 2 * (count - 1) * conv(own, own)
    for depth, level in enumerate((3, 2, 1, 0)):
        expected += 8 * widths[level + 1] * widths[level] + conv(widths[level] * (2 if depth < skips else 1), widths[level])
    expected += 4 * w + 4
    assert sum(p.numel() for p in ResidualEncoderDecoder(width=w, skips=skips).parameters()) == expected


def convolved(x, layer):
    """A convolution with padding that keeps the grid, then its stride, in float64: x (C, X, Y, Z)."""
    out = np.stack([sum(ndimage.correlate(c, k, mode="constant") for c, k in zip(x, kernel)) for kernel in layer.weight.double().numpy()])
    return out[:, :: layer.stride[0], :: layer.stride[1], :: layer.stride[2]]


def normalised(x, norm):
    mean, variance = x.mean(axis=(1, 2, 3), keepdims=True), x.var(axis=(1, 2, 3), keepdims=True)
    scale, shift = (p.double().numpy()[:, None, None, None] for p in (norm.weight, norm.bias))
    return (x - mean) / np.sqrt(variance + 1e-5) * scale + shift


def leaky(x):
    return np.where(x > 0, x, 0.01 * x)


def convolution(x, block):
    return leaky(normalised(convolved(x, block[0]), block[1]))


def residual(x, block, stride):
    out = normalised(convolved(convolution(x, block.first), block.second[0]), block.second[1])
    c, i, j, k = x.shape
    x = x.reshape(c, i // stride, stride, j // stride, stride, k // stride, stride).mean(axis=(2, 4, 6))
    if out.shape[0] != c:
        kernel, norm = block.shortcut[-2:]
        x = normalised(np.tensordot(kernel.weight.double().numpy()[:, :, 0, 0, 0], x, axes=1), norm)
    return leaky(out + x)


def doubled(x, up):
    """Each voxel becomes a 2³ block: the kernel times what it holds."""
    kernel = up.weight.double().numpy()
    return sum(np.stack([np.kron(x[a], kernel[a, b]) for b in range(kernel.shape[1])]) for a in range(len(x)))


@pytest.mark.parametrize("skips", [2, 1, 0])
def test_forward_is_the_described_network(skips):
    network = made(channels=2, skips=skips)
    x = np.random.default_rng(0).normal(size=(2, 8, 16, 8))
    value, kept = convolution(x, network.stem), []
    for level, blocks in enumerate(network.encoder):
        assert len(blocks) == BLOCKS[level]
        for index, block in enumerate(blocks):
            value = residual(value, block, 2 if level and not index else 1)
        kept.append(value)
    bottleneck = value
    for level, up, block in zip((1, 0), network.up, network.decoder):
        value = doubled(value, up)
        value = convolution(np.concatenate([kept[level], value]) if level >= 2 - skips else value, block)
    expected = np.tensordot(network.head.weight.double().numpy()[:, :, 0, 0, 0], value, axes=1) + network.head.bias.double().numpy()[:, None, None, None]
    tensor = torch.from_numpy(x)[None].float()
    found, features = network.encode(tensor)
    np.testing.assert_allclose(found[0].numpy(), bottleneck, rtol=1e-3, atol=1e-3)
    last = network.decode_features(found, features)
    np.testing.assert_allclose(last[0].numpy(), value, rtol=1e-3, atol=2e-3)
    np.testing.assert_allclose(network(tensor)[0].numpy(), expected, rtol=1e-3, atol=5e-3)


def test_the_papers_sizes():
    network = made(channels=4, levels=5, skips=4).eval()
    bottleneck, features = network.encode(torch.randn(1, 4, 64, 64, 64))
    assert network.divisor == 16 and bottleneck.shape == (1, 2 * 16, 4, 4, 4)
    assert [tuple(f.shape[1:3]) for f in features] == [(2, 64), (4, 32), (8, 16), (16, 8)]
    assert network.decode(bottleneck, features).shape == (1, 4, 64, 64, 64)


def test_no_level_has_more_than_320_channels():
    with torch.device("meta"):
        network = ResidualEncoderDecoder(width=32)
    assert [blocks[-1].second[0].out_channels for blocks in network.encoder] == [32, 64, 128, 256, 320]


def test_a_block_begins_as_its_shortcut():
    block, x = ResidualBlock(3, 3), torch.randn(1, 3, 4, 4, 4)
    torch.testing.assert_close(block(x), torch.nn.functional.leaky_relu(x, 0.01))
    halved = ResidualBlock(3, 3, stride=2)(x)
    torch.testing.assert_close(halved, torch.nn.functional.leaky_relu(x.reshape(1, 3, 2, 2, 2, 2, 2, 2).mean(dim=(3, 5, 7)), 0.01))


def test_skips_are_counted_from_the_deepest_level():
    """Without the topmost skip, what the topmost encoder level alone knows cannot pass."""
    for skips, passes in ((2, True), (1, False)):
        network = made(skips=skips)
        bottleneck, features = network.encode(torch.randn(1, 1, 16, 16, 16))
        changed = [features[0] + torch.randn_like(features[0]), *features[1:]]
        assert torch.equal(network.decode(bottleneck, features), network.decode(bottleneck, changed)) is not passes


def test_the_deepest_layers_are_those_around_the_bottleneck_and_the_first_parameter_sees_the_modalities():
    one, four = made(channels=1), made(channels=4)
    assert [sum(p.numel() for p in layer.parameters()) for layer in one.deepest_layers] == [
        sum(p.numel() for p in layer.parameters()) for layer in four.deepest_layers
    ]
    bottleneck, features = one.encode(torch.randn(1, 1, 16, 16, 16))
    assert one.deepest_layers[0](features[-1]).equal(bottleneck)
    assert next(iter(four.state_dict().values())).shape[1] == 4


@pytest.mark.parametrize("parameters", [{}, {"skips": 0, "channels": 4}])
def test_shares_of_the_work_are_those_of_the_counted_operations(parameters):
    network = made(levels=4, **parameters)
    shares, counts = [], []
    with FlopCounterMode(display=False) as counter:
        def step(share):
            shares.append(share)
            counts.append(counter.get_total_flops())

        network(torch.randn(1, parameters.get("channels", 1), 16, 16, 16), step)
    counted = np.diff([0, *counts]) / counts[-1]
    assert sum(shares) == pytest.approx(1) and len(shares) == 1 + sum(BLOCKS[:4]) + 6
    np.testing.assert_allclose(shares, counted, rtol=1e-6)


def test_raising_in_step_leaves_at_once():
    def stop(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made()(torch.randn(1, 1, 16, 16, 16), stop)


@pytest.mark.parametrize("name", ["channels", "classes", "width", "levels", "skips"])
@pytest.mark.parametrize("value", [-1, 10**9, 2.0, "2", None, True])
def test_parameters_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a whole number"):
        ResidualEncoderDecoder(**{"width": 2, name: value})


def test_a_model_file_gives_it_back(tmp_path):
    network = made(levels=5, skips=4)
    for parameter in network.parameters():
        parameter.copy_(parameter.half())  # what a model file keeps
    save_model(tmp_path / "residual.safetensors", network, DESCRIPTION | {"name": "residual"})
    loaded, manifest = load_model(tmp_path / "residual.safetensors")
    assert manifest.architecture == {"name": "ResidualEncoderDecoder", "parameters": network.parameters_given}
    x = torch.randn(1, 1, 32, 32, 32)
    assert torch.equal(loaded(x), network(x))
