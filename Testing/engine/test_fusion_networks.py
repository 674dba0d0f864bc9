"""HeMIS, U-HeMIS, U-HVED and gated fusion against scipy's convolutions, their limit cases, and counts made by hand."""

from itertools import combinations

import numpy as np
import pytest
import torch
from scipy import ndimage

from engine.generated import DESCRIPTION, brain
from engine.test_network import doubled
from KDNetLib.image_io import Image
from KDNetLib.inference import predict
from KDNetLib.model_file import load_model, save_model
from KDNetLib.networks.any_subset import moments
from KDNetLib.networks.gated_fusion import GatedFusion
from KDNetLib.networks.hemis import HeMIS
from KDNetLib.networks.hved import UHVED, product_of_gaussians
from KDNetLib.networks.registry import architecture
from KDNetLib.networks.u_hemis import UHeMIS
from KDNetLib.preprocessing import Preprocessing
from KDNetLib.runners.runner import ONCE
from KDNetLib.segmenter import Segmenter

NETWORKS = (HeMIS, UHeMIS, UHVED, GatedFusion)
SUBSETS = [subset for size in (1, 2, 3) for subset in combinations(range(3), size)]


def random_network(kind, channels, width=2):
    """With random norms too, so that none of them is 1 and 0 as at the beginning."""
    torch.manual_seed(1)
    network = kind(channels=channels, width=width).eval().requires_grad_(False)
    for parameter in network.parameters():
        if parameter.dim() == 1:
            parameter.copy_(1 + torch.randn(parameter.shape) / 2)
    return network


def scan(channels, side=16):
    return torch.randn(1, channels, side, side, side, generator=torch.Generator().manual_seed(2))


# What the layers do, in float64 and without torch; x is (C, X, Y, Z).


def convolved(x, layer, stride=1):
    mode = {"zeros": "constant", "reflect": "mirror"}[layer.padding_mode]
    kernels = layer.weight.double().numpy()
    out = np.stack([sum(ndimage.correlate(c, k, mode=mode) for c, k in zip(x, kernel)) for kernel in kernels])
    if layer.bias is not None:
        out += layer.bias.double().numpy()[:, None, None, None]
    return out[:, ::stride, ::stride, ::stride]


def normed(x, layer):
    mean, variance = x.mean(axis=(1, 2, 3), keepdims=True), x.var(axis=(1, 2, 3), keepdims=True)
    scale, shift = (p.double().numpy()[:, None, None, None] for p in (layer.weight, layer.bias))
    return (x - mean) / np.sqrt(variance + 1e-5) * scale + shift


def leaky(x, slope):
    return np.where(x > 0, x, slope * x)


def pooled(x):
    c, a, b, d = x.shape
    return x.reshape(c, a // 2, 2, b // 2, 2, d // 2, 2).max(axis=(2, 4, 6))


def block(x, part):
    """Norm, LeakyReLU, convolution; twice."""
    for norm, convolution in ((part[0], part[2]), (part[3], part[5])):
        x = convolved(leaky(normed(x, norm), 0.01), convolution)
    return x


def unet_encoded(encoder, x):
    x = leaky(convolved(x, encoder.stem[0]), 0.01)
    levels = []
    for level, part in enumerate(encoder.blocks):
        x = block(pooled(x) if level else x, part)
        levels.append(x)
    return levels


def unet_decoded(decoder, fused):
    x = fused[-1]
    for part, features in zip(decoder.blocks, fused[-2::-1]):
        x = block(np.concatenate([doubled(x), features]), part)
    return convolved(x, decoder.head[0])


def u_hemis_by_hand(network, x):
    encoded = [unet_encoded(encoder, x[i : i + 1]) for i, encoder in enumerate(network.encoders)]
    return unet_decoded(network.decoder, [np.concatenate([np.mean(level, axis=0), np.var(level, axis=0)]) for level in zip(*encoded)])


def u_hved_by_hand(network, x):
    encoded = [unet_encoded(encoder, x[i : i + 1]) for i, encoder in enumerate(network.encoders)]
    fused = []
    for level in zip(*encoded):
        halves = [np.split(features, 2) for features in level]
        precisions = [1 / (np.exp(log_variance) + 1e-7) for _, log_variance in halves]
        fused.append(sum(mean * precision for (mean, _), precision in zip(halves, precisions)) / (1 + sum(precisions)))
    return unet_decoded(network.decoder, fused)


def hemis_by_hand(network, x):
    found = []
    for i, encoder in enumerate(network.encoders):
        features = x[i : i + 1]
        for part in encoder.parts:
            features = np.maximum(normed(convolved(features, part[0]), part[1]), 0)
        found.append(ndimage.maximum_filter(features, size=(1, 2, 2, 2), origin=(0, -1, -1, -1), mode="constant"))
    variance = np.var(found, axis=0, ddof=1) if len(found) > 1 else np.zeros_like(found[0])
    features = np.concatenate([np.mean(found, axis=0), variance])
    features = np.maximum(normed(convolved(features, network.front[0]), network.front[1]), 0)
    return convolved(features, network.head[0])


def gated_by_hand(network, x):
    def layers(part, x, stride=1):
        for first in range(0, len(part), 3):
            x = leaky(normed(convolved(x, part[first], stride), part[first + 1]), 0.2)
        return x

    encoded = []
    for i, encoder in enumerate(network.encoders):
        features, levels = x[i : i + 1], []
        for level, (enter, residual) in enumerate(zip(encoder.entering, encoder.residual)):
            features = layers(enter, features, 2 if level else 1)
            features = features + layers(residual, features)
            levels.append(features)
        encoded.append(levels)
    fused = []
    for gate, fusion, level in zip(network.gates, network.fusions, zip(*encoded)):
        gates = 1 / (1 + np.exp(-normed(convolved(np.concatenate(level), gate[0]), gate[1])))
        fused.append(layers(fusion, np.concatenate([features * own for features, own in zip(level, gates)])))
    value = fused[-1]
    for widen, join, features in zip(network.widening, network.joining, fused[-2::-1]):
        value = layers(widen, value.repeat(2, axis=1).repeat(2, axis=2).repeat(2, axis=3))
        value = layers(join, np.concatenate([value, features]))
    return convolved(value, network.head[0])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("kind", "by_hand"), [(HeMIS, hemis_by_hand), (UHeMIS, u_hemis_by_hand), (UHVED, u_hved_by_hand), (GatedFusion, gated_by_hand)])
