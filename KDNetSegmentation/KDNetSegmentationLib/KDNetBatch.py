"""Segment a scan or a folder of scans without Slicer's windows.

    Slicer --no-main-window --python-script KDNetBatch.py -- IN OUT [--model M] [--device D] [--flips]

Exit code 0: every case is there; 1: some case failed; 2: nothing could be started.

It lies in the package and not beside KDNetSegmentation.py, where Slicer would take it for a module and run it at start.
"""

import sys
import traceback
from pathlib import Path

import slicer

# Slicer finds the package by itself only where the extension is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

exitCode = 1
try:
    from KDNetSegmentationLib.batch_run import run

    exitCode = run(sys.argv[1:])
except BaseException:
    # Slicer would go on running, without a window, after an exception.
    traceback.print_exc()
finally:
    slicer.util.exit(exitCode)
