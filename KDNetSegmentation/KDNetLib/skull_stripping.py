"""Brain extraction for whole-head scans by HD-BET (Isensee et al. 2019), where the user has installed it."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from KDNetLib.device import OPENVINO, choose_device
from KDNetLib.errors import Cancelled, DependencyError
from KDNetLib.image_io import Image, read_image, write_array


def brain_mask(image: Image, device: str = "auto", cancelled: Callable[[], bool] | None = None) -> np.ndarray:
    """The brain of ``image`` as a boolean mask (I, J, K), found by the program ``hd-bet`` (version 2).

    Raises DependencyError where the program is not on the path or fails, Cancelled within a second of the wish.
    """
    program = find_hd_bet()
    with tempfile.TemporaryDirectory(prefix="kdnet-") as folder:
        source, target, log = (Path(folder) / name for name in ("scan.nii.gz", "brain.nii.gz", "log.txt"))
        write_array(source, np.asarray(image.array, dtype=np.float32), image.affine)
        kind = choose_device("cpu" if device == OPENVINO else device).type
        command = [program, "-i", str(source), "-o", str(target), "-device", kind]
        if kind == "cpu":
            command.append("--disable_tta")  # eight times faster, and HD-BET's own advice for CPUs
        with open(log, "wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)
            try:
                _wait(process, cancelled)
            finally:
                _end(process)
        if process.returncode or not target.exists():
            lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            raise DependencyError(f"HD-BET could not extract the brain ({lines[-1][:200]}); extract it by hand and give a brain mask.")
        return read_image(target).array != 0


def find_hd_bet() -> str:
    """The path of the program ``hd-bet``. Raises DependencyError where it is not on the path."""
    program = shutil.which("hd-bet")
    if program is None:
        raise DependencyError("HD-BET is not installed here; install it with 'pip install hd-bet', or give a brain mask.")
    return program


def _end(process: subprocess.Popen) -> None:
    """End the program and, where the system can, the processes it has started, which would go on alone."""
    if os.name == "posix" and process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _wait(process: subprocess.Popen, cancelled) -> None:
    while True:
        try:
            process.wait(timeout=0.2)
            return
        except subprocess.TimeoutExpired:
            if cancelled and cancelled():
                raise Cancelled("The brain extraction was cancelled; nothing was changed.") from None
