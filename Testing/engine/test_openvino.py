"""OpenVINO against torch: the same probabilities and labels, without importing torch; and what happens where it cannot take the work."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from engine.generated import DESCRIPTION, affine_of, brain, intensity_model, random_model, random_network
from KDNetLib import device, memory
from KDNetLib.device import available_devices, segmentation_device
from KDNetLib.errors import Cancelled, DeviceError, ModelError
from KDNetLib.image_io import Image
from KDNetLib.model_file import save_model
from KDNetLib.networks.ensemble import Ensemble, ensemble_of
from KDNetLib.networks.hemis import HeMIS
from KDNetLib.runners import openvino_runner
from KDNetLib.runners.runner import FLIPS, MIRRORED, ONCE
from KDNetLib.segmenter import Segmenter

pytest.importorskip("openvino", reason="OpenVINO is optional; install it with pip install openvino")
from KDNetLib.runners.openvino_graph import encoder_decoder  # noqa: E402
from KDNetLib.runners.openvino_runner import OpenVINORunner  # noqa: E402

ARCHITECTURES = [
    ({"channels": 1, "classes": 4, "width": 4, "levels": 5, "skips": 4}, (32, 48, 32)),
    ({"channels": 4, "classes": 4, "width": 3, "levels": 3, "skips": 0}, (8, 16, 12)),
    ({"channels": 2, "classes": 3, "width": 2, "levels": 4, "skips": 2}, (16, 16, 24)),
    ({"channels": 1, "classes": 4, "width": 1, "levels": 2, "skips": 1}, (4, 6, 10)),
]


@pytest.mark.parametrize(("parameters", "shape"), ARCHITECTURES)
def test_the_graph_gives_torchs_probabilities(parameters, shape):
    import openvino

    network = random_network(5, **parameters).eval()
    for norm in (part for part in network.modules() if isinstance(part, torch.nn.InstanceNorm3d)):  # else they are 1 and 0
        torch.nn.init.normal_(norm.weight, 1, 0.3)
        torch.nn.init.normal_(norm.bias)
    x = torch.randn(1, parameters["channels"], *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = torch.softmax(network(x), dim=1).numpy()
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    compiled = openvino.Core().compile_model(encoder_decoder(weights, parameters, shape), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    np.testing.assert_allclose(compiled([x.numpy()])[0], expected, atol=2e-5)


@pytest.mark.parametrize("change", ["lost", "besides", "shape"])
def test_weights_of_another_network_are_refused(change):
    parameters, shape = ARCHITECTURES[3]
    weights = {key: value.numpy() for key, value in random_network(0, **parameters).state_dict().items()}
    if change == "lost":
        del weights["encoder.1.1.0.weight"]
    elif change == "besides":
        weights["encoder.2.0.0.weight"] = weights["encoder.1.0.0.weight"]
    else:
        weights["head.weight"] = weights["head.weight"][:3]
    with pytest.raises(ModelError, match="do not fit the architecture"):
        encoder_decoder(weights, parameters, shape)


def models(folder, count=2):
    networks = [random_network(seed, width=4, levels=4, skips=3) for seed in range(count)]
    paths = [folder / f"{seed}.safetensors" for seed in range(count)]
    for path, network in zip(paths, networks):
        save_model(path, network, DESCRIPTION)
    save_model(folder / "all.safetensors", ensemble_of(networks), DESCRIPTION)
    return paths, folder / "all.safetensors"


@pytest.fixture
def float32(monkeypatch):
    """OpenVINO in float32 also on processors where it takes bfloat16: what random networks are compared with torch in."""
    monkeypatch.setattr(openvino_runner, "precision", lambda core: "f32")


@pytest.mark.parametrize("flips", [False, True])
def test_labels_agree_with_torchs(tmp_path, flips, float32):
    paths, ensemble = models(tmp_path)
    image = Image(brain((60, 66, 56) if not flips else (30, 34, 28))[0], affine_of())
    for several in ([paths[0]], paths, [ensemble]) if flips else ([paths[0]], [paths[1], ensemble]):  # files count alike
        found, expected = (Segmenter(several, device, flips).segment(image, probabilities=True) for device in ("openvino", "cpu"))
        assert (found.device, expected.device) == ("openvino", "cpu") and len(np.unique(found.classes)) > 1
        assert (found.classes == expected.classes).mean() >= 0.9999
        np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=2e-3)  # half precision
        assert found.promised == pytest.approx(expected.promised, abs=1e-4)


def test_a_known_tumour_is_found_and_a_second_scan_of_another_size_too(tmp_path):
    first, labels = brain((60, 66, 56))
    segmenter = Segmenter([intensity_model(tmp_path / "m.safetensors", first, (2, 2, 2))], "openvino")
    for _ in range(2):
        assert (segmenter.segment(Image(first, affine_of())).classes == labels).mean() > 0.999
    second, labels = brain((44, 50, 48), seed=1)
    assert (segmenter.segment(Image(second, affine_of())).classes == labels).mean() > 0.99


def test_weights_in_eight_bits_give_what_they_give_in_torch(tmp_path, float32):
    image, path = Image(brain((30, 34, 28))[0], affine_of()), tmp_path / "m.safetensors"
    save_model(path, ensemble_of([random_network(seed, width=4, levels=4, skips=3) for seed in (1, 2)]), DESCRIPTION, eight_bits=True)
    found, expected = (Segmenter([path], device).segment(image, probabilities=True).probabilities for device in ("openvino", "cpu"))
    np.testing.assert_allclose(found, expected, atol=2e-3)  # half precision


def test_the_mirror_image_is_averaged_as_in_torch(tmp_path, float32):
    image = Image(brain((30, 34, 28))[0], affine_of())
    path = random_model(tmp_path / "m.safetensors", description={"mirrored": True}, width=4, levels=4, skips=3)
    found, expected = (Segmenter([path], device).segment(image, probabilities=True).probabilities for device in ("openvino", "cpu"))
    np.testing.assert_allclose(found, expected, atol=2e-3)  # half precision
    shares = []
    OpenVINORunner([path]).predict(np.ones((1, 16, 16, 16), np.float32), MIRRORED, shares.append, print)
    assert sum(shares) == pytest.approx(1) and len([share for share in shares if share]) == 2


@pytest.mark.parametrize(("own", "taken"), [("bf16", "bf16"), ("f16", "f32"), ("f32", "f32")])
def test_bfloat16_is_taken_where_it_is_openvinos_own_choice(own, taken):
    import openvino

    class Core:
        def get_property(self, *asked):
            assert asked == ("CPU", "INFERENCE_PRECISION_HINT")
            return getattr(openvino.Type, own)

    assert openvino_runner.precision(Core()) == taken


def test_torch_is_not_imported(tmp_path):
    (path, _), _ = models(tmp_path)
    program = (
        "import sys\n"
        "import numpy as np\n"
        "from KDNetLib.image_io import Image\n"
        "from KDNetLib.segmenter import Segmenter\n"
        "array = np.zeros((24, 24, 24), np.float32)\n"
        "array[4:20, 4:20, 4:20] = np.random.default_rng(0).normal(100, 10, (16, 16, 16))\n"
        "result = Segmenter([sys.argv[1]], 'openvino').segment(Image(array, np.diag([2.0, 2, 2, 1])), probabilities=True)\n"
        "print(result.device, sorted({'torch', 'scipy.spatial'} & set(sys.modules)))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, env=environment, timeout=120)
    assert done.stdout.strip() == "openvino []", done.stderr


def test_progress_sums_to_one_and_cancelling_ends_it(tmp_path):
    paths, _ = models(tmp_path)
    volume = np.random.default_rng(0).normal(size=(1, 32, 32, 32)).astype(np.float32)
    shares = []
    OpenVINORunner(paths).predict(volume, FLIPS, shares.append, print)
    assert sum(shares) == pytest.approx(1) and len([share for share in shares if share]) == 16

    def stop(share):
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        OpenVINORunner(paths).predict(volume, ONCE, stop, print)


@pytest.mark.parametrize(("said", "used"), [("1", 1), ("x", None), ("0", None)])
def test_it_takes_as_many_threads_as_torch_would(tmp_path, monkeypatch, said, used):
    (path, _), _ = models(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    runner = OpenVINORunner([path])
    runner.predict(np.ones((1, 16, 16, 16), np.float32), ONCE, lambda share: None, print)
    threads = runner._compiled[0].get_property("INFERENCE_NUM_THREADS")
    assert threads == used if used else threads >= 1


@pytest.mark.parametrize("how", ["estimated", "refused"])
def test_torch_takes_over_where_memory_does_not_suffice(tmp_path, monkeypatch, float32, how):
    (path, _), _ = models(tmp_path)
    volume = np.random.default_rng(0).normal(size=(1, 32, 32, 32)).astype(np.float32)
    expected, _ = OpenVINORunner([path]).predict(volume, ONCE, lambda share: None, print)
    shares = []
    runner = OpenVINORunner([path])
    if how == "estimated":
        monkeypatch.setattr(memory, "available_bytes", lambda device: 1000)
    else:
        def refuse(*_):
            raise RuntimeError("Exception from src/inference: std::bad_alloc")

        monkeypatch.setattr(openvino_runner, "run_network", refuse)
    found, used = runner.predict(volume, ONCE, shares.append, print)
    assert used == "cpu" and sum(shares) == pytest.approx(1)
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("content", ["raise ImportError('libopenvino.so: cannot open shared object file')", "", "raise FileNotFoundError('libs')"])
def test_torch_takes_over_where_the_package_is_broken(tmp_path, monkeypatch, content):
    (path, _), _ = models(tmp_path)
    (tmp_path / "openvino").mkdir()
    (tmp_path / "openvino" / "__init__.py").write_text(content, encoding="utf-8")
    for name in [name for name in sys.modules if name.split(".")[0] == "openvino"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    image = Image(brain((24, 26, 22), (4.0, 4.0, 4.0))[0], affine_of((4.0, 4.0, 4.0)))
    messages = []
    segmenter = Segmenter([path], "openvino", on_message=messages.append)
    for _ in range(2):
        found = segmenter.segment(image)
        assert found.device == "cpu" and messages[-1] in found.warnings and "OpenVINO cannot be used here" in messages[-1]
    np.testing.assert_array_equal(found.classes, Segmenter([path], "cpu").segment(image).classes)
    for name in [name for name in sys.modules if name.split(".")[0] == "openvino"]:
        del sys.modules[name]  # the broken one; monkeypatch brings the real one back


def test_what_it_has_no_graph_for_runs_in_torch(tmp_path):
    torch.manual_seed(0)
    save_model(tmp_path / "m.safetensors", HeMIS(1, 4, 2), DESCRIPTION)
    image = Image(brain((24, 26, 22), (4.0, 4.0, 4.0))[0], affine_of((4.0, 4.0, 4.0)))
    assert Segmenter([tmp_path / "m.safetensors"], "openvino").segment(image).device == "cpu"


def test_damaged_files_are_refused_as_ever(tmp_path, monkeypatch):
    path = random_model(tmp_path / "m.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="SHA-256"):
        OpenVINORunner([path])
    network = random_network(width=2)
    network.parameters_given = {**network.parameters_given, "width": 10**6}
    save_model(path, network, DESCRIPTION)
    with pytest.raises(ModelError, match="width must be"):
        OpenVINORunner([path])
    ensemble = ensemble_of([random_network(seed, width=2) for seed in range(2)])
    ensemble.parameters_given = {**ensemble.parameters_given, "members": 3}
    save_model(path, ensemble, DESCRIPTION)
    with pytest.raises(ModelError, match="do not fit"):
        OpenVINORunner([path]).predict(np.zeros((1, 16, 16, 16), np.float32), ONCE, lambda share: None, print)
    ensemble = ensemble_of([random_network(seed, width=2) for seed in range(2)])
    monkeypatch.setattr(ensemble, "state_dict", lambda: {**Ensemble.state_dict(ensemble), "members.0": torch.zeros(1)})
    save_model(path, ensemble, DESCRIPTION)
    with pytest.raises(ModelError, match="not those of its members"):
        OpenVINORunner([path])
    for other in (3, 4):
        random_model(tmp_path / f"{other}.safetensors", levels=other, skips=1)
    with pytest.raises(ModelError, match="number of levels"):
        OpenVINORunner([tmp_path / "3.safetensors", tmp_path / "4.safetensors"])


def test_it_is_what_auto_means_on_a_machine_without_a_gpu(monkeypatch):
    if len(available_devices()) == 3:  # auto, openvino, cpu
        assert available_devices() == ["auto", "openvino", "cpu"] and segmentation_device("auto") == "openvino"
    assert segmentation_device("openvino") == "openvino" and segmentation_device("cpu") == "cpu"
    monkeypatch.setattr(device, "has_openvino", lambda: False)
    assert "openvino" not in available_devices() and segmentation_device("auto") != "openvino"
    with pytest.raises(DeviceError, match="pip install openvino"):
        segmentation_device("openvino")
