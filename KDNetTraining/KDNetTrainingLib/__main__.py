"""``python -m KDNetTrainingLib RUN``: the process that carries out (or goes on with) the plan recorded in a run folder.

For a program that starts it and then looks at the folder alone, such as the module in Slicer: how it goes is told by
events.jsonl, also a failure before anything began, and what else it prints is appended to process.log, so that it
never depends on a terminal or a pipe that may be closed. On a terminal use ``kdnet resume`` instead.
"""

import _thread
import argparse
import faulthandler
import os
import sys
import threading
import time
import traceback
from pathlib import Path

from KDNetLib.cli.main import EXIT_FAILED, EXIT_STOPPED, EXIT_USAGE
from KDNetLib.errors import Cancelled, KDNetError
from KDNetTrainingLib.run.lock import holder
from KDNetTrainingLib.run.run_folder import RunFolder

LOG = "process.log"
#: How long a process whose starter has gone may take to finish its step or its scoring.
_GRACE_SECONDS = 30


def main(argv: list[str] | None = None) -> int:
    """Carry it out; returns 0 where the run is finished, 130 where it was stopped, 2 or 1 where it failed."""
    parser = argparse.ArgumentParser(prog="python -m KDNetTrainingLib", description="Carry out the plan that is recorded in a run folder.")
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps ...")
    parser.add_argument("--data", type=Path, help="where the cases lie now, if they were moved")
    parser.add_argument("--attached", action="store_true", help="save and end when standard input ends, as with the program that writes to it")
    arguments = parser.parse_args(argv)
    try:
        _write_into(arguments.run / LOG)
    except OSError as error:
        print(f"{arguments.run} cannot be written to ({error.strerror}); choose another run folder.", file=sys.stderr)
        return EXIT_USAGE
    if arguments.attached:
        threading.Thread(target=_end_with_input, daemon=True).start()
    begin = time.time()
    try:
        from KDNetTrainingLib.cli.running import resume  # here, so that a broken package is told like any failure

        return resume(arguments.run, arguments.data, arguments.device)
    except (KeyboardInterrupt, Cancelled) as stop:
        print(stop)
        return EXIT_STOPPED
    except KDNetError as error:
        return _failed(arguments.run, begin, str(error), EXIT_USAGE)
    except ImportError as error:
        return _failed(arguments.run, begin, f"A package that training needs is missing or broken ({error}); install it again.", EXIT_USAGE)
    except Exception as error:
        return _failed(arguments.run, begin, f"Unexpected error ({type(error).__name__}: {error}); {LOG} in the run folder says where.", EXIT_FAILED)


def _write_into(path: Path) -> None:
    """Append all output of this process to ``path``, also what C code and a crash's traceback write. Raises OSError."""
    with open(path, "ab") as file:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    faulthandler.enable()
    print(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')}, process {os.getpid()}", flush=True)


def _failed(path: Path, begin: float, message: str, code: int) -> int:
    """Tell the folder's watchers of a failure that the run itself has not told; returns ``code``."""
    traceback.print_exc()
    run = RunFolder(path)
    told = any(event["kind"] == "run" and event["what"] == "failed" and event["time"] >= begin for event in run.events())
    if not told and holder(run.path / "lock") is None:  # the events of another process at work are its own
        run.event(kind="run", what="failed", message=message)
    return code


def _end_with_input() -> None:
    """Wait for the end of standard input; then end as Ctrl-C would, or after a while at once."""
    while os.read(0, 4096):
        pass
    _thread.interrupt_main()
    time.sleep(_GRACE_SECONDS)
    os._exit(EXIT_STOPPED)


if __name__ == "__main__":
    sys.exit(main())
