"""The process that does the work for Slicer: requests on standard input, events on standard output, one JSON a line.

It stays warm between requests and ends at once when its standard input closes, also in the middle of a computation.
So it can neither block Slicer nor outlive it, however Slicer ends. Start: ``PythonSlicer -m KDNetLib.worker``.

Requests have ``id`` and ``command``; the commands are the ``_command_…`` functions below. Every request is answered by
``{"id", "event": "result", …}`` or ``{"id", "event": "error", "message", "kind", "details"}``, after any number of
``progress`` (``fraction``, ``stage``) and ``message`` (``text``) events. Arrays travel as .npy files, axes (i, j, k).
"""

import json
import os
import queue
import sys
import threading
import traceback

from KDNetLib.allocator import keep_freed_memory
from KDNetLib.errors import DependencyError, KDNetError


class _Answers:
    """Writes events to the real standard output; what libraries print goes to standard error, Slicer's log."""

    def __init__(self):
        self._stream = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def send(self, **event) -> None:
        with self._lock:
            self._stream.write(json.dumps(event) + "\n")
            self._stream.flush()


class _Worker:
    """Carries out one request after another; keeps the last segmenter, so that its weights stay loaded."""

    def __init__(self, answers: _Answers):
        self._answers = answers
        self._segmenter, self._segmenter_key = None, None

    def handle(self, line: str) -> None:
        number = None
        commands = {"segment": self._command_segment, "compare": self._command_compare, "devices": self._command_devices, "check": self._command_check}
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError("a request is a JSON object")
            number = request.get("id")
            if request.get("command") not in commands:
                raise ValueError(f"unknown command {request.get('command')!r}")
            self._answers.send(id=number, event="result", **commands[request["command"]](request))
        except KDNetError as error:
            self._fail(number, str(error), type(error).__name__)
        except ImportError as error:
            self._fail(number, f"The package {error.name} is missing or broken; install KDNet's packages again.", DependencyError.__name__)
        except Exception as error:  # whatever it is, the user gets a sentence and the log gets the details
            self._fail(number, f"The computation failed unexpectedly ({type(error).__name__}: {error}); the log has the details.", "Crash")

    def _fail(self, number, message: str, kind: str) -> None:
        self._answers.send(id=number, event="error", message=message, kind=kind, details=traceback.format_exc())

    def _command_segment(self, request: dict) -> dict:
        """``array``, ``affine``, ``mask`` or null, ``models``, ``device``, ``flips``; writes ``classes``, ``probabilities``."""
        import numpy as np

        from KDNetLib.image_io import Image

        number = request["id"]
        image = Image(_load(request["array"]), np.array(request["affine"], dtype=float))
        mask = _load(request["mask"]) if request.get("mask") else None
        result = self._segmenter_for(request).segment(
            image,
            brain_mask=mask,
            probabilities=bool(request.get("probabilities")),
            progress=lambda fraction, stage: self._answers.send(id=number, event="progress", fraction=fraction, stage=stage),
        )
        np.save(request["classes"], result.classes, allow_pickle=False)
        if request.get("probabilities"):
            np.save(request["probabilities"], result.probabilities, allow_pickle=False)
        return {key: getattr(result, key) for key in ("volumes_ml", "confidence", "warnings", "seconds", "device", "model")}

    def _segmenter_for(self, request: dict):
        from KDNetLib.segmenter import Segmenter

        models = request["models"]
        # A model file may have been replaced under its name since the last click.
        key = (models, [os.stat(path).st_mtime_ns for path in models if os.path.exists(path)], request["device"], request["flips"])
        if key != self._segmenter_key:
            self._segmenter = Segmenter(models, request["device"], request["flips"], self._message)
            self._segmenter_key = key
        self._number = request["id"]
        return self._segmenter

    def _message(self, text: str) -> None:
        self._answers.send(id=self._number, event="message", text=text)

    def _command_compare(self, request: dict) -> dict:
        """``prediction`` (class indices) and ``reference`` (values of ``convention``) on one grid with ``affine``."""
        import numpy as np

        from KDNetLib.labels import to_classes
        from KDNetLib.measures import compare

        reference = to_classes(_load(request["reference"]), request["convention"])
        return {"regions": compare(_load(request["prediction"]), reference, np.array(request["affine"], dtype=float))}

    def _command_devices(self, request: dict) -> dict:
        """The names of the devices here, ``auto`` first."""
        from KDNetLib.device import available_devices

        return {"devices": available_devices()}

    def _command_check(self, request: dict) -> dict:
        """Imports every package that the work may need and tells the versions."""
        import nibabel
        import numpy
        import safetensors
        import scipy
        import torch

        return {"versions": {package.__name__: package.__version__ for package in (torch, numpy, scipy, nibabel, safetensors)}}


def _load(path):
    import numpy as np

    return np.load(path, allow_pickle=False)


def _read_requests(requests: queue.Queue) -> None:
    try:
        for line in sys.stdin:
            requests.put(line)
    finally:
        os._exit(0)  # the input's end is the wish to stop, at once, whatever is being computed


def main() -> None:
    """Serve requests until standard input closes."""
    keep_freed_memory()
    answers = _Answers()
    requests: queue.Queue = queue.Queue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    worker = _Worker(answers)
    answers.send(event="ready")
    while True:
        worker.handle(requests.get())


if __name__ == "__main__":
    main()
