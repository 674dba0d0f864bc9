"""Times the way from a click to segments and surfaces on the bench, with a warm worker, beside the engine from file to file.

    .venv/bin/python Testing/tools/measure_click.py SCAN [MODEL] [REPEATS]

SCAN is a skull-stripped NIfTI scan, MODEL the name of a model at hand (default: the bundled one). Surfaces are shown, so
that every click makes them anew; then the four views are rendered, by the CPU here. Printed: the medians of REPEATS
clicks (default 5) after one that is not counted, by step, and the median of the same scan from NIfTI to NIfTI in a warm
process (the part ``stages`` of ``kdnet benchmark``). Leave the machine alone meanwhile.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Slicer puts the folders of all modules on the path.
sys.path[:0] = [str(ROOT / "Testing"), str(ROOT / "KDNetSegmentation")]

from bench import session  # noqa: E402  (the path comes first)

#: Step -> (module of KDNetSegmentationLib, function or class.method in it) whose calls it is made of.
_STEPS = {
    "handing the scan over": ("segmentation_job", "SegmentationJob.request"),
    "labels into segments": ("segmentation_output", "_importClasses"),
    "all that writes the segmentation": ("segmentation_job", "writeSegmentation"),
    "volumes into the table": ("segmentation_job", "storeResult"),
    "panel": ("widget", "KDNetSegmentationWidget.updatePanel"),
}
_ENGINE, _SURFACES, _VIEWS, _REST = "the engine in its process", "surfaces", "four views", "everything else"


def main(scan: str, model: str = "", repeats: str = "5") -> None:
    """Click, measure, print."""
    from_file = _file_to_file(scan, model, repeats)
    bench = session.start()
    import slicer
    from bench.views import SliceView, ThreeDView

    module = bench.load(ROOT / "KDNetSegmentation/KDNetSegmentation.py")
    volumeNode = slicer.util.loadVolume(scan)
    ui = module.widget.ui
    ui.inputSelector.setCurrentNode(volumeNode)
    if model:
        module.widget.logic.getParameterNode().model = model
    views = [SliceView(name) for name in ("Red", "Yellow", "Green")] + [ThreeDView()]
    times = _Times()
    rounds = []
    for number in range(int(repeats) + 1):
        times.seconds.clear()
        begin = time.perf_counter()
        bench.click(ui.segmentButton)
        bench.wait_until(lambda: not module.widget.logic.busy, 600, "the segmentation")
        shown = time.perf_counter()
        if number == 0:
            bench.click(ui.show3DButton)
        for view in views:
            view.render()
        end = time.perf_counter()
        of_round = {**times.seconds, _VIEWS: end - shown}
        # VTK's classes cannot be wrapped: what is left of the writing are the three surfaces.
        of_round[_SURFACES] = of_round.pop("all that writes the segmentation") - of_round["labels into segments"]
        rounds.append({**of_round, _REST: end - begin - sum(of_round.values()), "click to surfaces on screen": end - begin})
    module.widget.cleanup()
    medians = {step: statistics.median(each.get(step, 0.0) for each in rounds[1:]) for step in rounds[1]}
    for step, seconds in medians.items():
        print(f"{step:<32}{1000 * seconds:8.0f} ms")
    print(f"{'file to file, warm process':<32}{1000 * from_file:8.0f} ms   ratio {medians['click to surfaces on screen'] / from_file:.2f}")


class _Times:
    """Seconds by step of what is called from now on."""

    def __init__(self):
        import importlib

        self.seconds = defaultdict(float)
        for step, (file, path) in _STEPS.items():
            owner = importlib.import_module(f"KDNetSegmentationLib.{file}")
            *classes, name = path.split(".")
            for each in classes:
                owner = getattr(owner, each)
            self._time(owner, name, step)
        worker = importlib.import_module("KDNetSegmentationLib.segmentation_job").SegmentationJob
        collect = worker.collect

        def collecting(job, event):
            self.seconds[_ENGINE] += event["seconds"]["total"]
            return collect(job, event)

        worker.collect = collecting

    def _time(self, owner, name: str, step: str) -> None:
        original = getattr(owner, name)

        def timed(*arguments, **named):
            begin = time.perf_counter()
            try:
                return original(*arguments, **named)
            finally:
                self.seconds[step] += time.perf_counter() - begin

        setattr(owner, name, timed)


def _file_to_file(scan: str, model: str, repeats: str) -> float:
    from KDNetLib.device import segmentation_device
    from KDNetLib.model_store import default_model, find_model

    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        request = {
            "task": "stages", "contestant": "ours", "answer": str(answer), "source": scan, "target": str(Path(folder) / "labels.nii.gz"),
            "model": str(find_model(model) if model else default_model()), "repeats": int(repeats), "threads": None, "device": segmentation_device("auto"), "keep_memory": True,
        }  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "KDNetSegmentation")}
        subprocess.run([sys.executable, "-m", "KDNetLib.benchmark.child", json.dumps(request)], check=True, env=environment)
        return statistics.median(each["seconds"] for each in json.loads(answer.read_text(encoding="utf-8"))["runs"])


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
