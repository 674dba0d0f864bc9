"""Sets up what the two commands of the README need: a virtual environment in the checkout with KDNet in it.

Standard library only, because it runs before anything is installed. Started as a program it prints the Debian packages
that the test bench's rendering misses on this machine, for ``.ci/run``.
"""

import ctypes
import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"

#: Pinned, so that a new release cannot bring a CUDA build of several GB to a machine that only runs the demo.
TORCH = "torch==2.13.0"
#: Where Linux gets builds for the CPU; PyPI has the CUDA build there, and the CPU build for Windows and macOS.
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"

#: Shared library that Qt or VTK loads on Linux -> Debian package that brings it. Without a GL library the first
#: rendering ends the process with a segmentation fault, so it is looked for beforehand.
LINUX_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libglib-2.0.so.0": "libglib2.0-0",
}


class SetupError(Exception):
    """The environment cannot be set up; ``str(error)`` is the sentence to show."""


def prepare(extras):
    """Make ``.venv`` and install the checkout with ``extras`` (names from pyproject.toml); return its interpreter.

    Nothing is installed where an earlier call left all of it and neither pyproject.toml nor this file has changed.
    Raises SetupError.
    """
    if not (3, 10) <= sys.version_info[:2] <= (3, 13):
        found = "{}.{}".format(*sys.version_info[:2])
        raise SetupError("KDNet needs Python 3.10 to 3.13 and this is Python " + found + "; start it with one of those.")
    interpreter = _interpreter()
    stamp = ENVIRONMENT / "kdnet-installed.json"
    fingerprint = _fingerprint()
    installed = _read_stamp(stamp, fingerprint) if _runs(interpreter) else None
    if installed is not None and installed.issuperset(extras):
        return interpreter
    if not _runs(interpreter):
        _make_environment()
    _install_torch(interpreter)
    wanted = sorted({*extras, *(installed or ())})
    print(f"Installing KDNet with {', '.join(wanted) or 'no extras'} ...", flush=True)
    _pip(interpreter, "install", "--editable", f"{ROOT}[{','.join(wanted)}]" if wanted else str(ROOT), TORCH)
    stamp.write_text(json.dumps({"fingerprint": fingerprint, "extras": wanted}), encoding="utf-8")
    return interpreter


def bench_runs_here():
    """Whether slicer-core, which the test bench stands on, has a build for this machine."""
    machine = (sys.platform, platform.machine().lower())
    return machine in {("linux", "x86_64"), ("win32", "amd64"), ("darwin", "arm64")}


def missing_debian_packages():
    """The Debian packages, in order, whose libraries the bench needs and this machine lacks; none off Linux."""
    return [package for library, package in LINUX_LIBRARIES.items() if sys.platform == "linux" and not _loads(library)]


def _interpreter():
    return ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _runs(interpreter):
    """Whether the environment's interpreter works: its base may have been removed, and pip may be missing."""
    if not interpreter.is_file():
        return False
    return subprocess.run([str(interpreter), "-m", "pip", "--version"], capture_output=True).returncode == 0


def _make_environment():
    print(f"Making the environment {ENVIRONMENT} ...", flush=True)
    done = subprocess.run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SetupError(
            f"The environment {ENVIRONMENT} could not be made ({_last_line(done)}); on Debian and Ubuntu install the "
            "package python3-venv, elsewhere check that the folder can be written to."
        )


def _install_torch(interpreter):
    print(f"Installing {TORCH} for the CPU (about 200 MB where it is not at hand) ...", flush=True)
    if sys.platform == "linux":
        try:
            _pip(interpreter, "install", TORCH + "+cpu", "--extra-index-url", TORCH_CPU_INDEX, "--retries", "1")
            return
        except SetupError:
            print(f"{TORCH_CPU_INDEX} gave no such build; taking PyPI's, which may be several GB ...", flush=True)
    _pip(interpreter, "install", TORCH)


def _pip(interpreter, *arguments):
    command = [str(interpreter), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        log = ENVIRONMENT / "kdnet-pip.log"
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
        raise SetupError(
            f"pip failed ({_last_line(done)}); check the network, then start again (all it said is in {log})."
        )


def _last_line(done):
    """The line that says what went wrong: the first error pip or venv named, else the last they wrote."""
    lines = [line.strip() for line in (done.stdout + "\n" + done.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["no message"])[0 if errors else -1].rstrip(".")


def _fingerprint():
    """Changes with whatever the installation depends on; the path is in it, as the checkout is installed in place."""
    digest = hashlib.sha256(str(ROOT).encode())
    for file in (ROOT / "pyproject.toml", Path(__file__)):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _read_stamp(stamp, fingerprint):
    """The extras an earlier call installed under the same fingerprint, or None."""
    try:
        content = json.loads(stamp.read_text(encoding="utf-8"))
        return set(content["extras"]) if content["fingerprint"] == fingerprint else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _loads(library):
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    print(" ".join(missing_debian_packages()))
