"""Finding cases, the cache, and augmentation: nothing moved between modalities, nothing half written."""

import dataclasses
import os
import signal
import subprocess
import sys

import nibabel
import numpy as np
import pytest
import torch

from engine.generated import affine_of, brain, save
from training.generated_cases import NEW, SPACING, write_case
from KDNetLib.errors import InputError
from KDNetLib.preprocessing import Preprocessing
from KDNetTrainingLib.data.augmentation import PAPER, Augmentation, random_crop
from KDNetTrainingLib.data.cache import cached_case
from KDNetTrainingLib.data.cases import MODALITIES, find_training_cases

STILL = Augmentation(flips=False, rotation_degrees=0, scale=0, elastic_mm=0, intensity=False)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_cases_of_every_edition_are_found_and_the_others_named(tmp_path):
    write_case(tmp_path / "HGG", "Brats18_CBICA_AAB_1")
    write_case(tmp_path / "LGG", "BraTS19_2013_0_1")
    write_case(tmp_path, "BraTS20_Training_001", ending=".nii")
    write_case(tmp_path, "BraTS2021_00410")
    write_case(tmp_path, "BraTS-GLI-00000-000", suffixes=NEW, separator="-")
    write_case(tmp_path, "BraTS2021_00002", leave_out=("t2",))
    write_case(tmp_path, "BraTS2021_00003", leave_out=("flair", "seg"))
    (tmp_path / "name_mapping.csv").write_text("stray")
    (tmp_path / "BraTS2021_00410" / "notes.txt").write_text("stray")
    cases, left_out = find_training_cases(tmp_path)
    assert [case.name for case in cases] == ["BraTS-GLI-00000-000", "BraTS19_2013_0_1", "BraTS2021_00410", "BraTS20_Training_001", "Brats18_CBICA_AAB_1"]
    assert left_out == {"BraTS2021_00002": "no t2", "BraTS2021_00003": "no flair, seg"}
    newest = cases[0]
    assert [newest.images[m].name for m in MODALITIES] == [f"BraTS-GLI-00000-000-{suffix}.nii.gz" for suffix in NEW]
    assert newest.reference.name == "BraTS-GLI-00000-000-seg.nii.gz" and len(newest.files) == 5


def test_folders_that_are_links_are_followed(tmp_path):
    write_case(tmp_path / "elsewhere", "BraTS2021_00410")
    (tmp_path / "data").mkdir()
    try:
        (tmp_path / "data" / "BraTS2021_00410").symlink_to(tmp_path / "elsewhere" / "BraTS2021_00410", target_is_directory=True)
    except OSError:
        pytest.skip("this system does not let an ordinary user make links")
    assert len(find_training_cases(tmp_path / "data")[0]) == 1


