"""The network against scipy's convolutions and formulas worked out by hand."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from engine.generated import random_network
from KDNetLib.networks.blocks import Convolution
from KDNetLib.networks.encoder_decoder import EncoderDecoder
from KDNetLib.networks.residual import ResidualEncoderDecoder


def block(x, convolution, norm):
    """Conv3d 3³ without bias, InstanceNorm, LeakyReLU 0.01, in float64: x (C, X, Y, Z)."""
    kernels = convolution.weight.double().numpy()
    out = np.stack([sum(ndimage.correlate(c, k, mode="constant") for c, k in zip(x, kernel)) for kernel in kernels])
    mean, variance = out.mean(axis=(1, 2, 3), keepdims=True), out.var(axis=(1, 2, 3), keepdims=True)
    scale, shift = (p.double().numpy()[:, None, None, None] for p in (norm.weight, norm.bias))
    out = (out - mean) / np.sqrt(variance + 1e-5) * scale + shift
    return np.where(out > 0, out, 0.01 * out)


def run(blocks, x):
    for part in blocks:
        x = block(x, part[0], part[1])
    return x


def doubled(x):
    """Trilinear interpolation with cell edges aligned: sample o lies at (o + 0.5) / 2 - 0.5, clamped."""
    for axis in (1, 2, 3):
        n = x.shape[axis]
        at = np.clip((np.arange(2 * n) + 0.5) / 2 - 0.5, 0, n - 1)
        x = np.apply_along_axis(lambda line: np.interp(at, np.arange(n), line), axis, x)
    return x


@pytest.mark.parametrize(("levels", "skips"), [(3, 2), (3, 1), (3, 0), (2, 1)])
def test_forward_is_the_papers_network(levels, skips):
    network = random_network(channels=2, levels=levels, skips=skips)
    for parameter in network.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    x = np.random.default_rng(0).normal(size=(2, 8, 12, 16))
    features, value = [], x
    for level, blocks in enumerate(network.encoder):
        if level:
            c, a, b, d = value.shape
            value = value.reshape(c, a // 2, 2, b // 2, 2, d // 2, 2).max(axis=(2, 4, 6))
        value = run(blocks, value)
        features.append(value)
    bottleneck = value
    for level, blocks in zip(reversed(range(levels - 1)), network.decoder):
        value = doubled(value)
        if level >= levels - 1 - skips:
            value = np.concatenate([features[level], value])
        value = run(blocks, value)
    head = network.head.weight.double().numpy()[:, :, 0, 0, 0]
    expected = np.einsum("kc,cxyz->kxyz", head, value) + network.head.bias.double().numpy()[:, None, None, None]
    tensor = torch.from_numpy(x)[None].float()
    found, kept = network.encode(tensor)
    np.testing.assert_allclose(found[0].numpy(), bottleneck, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(network.decode(found, kept)[0].numpy(), expected, rtol=1e-3, atol=2e-3)
    np.testing.assert_array_equal(network(tensor).numpy(), network.decode(found, kept).numpy())


def test_the_papers_sizes():
    network = EncoderDecoder(channels=4, width=4)
    logits = network(torch.randn(1, 4, 64, 64, 64))
    bottleneck, features = network.encode(torch.randn(1, 4, 64, 64, 64))
    assert logits.shape == (1, 4, 64, 64, 64) and network.divisor == 16
    assert bottleneck.shape == (1, 4 * 8, 4, 4, 4)
    assert [tuple(f.shape[1:3]) for f in features] == [(4, 64), (8, 32), (16, 16), (32, 8)]


@pytest.mark.parametrize("skips", range(5))
def test_number_of_parameters(skips):
    """By hand for width w: the encoder's and decoder's kernels, two numbers per normalised channel, and the head."""
    w = 4
    widths = [w, 2 * w, 4 * w, 8 * w, 16 * w]
    pairs = [(1, w), (w, w)]
    for above, own in zip(widths, widths[1:]):
        pairs += [(above, own), (own, own if own != 16 * w else 8 * w)]
    for depth, level in enumerate((3, 2, 1, 0)):
        entering = widths[level] * (2 if depth < skips else 1)
        pairs += [(entering, widths[level]), (widths[level], widths[max(level - 1, 0)])]
    expected = sum(27 * a * b + 2 * b for a, b in pairs) + 4 * w + 4
    assert sum(p.numel() for p in EncoderDecoder(width=w, skips=skips).parameters()) == expected


def test_skips_are_counted_from_the_deepest_level():
    """Without the topmost skip, what the topmost encoder level alone knows cannot pass."""
    for skips, passes in ((2, True), (1, False)):
        network = random_network(levels=3, skips=skips)
        bottleneck, features = network.encode(torch.randn(1, 1, 16, 16, 16))
        changed = [features[0] + 1 * torch.randn_like(features[0]), *features[1:]]
        assert torch.equal(network.decode(bottleneck, features), network.decode(bottleneck, changed)) is not passes


@pytest.mark.parametrize("parameters", [{"levels": 2, "skips": 0}, {"levels": 5, "skips": 4}, {"levels": 4, "skips": 1, "channels": 4}])
def test_shares_of_the_work_sum_to_one_and_follow_the_arithmetic(parameters):
    network = random_network(**parameters)
    shares = []
    side = 2 * network.divisor
    network(torch.randn(1, parameters.get("channels", 1), side, side, side), shares.append)
    assert sum(shares) == pytest.approx(1) and min(shares) > 0
    assert len(shares) == 2 * (2 * parameters["levels"] - 1)
    # the first block of the top level and the second: the ratio of their multiplications is that of input channels
    assert shares[1] / shares[0] == pytest.approx(2 / parameters.get("channels", 1))


def test_raising_in_step_leaves_at_once():
    calls = []

    def stop(share):
        calls.append(share)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        random_network()(torch.randn(1, 1, 16, 16, 16), stop)
    assert len(calls) == 1


@pytest.mark.parametrize("name", ["channels", "classes", "width", "levels", "skips"])
@pytest.mark.parametrize("value", [-1, 10**9, 1e9, 2.0, "2", None, True, [2]])
def test_parameters_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a whole number"):
        EncoderDecoder(**{"width": 2, name: value})


@pytest.mark.parametrize("batch", [1, 3])
def test_normalisation_is_torchs_instance_norm_and_keeps_the_layout(batch):
    own = EncoderDecoder(width=4).encoder[0][0][1]
    torchs = torch.nn.InstanceNorm3d(4, affine=True)
    with torch.no_grad():
        for norm in (own, torchs):
            norm.weight.copy_(torch.tensor([0.5, 1, 2, -1]))
            norm.bias.copy_(torch.tensor([0.0, 1, -1, 3]))
    x = torch.randn(batch, 4, 6, 5, 4, generator=torch.Generator().manual_seed(0)).contiguous(memory_format=torch.channels_last_3d)
    results, gradients = [], []
    for norm in (own, torchs):
        given = x.clone().requires_grad_()
        results.append(norm(given))
        (results[-1] ** 3).sum().backward()
        gradients.append([given.grad, norm.weight.grad, norm.bias.grad])
    torch.testing.assert_close(results[0], results[1])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-4)
    assert results[0].is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize(("channels", "size"), [(3, (4, 5, 6)), (2, (7, 6, 5)), (1, (9, 4, 4)), (2, (3, 6, 6)), (2, (5, 7, 3)), (3, (5, 3, 8)), (400, (8, 8, 4))])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_small_sample_in_halves_gives_torchs_convolution(channels, size, stride):
    torch.manual_seed(0)
    own = Convolution(channels, 2, stride).double()
    torchs = torch.nn.Conv3d(channels, 2, 3, stride, padding=1, bias=False).double()
    torchs.load_state_dict(own.state_dict())
    x = torch.randn(1, channels, *size, dtype=torch.double)
    found = {}
    for name, convolution in (("own", own), ("torch", torchs)):
        image = x.clone().requires_grad_()
        out = convolution(image)
        (out * torch.linspace(-1, 1, out.numel(), dtype=torch.double).view_as(out)).sum().backward()
        found[name] = out.detach(), image.grad, convolution.weight.grad
    for one, other in zip(found["own"], found["torch"]):
        torch.testing.assert_close(one, other)


def test_a_small_single_sample_is_given_to_onednn():
    network = EncoderDecoder(width=4, levels=3, skips=2)
    with torch.profiler.profile() as profile:
        network(torch.randn(1, 1, 16, 16, 16)).sum().backward()
    called = {event.key: event.count for event in profile.key_averages()}
    # torch's own place for 1×1×1 kernels of a single sample is the slow one.
    assert called.get("aten::slow_conv3d_forward", 0) <= 1 and called["aten::mkldnn_convolution"] >= 10


@pytest.mark.parametrize("kind", [EncoderDecoder, ResidualEncoderDecoder])
def test_bfloat16_gradients_do_not_depend_on_what_lay_in_memory(kind):
    """torch's own bfloat16 kernel, which the bottleneck of a small sample got, read memory that nobody had written."""
    for seed in range(6):
        torch.manual_seed(seed)
        network, x = kind(1, 4, 16).to(memory_format=torch.channels_last_3d), torch.randn(1, 1, 32, 32, 32)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(x.contiguous(memory_format=torch.channels_last_3d))
        left_over = [torch.full((count,), torch.nan) for count in (100, 1000, 5000, 20000, 100000, 300000, 1000000, 3000000) for _ in range(6)]
        del left_over
        logits.float().square().mean().backward()
        assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
