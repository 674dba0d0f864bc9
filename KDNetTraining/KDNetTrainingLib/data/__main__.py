"""``python -m KDNetTrainingLib.data DIR``: what a folder of cases holds, for a program that shows it.

Prints one JSON object a line: ``{"done", "total", "name"}`` as cases are read, at the end ``{"report", "files"}`` (what
``kdnet data --json`` prints, and where T1ce and reference of each complete case are) or ``{"error"}``, a sentence.
Ends at once when its standard input closes, so it cannot outlive the program that started it.
"""

import json
import os
import sys
import threading
from pathlib import Path


def main(folder: Path) -> int:
    """Inspect ``folder``; returns 0, or 2 where it cannot be inspected."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    from KDNetLib.errors import KDNetError
    from KDNetTrainingLib.data.cases import find_cases
    from KDNetTrainingLib.data.inspection import inspect

    try:
        report = inspect(folder, lambda done, total, name: _answer(done=done, total=total, name=name))
        cases = [entry.case for entry in find_cases(folder) if entry.case]
    except KDNetError as error:
        _answer(error=str(error))
        return 2
    files = {
        case.name: {
            "t1ce": str(case.images["t1ce"].path), "volume": case.images["t1ce"].volume,
            "reference": str(case.reference), "convention": case.convention,
        }
        for case in cases
    }  # fmt: skip
    _answer(report=report.as_dict(), files=files)
    return 0


def _answer(**what) -> None:
    print(json.dumps(what), flush=True)


def _end_with_input() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
