"""Trains on a BraTS folder by using the module KDNetTraining on the bench, as a user does, and keeps what was seen.

    .venv/bin/python Testing/tools/record_training.py RUN PICTURES [DATA]

RUN must be new; it becomes the run's folder, and RUN/events.jsonl tells the whole course. PICTURES gets the panel idle,
running and finished, both charts, and the whole window (panel, charts, preview) of which the README shows two. DATA is
../shared/data/brats2021 unless given. Teacher and student are trained for 24 epochs each on a coarse grid (4 mm), which
shows how the module works and not what the method reaches; about 7 minutes on two cores. On the way the training is
paused and resumed once. Printed at the end: how long the GUI thread was blocked, in ms.
"""

import json
import sys
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
# Slicer puts the folders of all modules on the path.
sys.path[:0] = [str(ROOT / folder) for folder in ("Testing", "KDNetSegmentation", "KDNetTraining")]

from bench import session  # noqa: E402  (the path comes first)
from render_picture import join  # noqa: E402

_SETTINGS = {"spacing": 4.0, "crop": [32, 32, 32], "learning_rate": 1e-3, "epochs": 24}
_PANEL = (430, 804)
#: Wide enough that the legend lies beside the curves.
_CHART, _SLICE = (600, 400), (400, 400)
_LIMIT_S = 3600


def main(run: str, pictures: str, data: str = str(ROOT.parent / "shared" / "data" / "brats2021")) -> None:
    """Choose, start, pause, resume, wait for the end; take pictures on the way."""
    pictures = Path(pictures)
    pictures.mkdir(parents=True, exist_ok=True)
    bench = session.start()
    module = bench.load(ROOT / "KDNetTraining/KDNetTraining.py")
    widget, ui = module.widget, module.widget.ui
    user = _User(bench)
    _takePanel(bench, module, pictures / "panel-idle.png")

    ui.dataPathEdit.setCurrentPath(data)
    ui.runPathEdit.setCurrentPath(run)
    parameters = widget.logic.getParameterNode()
    parameters.changedSettings, parameters.device = json.dumps(_SETTINGS), "cpu"
    user.wait(lambda: ui.startButton.enabled, f"the cases of {data}")
    print(ui.dataStatusLabel.text, flush=True)
    user.click(ui.startButton)
    if ui.statusLabel.text:
        raise SystemExit(ui.statusLabel.text)
    training = widget.logic.run(run)
    _show(ui, "startCollapsibleButton", "progressCollapsibleButton")

    user.wait(lambda: _beyond(training, "all/teacher", 3), "the teacher's fourth epoch", training)
    user.click(ui.pauseButton)
    user.wait(lambda: not training.running, "the pause")
    print(training.state.message, flush=True)
    user.click(ui.pauseButton)
    user.wait(lambda: _beyond(training, "all/gt+kl+kd", 17), "the student's eighteenth epoch", training)
    _takeAll(bench, module, pictures, "running")
    user.wait(lambda: not training.running, "the end of the run")
    if training.state.state != "finished":
        raise SystemExit(training.problem)
    user.wait(lambda: ui.pauseButton.toolTip and not ui.pauseButton.enabled, "the panel to show the end")
    _show(ui, "progressCollapsibleButton", "useCollapsibleButton")
    _takeAll(bench, module, pictures, "finished")

    size = (Path(run) / "events.jsonl").stat().st_size
    longest, what = max(user.blocks)
    print(f"{run}/events.jsonl: {size / 1000:.0f} kB, {user.seconds:.0f} s watched")
    print(f"GUI thread: longest block {1000 * longest:.0f} ms (while waiting for {what}), longest of a click {1000 * max(user.clicks):.0f} ms")
    widget.cleanup()


class _User:
    """Waits and clicks. ``blocks``: (seconds, what was waited for) of every turn of the event loop; ``clicks``: seconds of each."""

    def __init__(self, bench):
        self._bench = bench
        self._start = time.monotonic()
        self.blocks, self.clicks = [], []

    @property
    def seconds(self):
        return time.monotonic() - self._start

    def wait(self, condition, what, training=None):
        """Turn the event loop until ``condition()`` holds, or ``training`` ends before it does."""
        import slicer

        print(f"{self.seconds:.0f} s: waiting for {what}", flush=True)
        limit = time.monotonic() + _LIMIT_S
        while not condition():
            if training is not None and not training.running:
                raise SystemExit(training.problem or f"The training ended before {what}.")
            if time.monotonic() > limit:
                raise SystemExit(f"Waited {_LIMIT_S} s in vain for {what}.")
            started = time.perf_counter()
            slicer.app.processEvents()
            self.blocks.append((time.perf_counter() - started, what))
            time.sleep(0.01)

    def click(self, button):
        started = time.perf_counter()
        self._bench.click(button)
        self.clicks.append(time.perf_counter() - started)


def _beyond(training, key, epoch) -> bool:
    """Whether so many epochs of a training are done, and a part of the next: the preview is written at its beginning."""
    known = training.state.trainings.get(key)
    return known is not None and (known.epoch, known.step) >= (epoch, 8)


def _show(ui, *names):
    """Open these sections of the panel and close the others."""
    for name in vars(ui):
        if name.endswith("CollapsibleButton"):
            getattr(ui, name).collapsed = name not in names


def _takePanel(bench, module, path):
    height = max(_PANEL[1], module.panel.sizeHint.height())
    bench.grab(module.panel, path, (_PANEL[0], height))


def _takeAll(bench, module, folder, name):
    """The panel, both charts, and the window with everything in it."""
    import slicer
    from bench.plot_view import PlotView
    from bench.views import SliceView

    panel = folder / f"panel-{name}.png"
    _takePanel(bench, module, panel)
    charts = []
    for tag in ("KDNetLosses", "KDNetDice"):
        charts.append(folder / f"{tag}-{name}.png")
        PlotView(slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLPlotViewNode"), _CHART).save(charts[-1])
    scan, reference = slicer.util.getNode("KDNet preview scan"), slicer.util.getNode("KDNet preview reference")
    centre = reference.GetSegmentCenterRAS("KDNet_ET") or reference.GetSegmentCenterRAS("KDNet_ED")
    slices = []
    for tag in ("Red", "Green"):
        slices.append(folder / f"{tag}-{name}.png")
        view = SliceView(tag, _SLICE)
        view.show(scan, centre)
        view.save(slices[-1])
        view.close()
    window = folder / f"window-{name}.png"
    join(panel, [charts[0], slices[0], charts[1], slices[1]], window)
    with Image.open(window) as image:
        # Half the size, and no colour off by more than a few of 255; other methods make the charts' green blue.
        image.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(window, optimize=True)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