def test_folders_without_cases_are_refused(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        find_training_cases(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no BraTS case"):
        find_training_cases(tmp_path)


@pytest.fixture
def case(tmp_path):
    write_case(tmp_path / "data", "BraTS2021_00410")
    return find_training_cases(tmp_path / "data")[0][0]


def test_cache_holds_every_modality_and_the_reference_on_one_grid(case, tmp_path):
    cached = cached_case(case, tmp_path / "cache", 8.0)
    labels = nibabel.load(case.reference).get_fdata()
    assert isinstance(cached.images, np.memmap) and isinstance(cached.classes, np.memmap)
    assert (cached.images.dtype, cached.classes.dtype) == (np.float16, np.uint8)
    assert cached.images.shape == (4, *(side - 1 for side in cached.classes.shape))
    for value, index in ((1, 1), (2, 2), (4, 3)):  # the fine grid is the scan's own here
        assert (cached.classes == index).sum() == (labels == value).sum()
    scan = nibabel.load(case.images["t2"]).get_fdata()
    used = [np.flatnonzero(scan.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    z = scan[tuple(slice(index[0], index[-1] + 1) for index in used)]
    z = np.where(z != 0, (z - z[z != 0].mean()) / z[z != 0].std(), 0)
    mean = sum(z[a : z.shape[0] - 1 + a, b : z.shape[1] - 1 + b, c : z.shape[2] - 1 + c] for a in (0, 1) for b in (0, 1) for c in (0, 1)) / 8
    np.testing.assert_allclose(cached.images[MODALITIES.index("t2")], mean, atol=4e-3)


def test_cache_is_used_again_and_rebuilt_when_a_source_or_the_spacing_changes(case, tmp_path):
    folder = tmp_path / "cache"
    cached_case(case, folder, 8.0)
    files = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    cached_case(case, folder, 8.0)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == files and len(files) == 2
    cached_case(case, folder, 6.0)
    assert len(list(folder.iterdir())) == 4
    array = nibabel.load(case.images["t1ce"]).get_fdata().astype(np.float32)
    array[array != 0] = np.random.default_rng(0).uniform(1, 2, (array != 0).sum())
    save(case.images["t1ce"], array, affine_of(SPACING))
    before = np.array(np.load(next(path for path in files if path.name.endswith("images.npy"))))
    again = cached_case(case, folder, 8.0)
    assert len(list(folder.iterdir())) == 6
    assert np.abs(again.images[1].astype(float) - before[1]).max() > 0.1 and np.array_equal(again.images[0], before[0])


@pytest.mark.skipif(os.name != "posix", reason="a kill without warning is a signal of POSIX")
@pytest.mark.parametrize("files_before", [0, 1])
def test_a_kill_half_way_leaves_nothing_under_a_final_name(case, tmp_path, files_before):
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from KDNetTrainingLib.data.cache import cached_case\n"
        "from KDNetTrainingLib.data.cases import find_training_cases\n"
        "real, count = np.save, [0]\n"
        "def dying(file, array, **options):\n"
        "    if count[0] == int(sys.argv[3]):\n"
        "        file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
        "    count[0] += 1\n"
        "    real(file, array, **options)\n"
        "np.save = dying\n"
        "cached_case(find_training_cases(sys.argv[1])[0][0], Path(sys.argv[2]), 8.0)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    folder = tmp_path / "cache"
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "data", folder, str(files_before)], env=environment)
    assert done.returncode == -signal.SIGKILL
    assert len(list(folder.glob("*.npy"))) == files_before
    cached = cached_case(case, folder, 8.0)
    assert cached.classes.max() == 3 and np.isfinite(cached.images).all()


def test_differing_grids_are_refused(case, tmp_path):
    array = nibabel.load(case.images["t2"]).get_fdata()
    save(case.images["t2"], array[:-1], affine_of(SPACING))
    with pytest.raises(InputError, match="BraTS2021_00410_t2.nii.gz lies on another grid"):
        cached_case(case, tmp_path / "cache", 8.0)
    moved = affine_of(SPACING)
    moved[0, 3] += 1
    save(case.images["t2"], array, moved)
    with pytest.raises(InputError, match="another grid"):
        cached_case(case, tmp_path / "cache", 8.0)


def test_without_augmentation_a_crop_is_what_inference_sees():
    """The whole brain as one crop: the area average over 2×2×2 that Preprocessing gives."""
    array, labels = brain((32, 40, 24), SPACING)
    array[0], array[-1], array[:, 0], array[:, -1], array[:, :, 0], array[:, :, -1] = [1.0] * 6  # the box is the whole grid
    expected = Preprocessing("whole-brain", 8.0).prepare([array], affine_of(SPACING)).tensor[0]
    fine = Preprocessing("whole-brain", 4.0).prepare([array], affine_of(SPACING)).tensor
    averaged = torch.nn.functional.avg_pool3d(fine[None], 2, 1)[0]
    images, classes = random_crop(averaged, torch.from_numpy(labels), (16, 20, 12), STILL, seeded(0))
    assert images.dtype == torch.float32 and classes.dtype == torch.int64
    torch.testing.assert_close(images[0], expected, atol=2e-4, rtol=0)
    blocks = labels.reshape(16, 2, 20, 2, 12, 2)
    assert (blocks == classes.numpy()[:, None, :, None, :, None]).any(axis=(1, 3, 5)).all(), "each label is one of its eight voxels"


@pytest.mark.parametrize("augmentation", [PAPER, Augmentation(intensity=False)])
def test_all_channels_and_labels_get_one_geometry(augmentation):
    """Channels that all show the labels stay so, whatever turn, bend or flip is drawn."""
    labels = torch.from_numpy(brain((40, 48, 40), SPACING)[1])
    shown = torch.nn.functional.avg_pool3d((labels > 0).float()[None, None], 2, 1)[0].repeat(3, 1, 1, 1)
    drawn = set()
    for seed in range(12):
        images, classes = random_crop(shown, labels, (12, 14, 12), augmentation, seeded(seed))
        assert torch.equal(images[0], images[1]) and torch.equal(images[0], images[2])
        disagree = ((images[0] > 0.99) & (classes == 0)) | ((images[0] < 0.01) & (classes > 0))
        assert disagree.float().mean() < 0.01 and (classes > 0).any()
        drawn.add(float(images.sum()))
    assert len(drawn) > 6


def test_paper_augmentation_only_flips():
    labels = torch.from_numpy(brain((32, 40, 24), SPACING)[1])
    still = random_crop(torch.zeros(1, 31, 39, 23), labels, (16, 20, 12), STILL, seeded(0))[1]
    flips = [tuple(axis for axis in range(3) if bits >> axis & 1) for bits in range(8)]
    seen = set()
    for seed in range(40):
        classes = random_crop(torch.zeros(1, 31, 39, 23), labels, (16, 20, 12), PAPER, seeded(seed))[1]
        scores = {axes: (classes.flip(axes) == still).float().mean().item() for axes in flips}
        best = max(scores, key=scores.get)
        assert scores[best] > 0.97
        seen.add(best)
    assert len(seen) == 8


def test_the_generator_alone_decides():
    images, classes = torch.randn(4, 31, 39, 23, generator=seeded(5)), torch.from_numpy(brain((32, 40, 24), SPACING)[1])
    torch.manual_seed(1)
    first = random_crop(images, classes, (8, 10, 8), Augmentation(), seeded(3))
    torch.manual_seed(2)
    second = random_crop(images, classes, (8, 10, 8), Augmentation(), seeded(3))
    third = random_crop(images, classes, (8, 10, 8), Augmentation(), seeded(4))
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    assert not torch.equal(first[0], third[0])


def test_intensity_changes_leave_the_background_at_zero():
    images = torch.from_numpy(np.stack([brain((32, 40, 24), SPACING)[0]] * 2))
    images = torch.where(images != 0, (images - 110) / 40, 0.0)
    only = dataclasses.replace(STILL, intensity=True)
    classes = torch.zeros(32, 40, 24, dtype=torch.uint8)
    still = random_crop(images, classes, (16, 20, 12), STILL, seeded(0))[0]
    for seed in range(10):
        # where the crop lies is drawn first, so it is the same with and without the changes of intensity
        varied = random_crop(images, classes, (16, 20, 12), only, seeded(seed))[0]
        assert torch.isfinite(varied).all()
        assert not varied[still == 0].any() and not torch.equal(varied, still)
        assert not torch.equal(varied[0], varied[1]), "each modality varies on its own"
