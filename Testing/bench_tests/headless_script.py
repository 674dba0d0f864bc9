"""Running a headless script as Slicer does: in a process of its own, in a running application."""

import subprocess
import sys
from pathlib import Path

TESTING = Path(__file__).resolve().parents[1]

#: The arguments stand behind the script's name, and the exit code comes at the end. ``forbidden`` packages must not be
#: imported by the script.
RUNNER = """
import os, runpy, sys
sys.path.insert(0, {testing!r})
from bench import session
bench = session.start()
bench.headless()
sys.argv = {argv!r}
runpy.run_path(sys.argv[0], run_name="__main__")
assert not {forbidden!r} & set(sys.modules)
sys.stdout.flush()
os._exit(99 if bench.exitCode is None else bench.exitCode)
"""


def runScript(script, arguments, forbidden):
    """Run ``script`` (a path below the repository) to its end; returns the completed process."""
    argv = [str(TESTING.parent / script), *map(str, arguments)]
    code = RUNNER.format(testing=str(TESTING), argv=argv, forbidden=set(forbidden))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
