"""Train without Slicer's windows.

    Slicer --no-main-window --python-script KDNetTrain.py -- DATA RUN [--preset P] [--device D] [--epochs N ...]

Where RUN holds a run already it goes on. Exit code 0: finished; 1: it failed, or was stopped; 2: nothing could be started.

It lies in the package and not beside KDNetTraining.py, where Slicer would take it for a module and run it at start.
"""

import sys
import traceback
from pathlib import Path

import slicer

# Slicer finds the packages by itself only where the extension is installed.
modules = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(modules), str(modules.parent / "KDNetSegmentation")]

exitCode = 1
try:
    from KDNetTrainingPanelLib.headless_run import run

    exitCode = run(sys.argv[1:])
except BaseException:
    # Slicer would go on running, without a window, after an exception.
    traceback.print_exc()
finally:
    slicer.util.exit(exitCode)
