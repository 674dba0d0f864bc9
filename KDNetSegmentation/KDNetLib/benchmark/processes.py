"""Fresh processes that each take one measurement: starting them, timing them, and saying in a sentence why one failed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from KDNetLib.errors import KDNetError


class MeasurementError(KDNetError):
    """A measurement could not be taken; the sentence says why, ``details`` is what its process printed."""

    def __init__(self, sentence: str, details: str = ""):
        super().__init__(sentence)
        self.details = details


class Processes:
    """Starts measurements one after another in ``folder``, each with ``threads`` threads (None: as torch chooses)."""

    def __init__(self, folder: Path, threads: int | None):
        self._folder, self._threads = folder, threads

    def ask(self, task: str, **request) -> dict:
        """The answer of child.py to ``request``, with ``process_seconds`` from its start to its end.

        Raises MeasurementError.
        """
        answer = self._folder / "answer.json"
        answer.unlink(missing_ok=True)
        text = json.dumps({"task": task, "answer": str(answer), "threads": self._threads, **request}, default=str)
        seconds = self._run([sys.executable, "-m", "KDNetLib.benchmark.child", text])
        return json.loads(answer.read_text(encoding="utf-8")) | {"process_seconds": seconds}

    def cold(self, scan: Path, target: Path, model: Path, device: str) -> float:
        """Seconds from the start of a ``kdnet segment`` to its written file. Raises MeasurementError."""
        target.unlink(missing_ok=True)
        command = [sys.executable, "-m", "KDNetLib.cli.main", "segment", scan, "-o", target, "--model", model, "--device", device]
        started = time.time()
        self._run([str(word) for word in command])
        return target.stat().st_mtime - started  # the file is moved into place whole, so this is when it was done

    def _run(self, command: list[str]) -> float:
        environment = dict(os.environ)
        if self._threads:
            environment["OMP_NUM_THREADS"] = str(self._threads)
        log = self._folder / "log.txt"
        with open(log, "wb") as file:
            started = time.perf_counter()
            code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env=environment).returncode
            seconds = time.perf_counter() - started
        if code:
            details = log.read_text(encoding="utf-8", errors="replace")
            raise MeasurementError(_reason(code, details), details)
        return seconds


def _reason(code: int, details: str) -> str:
    if code < 0:
        memory = "; memory may not have sufficed" if -code == signal.SIGKILL else ""
        return f"its process was ended by signal {-code}{memory}"
    return ([line.strip() for line in details.splitlines() if line.strip()] or [f"its process ended with code {code}"])[-1][:300]
