"""Reading and writing images: any type, any byte order, compressed or not; and every refusal, in one sentence."""

import os
import re
import subprocess
import sys

import nibabel
import numpy as np
import pytest

from engine.generated import affine_of, oblique, save
from engine.generated_images import REFUSED_IMAGES, small_scan, unwritable
from KDNetLib.errors import InputError
from KDNetLib.image_io import read_image, read_labelmap, write_array, write_labelmap
from KDNetLib.input_checks import usable_image


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", ["u1", "i1", "<i2", ">i2", "<u2", ">i4", "<f4", ">f4", "<f8", ">f8", "<i8", "<u8"])
def test_every_type_and_byte_order_reads_as_nibabel_reads_it(tmp_path, ending, kind):
    values = np.random.default_rng(0).integers(0, 100, (5, 6, 7)).astype(kind)
    header = nibabel.Nifti1Header(endianness=">" if kind[0] == ">" else "<")
    header.set_data_dtype(np.dtype(kind))
    path = tmp_path / f"scan{ending}"
    nibabel.save(nibabel.Nifti1Image(values, oblique(affine_of((0.9, 1.1, 5.5))), header), path)
    assert nibabel.load(path).header.endianness == header.endianness
    image = read_image(path)
    np.testing.assert_array_equal(image.array, values)
    np.testing.assert_allclose(image.affine, nibabel.load(path).affine)
    assert image.path == path and image.name == path.name


@pytest.mark.parametrize("byte_order", "<>")
def test_scale_factor_and_offset_are_applied(tmp_path, byte_order):
    header = nibabel.Nifti1Header(endianness=byte_order)
    header.set_data_dtype(np.uint8)
    header.set_slope_inter(2.5, -3)
    stored = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    image = nibabel.Nifti1Image(np.zeros_like(stored, dtype=float), affine_of(), header)
    path = tmp_path / "scaled.nii"
    image.to_filename(path)
    content = bytearray(path.read_bytes())
    content[352:] = stored.tobytes(order="F")
    content[112:120] = np.array([2.5, -3], dtype=f"{byte_order}f4").tobytes()
    path.write_bytes(content)
    np.testing.assert_allclose(read_image(path).array, stored * 2.5 - 3)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image, nibabel.MGHImage])
def test_other_kinds_of_file(tmp_path, kind):
    array = small_scan()[0]
    path = save(tmp_path / ("scan.mgz" if kind is nibabel.MGHImage else "scan.nii.gz"), array, oblique(affine_of()), kind)
    image = read_image(path)
    np.testing.assert_array_equal(image.array, array)
    np.testing.assert_allclose(image.affine, oblique(affine_of()), atol=1e-4)


@pytest.mark.parametrize("extra", [(1,), (1, 1)])
def test_one_volume_in_more_dimensions_is_3_d(tmp_path, extra):
    array = small_scan()[0]
    image = nibabel.Nifti1Image(array.reshape(*array.shape, *extra), affine_of())
    nibabel.save(image, tmp_path / "scan.nii.gz")
    np.testing.assert_array_equal(read_image(tmp_path / "scan.nii.gz").array, array)


@pytest.mark.parametrize("what", REFUSED_IMAGES)
def test_refusal_is_one_sentence_that_names_the_file(tmp_path, what):
    path = REFUSED_IMAGES[what](tmp_path)
    with pytest.raises(InputError) as caught:
        usable_image(read_image(path))
    message = str(caught.value)
    assert path.name in message
    assert message.endswith(".") and "\n" not in message and not re.search(r"[.!?] [A-Z]", message)
    assert re.search(r"[;,] (\w+ )?\w+.*\.$", message), "says what to do after a semicolon"


def test_claims_of_a_header_take_no_memory(tmp_path):
    """In a process of its own, since the peak of this one is not told apart from other tests'."""
    paths = []
    for index, what in enumerate(name for name in REFUSED_IMAGES if "claims" in name):
        folder = tmp_path / str(index)
        folder.mkdir()
        paths.append(str(REFUSED_IMAGES[what](folder)))
    assert len(paths) == 5
    program = (
        "import resource, sys\n"
        "from KDNetLib.errors import InputError\n"
        "from KDNetLib.image_io import read_image\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for path in sys.argv[1:]:\n"
        "    try: read_image(path); sys.exit('accepted ' + path)\n"
        "    except InputError: pass\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )
    pytest.importorskip("resource", reason="this system does not tell a process's peak memory")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program, *paths], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 20  # MB


def test_labelmap_holds_whole_numbers(tmp_path):
    labels = np.random.default_rng(0).choice([0, 1, 2, 4], (5, 6, 7))
    image = read_labelmap(save(tmp_path / "a.nii.gz", labels.astype(np.float64), affine_of()))
    assert image.array.dtype.kind == "i"
    np.testing.assert_array_equal(image.array, labels)
    for value in (0.5, np.nan, 1e20):
        wrong = labels.astype(np.float64)
        wrong[0, 0, 0] = value
        with pytest.raises(InputError, match="b.nii.gz holds values that are not whole"):
            read_labelmap(save(tmp_path / "b.nii.gz", wrong, affine_of()))


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_written_labelmap_holds_brats_values_on_the_same_grid(tmp_path, ending):
    classes = np.random.default_rng(0).integers(0, 4, (5, 6, 7)).astype(np.uint8)
    path = tmp_path / "new" / f"seg{ending}"
    write_labelmap(path, classes, oblique(affine_of()))
    written = nibabel.load(path)
    assert written.get_data_dtype() == np.uint8 and written.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_array_equal(np.asanyarray(written.dataobj), np.array([0, 1, 2, 4])[classes])
    np.testing.assert_allclose(written.affine, oblique(affine_of()), atol=1e-4)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_failed_writing_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "seg.nii.gz"
    write_labelmap(path, np.ones((3, 4, 5), dtype=np.uint8), affine_of())
    old = path.read_bytes()

    def full_disk(image, target):
        target.write_bytes(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nibabel, "save", full_disk)
    with pytest.raises(InputError, match="No space left"):
        write_labelmap(path, np.zeros((3, 4, 5), dtype=np.uint8), affine_of())
    assert path.read_bytes() == old and [entry.name for entry in tmp_path.iterdir()] == ["seg.nii.gz"]


def test_unusable_outputs_are_refused(tmp_path):
    array = np.zeros((3, 4, 5), dtype=np.uint8)
    with pytest.raises(InputError, match="must end in .nii or .nii.gz"):
        write_array(tmp_path / "seg.png", array, affine_of())
    with pytest.raises(InputError, match="cannot be written"):
        write_array(unwritable(tmp_path), array, affine_of())
