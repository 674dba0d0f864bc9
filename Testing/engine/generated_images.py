"""Files that must be refused and scans that must be warned of, each made by one function of a folder."""

import gzip
import os
import struct

import nibabel
import numpy as np

from engine.generated import affine_of, brain, save

_SMALL = (30, 36, 24)
_SPACING = (4.0, 4.0, 5.0)


def small_scan():
    """A brain on a coarse grid, as (array, labels, affine)."""
    array, labels = brain(_SMALL, _SPACING)
    return array, labels, affine_of(_SPACING)


def _of(array):
    return lambda folder: save(folder / "scan.nii.gz", array, affine_of(_SPACING))


def _bytes(name, content):
    def make(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _packed() -> bytes:
    array = small_scan()[0] + np.random.default_rng(1).normal(size=_SMALL)
    return gzip.compress(nibabel.Nifti1Image(array, affine_of(_SPACING)).to_bytes())


def _truncated(percent):
    return lambda folder: _bytes("cut.nii.gz", _packed()[: len(_packed()) * percent // 100])(folder)


def _truncated_plain(folder):
    content = gzip.decompress(_packed())
    return _bytes("cut.nii", content[: len(content) // 2])(folder)


def _damaged_checksum(folder):
    content = bytearray(_packed())
    content[-6] ^= 1  # in the CRC of gzip's trailer
    return _bytes("damaged.nii.gz", bytes(content))(folder)


def _without_codes(folder):
    image = nibabel.Nifti1Image(small_scan()[0], None)
    image.header.set_sform(None, 0)
    image.header.set_qform(None, 0)
    nibabel.save(image, folder / "scan.nii.gz")
    return folder / "scan.nii.gz"


def _analyze(folder):
    nibabel.save(nibabel.AnalyzeImage(small_scan()[0], None), folder / "scan.hdr")
    return folder / "scan.hdr"


def _with_sform(rows):
    """A scan whose header holds these three rows as sform."""

    def make(folder):
        content = bytearray(nibabel.Nifti1Image(small_scan()[0], affine_of(_SPACING)).to_bytes())
        struct.pack_into("<2h", content, 252, 0, 1)
        struct.pack_into("<12f", content, 280, *np.ravel(rows))
        (folder / "scan.nii.gz").write_bytes(gzip.compress(bytes(content)))
        return folder / "scan.nii.gz"

    return make


def _claiming(shape, name, kind=nibabel.Nifti1Header, dtype=np.float64):
    """A little file whose header claims ``shape``."""

    def make(folder):
        header = kind()
        header.set_data_dtype(dtype)
        header.set_data_shape(shape)
        header.set_sform(np.eye(4), 1)
        header["magic"] = b"n+1" if kind is nibabel.Nifti1Header else b"n+2\0\r\n\x1a\n"
        header["vox_offset"] = 352 if kind is nibabel.Nifti1Header else 544
        content = header.binaryblock + bytes(4) + bytes(10_000)
        (folder / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
        return folder / name

    return make


def _folder(folder):
    (folder / "case.nii.gz").mkdir()
    return folder / "case.nii.gz"


def _colour(folder):
    colours = np.zeros(_SMALL, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    return save(folder / "scan.nii.gz", colours, affine_of(_SPACING))


def _no_voxels(folder):
    content = bytearray(nibabel.Nifti1Image(small_scan()[0], affine_of(_SPACING)).to_bytes())
    struct.pack_into("<4h", content, 40, 3, 0, 36, 24)
    (folder / "scan.nii").write_bytes(bytes(content))
    return folder / "scan.nii"


def _spacing_of(millimetres):
    return lambda folder: save(folder / "scan.nii.gz", small_scan()[0], affine_of((millimetres,) * 3))


def _sheared(folder):
    affine = affine_of(_SPACING)
    affine[:3, 1] = affine[:3, 0] * 1.01 + [0, 0.1, 0]
    return _with_sform(affine[:3])(folder)


_ONES = np.full(_SMALL, 7, dtype=np.int16)

#: What -> function of a folder that makes the file there and returns its path; each must be refused.
REFUSED_IMAGES = {
    "no such file": lambda folder: folder / "nowhere.nii.gz",
    "a folder": _folder,
    "4-D, two volumes": _of(np.stack([small_scan()[0]] * 2, axis=-1)),
    "4-D, RGB in the fourth axis": _of(np.stack([small_scan()[0].astype(np.uint8)] * 3, axis=-1)),
    "5-D": _of(small_scan()[0][..., None, None].repeat(3, axis=-1)),
    "2-D": _of(small_scan()[0][:, :, 12]),
    "one slice": _of(small_scan()[0][:, :, 12:13]),
    "no voxels": _no_voxels,
    "empty (all 0)": _of(np.zeros(_SMALL, dtype=np.float32)),
    "constant": _of(_ONES),
    "all NaN": _of(np.full(_SMALL, np.nan, dtype=np.float32)),
    "all infinite": _of(np.full(_SMALL, np.inf, dtype=np.float32)),
    "text file": _bytes("notes.nii.gz", b"patient 7, post-contrast T1\n"),
    "text file called .nii": _bytes("notes.nii", b"patient 7, post-contrast T1\n" * 40),
    "zero bytes": _bytes("zero.nii.gz", b""),
    "random bytes": _bytes("noise.nii.gz", np.random.default_rng(2).bytes(5000)),
    "unknown ending": _bytes("scan.xyz", b"abc"),
    "truncated .nii.gz, 0.1 % left": lambda folder: _bytes("cut.nii.gz", _packed()[:60])(folder),
    **{f"truncated .nii.gz, {percent} % left": _truncated(percent) for percent in (1, 10, 30, 50, 70, 90, 99)},
    "truncated .nii": _truncated_plain,
    "damaged .nii.gz (checksum differs)": _damaged_checksum,
    "complex": _of(small_scan()[0].astype(np.complex64)),
    "RGB": _colour,
    "affine not set": _without_codes,
    "Analyze 7.5, which has no affine": _analyze,
    "affine singular": _with_sform([[4, 0, 0, 0], [0, 4, 0, 0], [0, 0, 0, 0]]),
    "affine zero": _with_sform(np.zeros((3, 4))),
    "affine NaN": _with_sform(np.full((3, 4), np.nan)),
    "affine almost singular": _sheared,
    "spacing 60 mm": _spacing_of(60.0),
    "field of view 1.6 m": _spacing_of(45.0),
    "header claims 10^12 voxels (.nii)": _claiming((10_000, 10_000, 10_000), "huge.nii"),
    "header claims 10^12 voxels (.nii.gz)": _claiming((10_000, 10_000, 10_000), "huge.nii.gz"),
    "NIfTI-2 header claims 10^18 voxels": _claiming((10**6, 10**6, 10**6), "huge.nii", nibabel.Nifti2Header),
    "header claims 10^9 voxels (.nii)": _claiming((1000, 1000, 1000), "large.nii"),
    "header claims 10^9 voxels (.nii.gz)": _claiming((1000, 1000, 1000), "large.nii.gz"),
}


def _not_stripped(array):
    return np.where(array == 0, np.float32(40), array) + np.linspace(0, 1, array.size, dtype=np.float32).reshape(array.shape)


def _large_head():
    return brain((64, 64, 64), (4.0, 4.0, 4.0))[0], affine_of((4.0,) * 3)


def _some_nan(array):
    array = array.copy()
    array[10:13, 10:20, 10:14] = np.nan
    return array


#: What -> function that gives (array, affine) of a scan to be warned of, and a word of the warning.
WARNED_IMAGES = {
    "not skull-stripped: no zero background": (lambda: (_not_stripped(small_scan()[0]), affine_of(_SPACING)), "skull-stripped"),
    "not skull-stripped: a head's volume": (_large_head, "skull-stripped"),
    "some NaN": (lambda: (_some_nan(small_scan()[0]), affine_of(_SPACING)), "NaN"),
    "some infinite": (lambda: (np.where(small_scan()[1] == 1, np.float32(np.inf), small_scan()[0]), affine_of(_SPACING)), "infinite"),
    "slices of 5 mm": (lambda: (small_scan()[0], affine_of(_SPACING)), "thick"),
    "covers 60 mm": (lambda: (small_scan()[0][:, 12:27], affine_of((4.0, 4.0, 4.0))), "covers only"),
    "covers 12 mm": (lambda: (small_scan()[0][14:17, 16:19, 12:15], affine_of((4.0, 4.0, 4.0))), "covers only"),
    "background -1024": (lambda: (np.where(small_scan()[0] == 0, np.float32(-1024), small_scan()[0]), affine_of((4.0,) * 3)), "-1024"),
}


def unwritable(folder):
    """A path that cannot be written, whoever runs the tests: its folder is a file."""
    (folder / "file").write_bytes(b"")
    return os.path.join(folder, "file", "out.nii.gz")