def test_forward_is_what_the_source_says(kind, by_hand, channels):
    network, x = random_network(kind, channels), scan(channels)
    expected = by_hand(network, x[0].double().numpy())
    np.testing.assert_allclose(network(x)[0].numpy(), expected, rtol=2e-3, atol=2e-3 * np.abs(expected).max())


@pytest.mark.parametrize("channels", [1, 4])
def test_number_of_parameters(channels):
    """By hand from the sources' tables; a norm has two numbers per channel and stands before or after each convolution."""
    w, n = 8, channels

    def block(entering, between, leaving):
        return 2 * entering + 27 * entering * between + 2 * between + 27 * between * leaving

    u_hemis = n * (w + block(8, 8, 4) + block(4, 16, 8) + block(8, 32, 16) + block(16, 64, 32))
    u_hemis += block(64 + 32, 32, 16) + block(16 + 16, 16, 8) + block(8 + 8, 8, 4) + 4 * 4 + 4
    u_hved = n * (w + block(8, 8, 8) + block(8, 16, 16) + block(16, 32, 32) + block(32, 64, 64))
    u_hved += block(32 + 16, 32, 16) + block(16 + 8, 16, 8) + block(8 + 4, 8, 4) + 4 * 4 + 4
    hemis = n * (125 * 48 + 2 * 48 + 125 * 48 * 48 + 2 * 48) + 125 * 96 * 16 + 2 * 16 + 125 * 16 * 4 + 4

    def layer(entering, leaving, kernel=27):
        return kernel * entering * leaving + 2 * leaving

    gated = 0
    for before, own in ((1, 16), (16, 32), (32, 64), (64, 128)):
        gated += n * (layer(before, own) + 2 * layer(own, own)) + layer(n * own, n) + layer(n * own, own, 1)
    for own in (64, 32, 16):
        gated += layer(2 * own, own) + layer(2 * own, own) + layer(own, own, 1)
    gated += 16 * 4 + 4
    found = [sum(p.numel() for p in kind(channels=n).parameters()) for kind in NETWORKS]
    assert found == [hemis, u_hemis, u_hved, gated]


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("kept", SUBSETS)
def test_a_restricted_network_is_the_whole_one_without_the_absent_modalities(kind, kept):
    network, x = random_network(kind, 3), scan(3)
    expected = network.decode(network.fuse(x, kept))
    changed = x.clone()
    changed[:, [channel for channel in range(3) if channel not in kept]] = 1e6
    assert torch.equal(network.decode(network.fuse(changed, kept)), expected)
    assert (len(kept) == 3) == torch.equal(network(x), expected)  # what is present does matter
    restricted = network.restricted(kept)
    assert restricted.parameters_given == {**network.parameters_given, "channels": len(kept)} and not restricted.training
    torch.testing.assert_close(restricted(x[:, list(kept)]), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_moments_of_one_modality_have_no_variance():
    features = list(torch.randn(3, 2, 4, 2, 2, 2, generator=torch.Generator().manual_seed(3)))
    for correction in (0, 1):
        alone = moments(features[:1], correction)
        assert torch.equal(alone[:, :4], features[0]) and not alone[:, 4:].any()
        expected = np.var([f.double().numpy() for f in features], axis=0, ddof=correction)
        np.testing.assert_allclose(moments(features, correction)[:, 4:].numpy(), expected, rtol=1e-5, atol=1e-6)


def test_product_of_gaussians():
    """One expert of variance 4 and mean 3 with the prior by the formula of two; three by integrating the product itself."""

    def product(*experts):
        mean, log_variance = product_of_gaussians([(torch.tensor([m]), torch.tensor([v]).log()) for m, v in experts])
        return mean.item(), log_variance.exp().item()

    assert product((3.0, 4.0)) == pytest.approx((3 / (1 + 4), 4 / (1 + 4)), rel=1e-5)
    assert product((3.0, 1e8)) == pytest.approx((0, 1), abs=1e-6)  # who knows nothing leaves the prior
    assert product((3.0, 1e-6)) == pytest.approx((3, 1e-6), abs=1e-5)  # who is sure is believed
    experts = [(1.5, 0.5), (-2.0, 3.0)]
    z = np.linspace(-12, 12, 200_001)
    density = np.exp(-(z**2) / 2) * np.prod([np.exp(-((z - m) ** 2) / (2 * v)) for m, v in experts], axis=0)
    density /= density.sum()
    mean = (z * density).sum()
    assert product(*experts) == pytest.approx((mean, ((z - mean) ** 2 * density).sum()), rel=1e-5)


def test_a_closed_gate_is_an_absent_modality():
    network, x = random_network(GatedFusion, 3), scan(3)
    for gate in network.gates:
        gate[1].weight.zero_()  # the gates are constant: what a modality contributes is its own features times its gate
        gate[1].bias.copy_(torch.tensor([0.5, -200.0, 1.0]))
    torch.testing.assert_close(network(x), network.decode(network.fuse(x, (0, 2))), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(network(x), network.decode(network.fuse(x, (1, 2))), atol=1e-2)


@pytest.mark.parametrize("kind", NETWORKS)
def test_shares_of_the_work_sum_to_one_and_raising_leaves_at_once(kind):
    network, x, shares = random_network(kind, 2), scan(2), []
    network(x, shares.append)
    assert sum(shares) == pytest.approx(1) and min(shares) > 0 and len(shares) > 5

    def stop(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        network(x, stop)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("name", ["channels", "classes", "width"])
@pytest.mark.parametrize("value", [0, 65, 10**9, 2.0, "2", None, True, [2]])
def test_parameters_out_of_range_are_refused(kind, name, value):
    with pytest.raises(ValueError, match=f"{name} must be a whole number"):
        kind(**{name: value})


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_model_file_of_it_segments_a_scan(kind, tmp_path):
    """What was trained with three modalities, exported for the second alone, gives the labels that the network itself gives."""
    whole = random_network(kind, 3)
    for parameter in whole.parameters():
        parameter.copy_(parameter.half().float())  # what a model file keeps
    network = whole.restricted([1])
    save_model(tmp_path / "model.safetensors", network, DESCRIPTION)
    loaded, manifest = load_model(tmp_path / "model.safetensors")
    assert type(loaded) is kind is architecture(manifest.architecture["name"])
    x = scan(1)
    assert torch.equal(loaded(x), network(x))
    array, _ = brain((44, 40, 36))
    image = Image(array, np.diag([2.0, 2.0, 2.0, 1.0]))
    found = Segmenter([tmp_path / "model.safetensors"], device="cpu").segment(image)
    prepared = Preprocessing(**manifest.preprocessing).prepare([array], image.affine, network.divisor)
    padded = torch.zeros(1, 3, *prepared.array.shape[1:])
    padded[:, 1] = torch.from_numpy(prepared.array[0])
    with torch.no_grad():
        expected, _ = prepared.restore(torch.softmax(whole.decode(whole.fuse(padded, [1])), dim=1)[0].numpy())
    assert (found.classes == expected).mean() > 0.9999 and len(np.unique(found.classes)) > 1
    probabilities, _ = predict([loaded], prepared.array, torch.device("cpu"), ONCE, lambda share: None, lambda message: None)
    assert np.isfinite(probabilities).all()
