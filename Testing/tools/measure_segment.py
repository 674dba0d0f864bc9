"""Seconds and peak memory of one case, cold and warm, as the README and the closing notes give them.

    .venv/bin/python Testing/tools/measure_segment.py SCAN.nii.gz

Cold: a new ``kdnet segment`` process, from its start to the written file. Warm: the same scan again in a process that
has the network loaded, from file to file. Medians of five; peak is the largest resident size of the cold processes.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "KDNetSegmentation"))

from KDNetLib.allocator import keep_freed_memory  # noqa: E402  (the path comes first)
from KDNetLib.image_io import read_image, write_labelmap  # noqa: E402
from KDNetLib.model_store import default_model  # noqa: E402
from KDNetLib.segmenter import Segmenter  # noqa: E402

_REPEATS = 5


def main(scan: str) -> None:
    """Measure and print."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out.nii.gz"
        cold = [_cold(scan, output) for _ in range(_REPEATS)]
        segmenter = Segmenter([default_model()])
        warm = [_warm(segmenter, scan, output) for _ in range(_REPEATS + 1)][1:]
    print(f"{scan}: {os.cpu_count()} CPUs, median of {_REPEATS}")
    print(f"cold  {statistics.median(seconds for seconds, _ in cold):6.2f} s, peak {max(peak for _, peak in cold):.2f} GB")
    print(f"warm  {statistics.median(seconds for seconds, _ in warm):6.2f} s")
    for stage in warm[0][1]:
        print(f"      {statistics.median(stages[stage] for _, stages in warm):6.2f} s  {stage}")


def _cold(scan: str, output: Path) -> tuple[float, float]:
    kdnet = Path(sys.executable).with_name("kdnet")
    command = [str(kdnet), "segment", scan, "-o", str(output)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"kdnet segment failed on {scan}; run it by itself to see why.")
    return time.perf_counter() - started, usage.ru_maxrss / 1e6


def _warm(segmenter: Segmenter, scan: str, output: Path) -> tuple[float, dict[str, float]]:
    started = time.perf_counter()
    result = segmenter.segment(read_image(scan))
    write_labelmap(output, result.classes, result.affine)
    return time.perf_counter() - started, result.seconds


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
