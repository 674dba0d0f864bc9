"""The cache: what inference would see, nothing stale, nothing half written, no handle kept."""

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from engine.generated import affine_of, brain, save
from training.generated_cases import NEW, SPACING, write_case
from KDNetLib.errors import DeviceError, InputError
from KDNetLib.preprocessing import Preprocessing
from KDNetTrainingLib.data.cache import build_cache, cache_size_estimate
from KDNetTrainingLib.data.cases import find_training_cases
from KDNetTrainingLib.data.processes import in_processes
from KDNetTrainingLib.modalities import MODALITIES

NAME = "BraTS2021_00410"
AT_8_MM = Preprocessing("whole-brain", 8.0)  # the fine grid is the generated scan's own


@pytest.fixture
def case(tmp_path):
    write_case(tmp_path / "data", NAME)
    return find_training_cases(tmp_path / "data")[0][0]


def build(cases, folder, preprocessing=AT_8_MM, workers=1):
    """The cases, reasons and hashes, and the names of those that had to be prepared."""
    seen = []
    result = build_cache(cases, folder, preprocessing, lambda done, total, name: seen.append(name), workers)
    return *result, seen


def z_scored_box(scan):
    """By numpy alone: the box of non-zero voxels, z-scored over these."""
    used = [np.flatnonzero(scan.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    box = scan[tuple(slice(index[0], index[-1] + 1) for index in used)]
    return np.where(box != 0, (box - box[box != 0].mean()) / box[box != 0].std(), 0)


def test_every_modality_and_the_reference_lie_on_one_grid(case, tmp_path):
    (cached,), left_out, hashes, _ = build([case], tmp_path / "cache")
    assert isinstance(cached.images, np.memmap) and isinstance(cached.classes, np.memmap)
    assert (cached.name, cached.fine, cached.images.dtype, cached.classes.dtype, left_out) == (NAME, 2, np.float16, np.uint8, {})
    assert cached.images.shape == (4, *(side - 1 for side in cached.classes.shape))
    labels = nibabel.load(case.reference).get_fdata()
    for value, index in ((1, 1), (2, 2), (4, 3)):
        assert (cached.classes == index).sum() == (labels == value).sum()
    for place, modality in enumerate(MODALITIES):
        z = z_scored_box(nibabel.load(case.images[modality].path).get_fdata())
        mean = sum(z[a : z.shape[0] - 1 + a, b : z.shape[1] - 1 + b, c : z.shape[2] - 1 + c] for a in (0, 1) for b in (0, 1) for c in (0, 1)) / 8
        np.testing.assert_allclose(cached.images[place], mean, atol=4e-3)
    assert hashes[NAME] == {f"{NAME}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in case.files}


@pytest.mark.parametrize("preset", ["paper", "whole-brain"])
def test_every_second_voxel_is_what_inference_sees(tmp_path, preset):
    array, _ = brain((40, 36, 44), SPACING)
    for face in range(3):  # something on each face, so that the box is the whole grid
        array[tuple(np.where(np.arange(3) == face, [[0], [-1]], 15).T)] = 50
    place = write_case(tmp_path / "data", NAME, shape=(40, 36, 44))
    save(place / f"{NAME}_t1ce.nii.gz", array, affine_of(SPACING))
    cases, _ = find_training_cases(tmp_path / "data")
    (cached,), *_ = build(cases, tmp_path / "cache", Preprocessing(preset, 8.0))
    seen = Preprocessing(preset, 8.0).prepare([array], affine_of(SPACING)).array[0]
    assert seen.shape == ((16, 16, 16) if preset == "paper" else (20, 18, 22))
    np.testing.assert_allclose(cached.images[1][::2, ::2, ::2], seen, atol=4e-3)


def test_below_one_and_a_half_millimetres_the_grid_is_the_networks(tmp_path):
    array, labels = brain((24, 26, 22), (1.0, 1.0, 1.0))
    place = write_case(tmp_path / "data", NAME, shape=(24, 26, 22))
    for suffix in MODALITIES:
        save(place / f"{NAME}_{suffix}.nii.gz", array, affine_of((1.0, 1.0, 1.0)))
    save(place / f"{NAME}_seg.nii.gz", np.array([0, 1, 2, 4], dtype=np.uint8)[labels], affine_of((1.0, 1.0, 1.0)))
    (cached,), *_ = build(find_training_cases(tmp_path / "data")[0], tmp_path / "cache", Preprocessing("whole-brain", 1.0))
    assert cached.fine == 1 and cached.images.shape[1:] == cached.classes.shape
    np.testing.assert_allclose(cached.images[0], z_scored_box(array), atol=4e-3)
    assert np.bincount(cached.classes.ravel(), minlength=4)[1:].tolist() == np.bincount(labels.ravel(), minlength=4)[1:].tolist()


def test_it_is_used_again_also_where_the_folder_was_moved(case, tmp_path):
    *_, seen = build([case], tmp_path / "cache")
    assert seen == [NAME]
    (tmp_path / "data").rename(tmp_path / "moved")
    cases, _ = find_training_cases(tmp_path / "moved")
    cached, _, hashes, seen = build(cases, tmp_path / "cache")
    assert seen == [] and len(cached) == 1 and len(hashes[NAME]) == 5


def test_it_is_made_anew_and_the_old_one_removed_when_something_changes(case, tmp_path):
    first = np.array(build([case], tmp_path / "cache")[0][0].images)
    *_, seen = build([case], tmp_path / "cache", Preprocessing("whole-brain", 6.0))
    assert seen == [NAME]
    *_, seen = build([case], tmp_path / "cache", Preprocessing("paper", 6.0))
    assert seen == [NAME]
    scan = nibabel.load(case.images["t1ce"].path).get_fdata().astype(np.float32)
    scan[scan != 0] = np.random.default_rng(0).uniform(1, 2, (scan != 0).sum())
    save(case.images["t1ce"].path, scan, affine_of(SPACING))
    (cached,), _, _, seen = build([case], tmp_path / "cache")
    assert seen == [NAME] and len(list((tmp_path / "cache" / NAME).iterdir())) == 1
    assert np.abs(cached.images[1].astype(float) - first[1]).max() > 0.1 and np.array_equal(cached.images[0], first[0])


def test_a_damaged_array_is_made_anew(case, tmp_path):
    build([case], tmp_path / "cache")
    stored = next((tmp_path / "cache" / NAME).glob("*/images.npy"))
    stored.write_bytes(stored.read_bytes()[:-100])
    (cached,), _, _, seen = build([case], tmp_path / "cache")
    assert seen == [NAME] and np.isfinite(cached.images).all()


@pytest.mark.skipif(os.name != "posix", reason="a kill without warning is a signal of POSIX")
@pytest.mark.parametrize("arrays_before", [0, 1, 2])
def test_a_kill_half_way_leaves_nothing_that_counts(case, tmp_path, arrays_before):
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from KDNetLib.preprocessing import Preprocessing\n"
        "from KDNetTrainingLib.data.cache import build_cache\n"
        "from KDNetTrainingLib.data.cases import find_training_cases\n"
        "save, rename, count = np.save, os.replace, [0]\n"
        "def die():\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "def dying(path, array, **options):\n"
        "    if count[0] == int(sys.argv[3]):\n"
        "        path.write_bytes(b'half'); die()\n"
        "    count[0] += 1\n"
        "    save(path, array, **options)\n"
        "np.save, os.replace = dying, lambda *paths: die()\n"
        "build_cache(find_training_cases(sys.argv[1])[0], Path(sys.argv[2]), Preprocessing('whole-brain', 8.0), print, 1)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    folder = tmp_path / "cache"
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "data", folder, str(arrays_before)], env=environment)
    assert done.returncode == -signal.SIGKILL
    assert all(place.name.startswith(".") for place in (folder / NAME).iterdir())
    (cached,), _, _, seen = build([case], folder)
    assert seen == [NAME] and cached.classes.max() == 3 and np.isfinite(cached.images).all()
    assert len(list((folder / NAME).iterdir())) == 1


def test_processes_give_the_same_as_one_and_leave_out_what_is_bad(tmp_path):
    for seed in range(3):
        write_case(tmp_path / "data", f"BraTS2021_{seed:05}", seed=seed)
    place = write_case(tmp_path / "data", "BraTS2021_00007")
    (place / "BraTS2021_00007_t2.nii.gz").write_text("no image")
    cases, _ = find_training_cases(tmp_path / "data")
    cases[0].images["t1"].path.unlink()
    several, left_out, hashes, seen = build(cases, tmp_path / "several", workers=2)
    one, *same = build(cases, tmp_path / "one", workers=1)
    assert [cached.name for cached in several] == ["BraTS2021_00001", "BraTS2021_00002"] == list(hashes)
    assert same[:2] == [left_out, hashes] and set(seen) == {case.name for case in cases[1:]}
    assert "cannot be read" in left_out["BraTS2021_00007"] and "BraTS2021_00000_t1.nii.gz" in left_out["BraTS2021_00000"]
    for first, second in zip(several, one):
        assert np.array_equal(first.images, second.images) and np.array_equal(first.classes, second.classes)
        assert first.volume_hash == second.volume_hash


@pytest.mark.skipif(os.name != "posix", reason="a kill without warning is a signal of POSIX")
def test_processes_end_with_the_one_that_started_them():
    program = (
        "import os, signal\n"
        "from KDNetTrainingLib.data.processes import in_processes\n"
        "next(in_processes(os.getpid, [(), (), ()], 2))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    # They inherit the pipe, so its end comes only after the last of them.
    done = subprocess.run([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, timeout=60)
    assert done.returncode == -signal.SIGKILL


def test_a_process_that_is_killed_is_told():
    with pytest.raises(DeviceError, match="was killed"):
        list(in_processes(os._exit, [(1,)], 2))


def test_what_progress_raises_ends_the_work_and_what_is_done_stays(tmp_path):
    for seed in range(3):
        write_case(tmp_path / "data", f"BraTS2021_{seed:05}", seed=seed)
    cases, _ = find_training_cases(tmp_path / "data")

    def stop(done, total, name):
        assert (done, total, name) == (1, 3, "BraTS2021_00000")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_cache(cases, tmp_path / "cache", AT_8_MM, stop, 1)
    assert build(cases, tmp_path / "cache")[3] == ["BraTS2021_00001", "BraTS2021_00002"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux shows the open files there")
def test_no_file_stays_open_for_a_case(case, tmp_path):
    """1,251 cases of two arrays would pass the usual limit of 1,024 files, were each kept open."""
    build([case], tmp_path / "cache")
    before = len(os.listdir("/proc/self/fd"))
    kept = build([case], tmp_path / "cache")[0]
    assert kept[0].images.any() and kept[0].classes.any()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_full_disk_is_told_and_leaves_nothing(case, tmp_path, monkeypatch):
    def full(path, array, **options):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        with pytest.raises(InputError, match="cache is full: 1 cases need about .* GB"):
            build([case], tmp_path / "cache")
    assert not list((tmp_path / "cache" / NAME).iterdir())
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(InputError, match="GB are free; free some space"):
        build([case], tmp_path / "cache")


@pytest.mark.parametrize("preprocessing", [Preprocessing("paper", 8.0), AT_8_MM, Preprocessing("whole-brain", 1.4)])
def test_the_estimate_is_near_what_is_written(case, tmp_path, preprocessing):
    build([case], tmp_path / "cache", preprocessing)
    written = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*.npy"))
    estimate = cache_size_estimate([case, case], preprocessing) / 2
    assert 0.4 < estimate / written < 1.4  # this brain fills more of its grid than those of BraTS


def test_no_usable_case_is_refused(case, tmp_path):
    case.images["t1"].path.write_text("no image")
    with pytest.raises(InputError, match=f"None of the 1 cases can be used .such as {NAME}: {NAME}_t1.nii.gz cannot be read"):
        build([case], tmp_path / "cache")


def test_a_label_4_of_2024_is_background_in_the_cache(tmp_path):
    place = write_case(tmp_path / "data", "BraTS-GLI-02062-100", suffixes=NEW, separator="-")
    path = place / "BraTS-GLI-02062-100-seg.nii.gz"
    labels = nibabel.load(path).get_fdata()
    save(path, np.where(labels == 1, 4, labels).astype(np.uint8), affine_of(SPACING))
    (cached,), *_ = build(find_training_cases(tmp_path / "data")[0], tmp_path / "cache")
    assert set(np.unique(cached.classes)) == {0, 2, 3}
