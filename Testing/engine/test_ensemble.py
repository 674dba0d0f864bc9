"""An ensemble in one file: the mean of its members' probabilities, whole or in tiles, and nothing hostile."""

import numpy as np
import pytest
import torch

from engine.generated import DESCRIPTION, affine_of, brain, random_model, random_network
from KDNetLib.errors import Cancelled, ModelError
from KDNetLib.image_io import Image
from KDNetLib.model_file import load_model, save_model
from KDNetLib.networks.ensemble import Ensemble, ensemble_of
from KDNetLib.segmenter import Segmenter

MEMBER = {"of": "EncoderDecoder", "channels": 1, "classes": 4, "width": 2, "levels": 3, "skips": 2}


def members(count=3, **parameters):
    return [random_network(seed, width=2, levels=3, skips=2, **parameters).eval() for seed in range(count)]


@torch.no_grad()
def test_its_softmax_is_the_mean_of_the_members():
    networks = members()
    x = torch.randn(2, 1, 16, 8, 12, generator=torch.Generator().manual_seed(0))
    expected = np.mean([torch.softmax(network(x), dim=1).numpy() for network in networks], axis=0)
    shares = []
    found = ensemble_of(networks)(x, shares.append)
    np.testing.assert_allclose(torch.softmax(found, dim=1), expected, atol=1e-6)
    assert sum(shares) == pytest.approx(1) and len(shares) > 3
    assert ensemble_of(networks).divisor == 4


def test_a_certain_zero_stays_a_number():
    networks = members(2)
    for network in networks:
        network.head.weight.data.zero_()
        network.head.bias.data = torch.tensor([500.0, -500, 0, 0])
    with torch.no_grad():
        found = ensemble_of(networks)(torch.zeros(1, 1, 8, 8, 8))
    assert torch.isfinite(found).all() and found.argmax(dim=1).eq(0).all()


def test_one_file_segments_as_its_members_files_together(tmp_path):
    networks = members()
    manifest = save_model(tmp_path / "all.safetensors", ensemble_of(networks), DESCRIPTION)
    assert manifest.architecture == {"name": "Ensemble", "parameters": {**MEMBER, "members": 3}}
    paths = [tmp_path / f"{place}.safetensors" for place in range(3)]
    for path, network in zip(paths, networks):
        save_model(path, network, DESCRIPTION)
    array, _ = brain((40, 44, 36))
    image = Image(array, affine_of())
    one, several = Segmenter([tmp_path / "all.safetensors"], "cpu").segment(image, probabilities=True), Segmenter(paths, "cpu").segment(image, probabilities=True)
    np.testing.assert_allclose(one.probabilities, several.probabilities, atol=2e-3)  # kept in half precision
    assert (one.classes == several.classes).mean() > 0.9999 and one.promised == pytest.approx(several.promised, abs=1e-4)
    asked = iter([False] * 12 + [True])
    with pytest.raises(Cancelled):
        Segmenter([tmp_path / "all.safetensors"], "cpu").segment(image, cancelled=lambda: next(asked))


@pytest.mark.parametrize("change", [{"of": "Ensemble"}, {"of": "os"}, {"of": ["EncoderDecoder"]}, {"members": 1}, {"members": 9}, {"members": True}, {"width": 10**6}, {"classes": 3}])
def test_a_hostile_file_is_refused(tmp_path, change):
    ensemble = ensemble_of(members(2))
    ensemble.parameters_given = {**ensemble.parameters_given, **change}
    save_model(tmp_path / "model.safetensors", ensemble, DESCRIPTION)
    with pytest.raises(ModelError, match="damaged|do not fit"):
        load_model(tmp_path / "model.safetensors")


def test_only_like_networks_are_combined():
    with pytest.raises(ValueError, match="different architectures"):
        ensemble_of([*members(1), random_network(0, width=3, levels=3, skips=2)])
    with pytest.raises(ValueError, match="members must be"):
        ensemble_of(members(1))
    with pytest.raises(ValueError, match="architecture of one network"):
        Ensemble("Ensemble", 2, width=2)
    assert Ensemble(members=2, **MEMBER).parameters_given["width"] == 2
