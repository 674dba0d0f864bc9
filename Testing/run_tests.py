"""Runs the tests, setting up whatever they need first:

    python Testing/run_tests.py [arguments for pytest]

The files of tests are shared out to as many processes as there are cores, up to four; ``-n 0`` runs all in one.
"""

import os
import subprocess
import sys

import environment


def main(arguments):
    """Set up, run pytest in the checkout, return its exit code; 2 where the machine lacks something."""
    extras, ignored = ["test"], ["--ignore=Testing/bench", "--ignore=Testing/bench_tests"]
    if environment.bench_runs_here():
        missing = environment.missing_debian_packages()
        if missing:
            raise environment.SetupError(
                "The Slicer test bench cannot render here because libraries are missing; install them with "
                f"'apt-get install {' '.join(missing)}' (Debian and Ubuntu) or your system's packages."
            )
        extras, ignored = ["bench", *extras], []
    else:
        print("slicer-core has no build for this machine, so the tests of the Slicer modules are left out.", flush=True)
    interpreter = environment.prepare(extras)
    # One thread for each process: several that each take every core wait for one another most of the time.
    settings = {"QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1", **os.environ}
    together = ["--numprocesses", "auto", "--maxprocesses", "4", "--dist", "loadfile"]
    command = [str(interpreter), "-m", "pytest", *together, *ignored, *arguments]
    return subprocess.run(command, cwd=environment.ROOT, env=settings).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except environment.SetupError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
