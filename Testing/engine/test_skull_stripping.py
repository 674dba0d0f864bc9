"""Brain extraction by a program called hd-bet: a real little one on the path."""

import os
import sys
import textwrap
import time

import numpy as np
import pytest

from engine.generated import affine_of, brain, oblique
from KDNetLib.errors import Cancelled, DependencyError
from KDNetLib.image_io import Image
from KDNetLib.skull_stripping import brain_mask

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-in program is a script with a first line that names its interpreter")


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts a program of the given Python lines on the path as hd-bet; it finds its arguments in ``options``."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(lines):
        head = f"#!{sys.executable}\nimport sys, time\nfrom pathlib import Path\nHERE = Path({str(tmp_path)!r})\n(HERE / 'arguments').write_text('\\n'.join(sys.argv[1:]))\n"
        script = folder / "hd-bet"
        script.write_text(head + textwrap.dedent(lines))
        script.chmod(0o755)

    return make


BY_INTENSITY = """
    import nibabel, numpy
    given = nibabel.load(sys.argv[sys.argv.index("-i") + 1])
    array = given.get_fdata()
    brain = numpy.where(array > 50, array, 0)
    nibabel.save(nibabel.Nifti1Image(brain.astype("float32"), given.affine), sys.argv[sys.argv.index("-o") + 1])
    """


def head():
    array = brain((36, 42, 32), (4, 4, 4))[0]
    return np.where(array == 0, np.float32(20), array), array != 0, oblique(affine_of((4.0, 4.0, 4.0)))


def test_mask_lies_on_the_scans_grid(program, tmp_path):
    program(BY_INTENSITY)
    scan, expected, affine = head()
    mask = brain_mask(Image(scan, affine), "cpu")
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, expected)
    options = (tmp_path / "arguments").read_text().split("\n")
    assert options[options.index("-device") + 1] == "cpu" and "--disable_tta" in options
    assert not os.path.exists(os.path.dirname(options[options.index("-i") + 1])), "the temporary folder is gone"


def test_missing_program_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyError, match="HD-BET is not installed here; install it with 'pip install hd-bet', or give a brain mask."):
        brain_mask(Image(*head()[::2]))


@pytest.mark.parametrize(
    ("lines", "word"),
    [("print('loading')\nsys.exit('no weights found')", "no weights found"), ("pass", "it said nothing"), ("sys.exit(3)", "it said nothing")],
)
def test_failures_tell_the_programs_last_words(program, lines, word):
    program(lines)
    with pytest.raises(DependencyError, match=f"could not extract the brain .{word}.; extract it by hand"):
        brain_mask(Image(*head()[::2]), "cpu")


def test_cancelling_ends_the_program_and_what_it_started(program, tmp_path):
    """The program starts another, as HD-BET does; both are gone within a second or so of the wish."""
    program("""
        import subprocess
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
        (HERE / "child").write_text(str(child.pid))
        (HERE / "started").write_text("")
        time.sleep(300)
        """)
    wished = []

    def cancelled():
        if (tmp_path / "started").exists():
            wished.append(time.monotonic())
            return True
        return False

    with pytest.raises(Cancelled):
        brain_mask(Image(*head()[::2]), "cpu", cancelled)
    assert time.monotonic() - wished[0] < 1
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 5
    while _lives(child) and time.monotonic() < deadline:
        os.sched_yield()
    assert not _lives(child)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:  # one that has ended but that nobody has waited for does not live
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
