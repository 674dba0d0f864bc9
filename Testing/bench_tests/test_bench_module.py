"""A scripted module on the bench: loading, panel, parameter node, a real process, reload, headless."""

from pathlib import Path

import pytest

DUMMY = Path(__file__).parent / "dummy" / "BenchDummy.py"


@pytest.fixture
def dummy(slicer_bench):
    return slicer_bench.load(DUMMY)


def addVolume(name="Volume"):
    import numpy
    import slicer
    return slicer.util.addVolumeFromArray(numpy.ones((4, 5, 6), numpy.int16), name=name)


def test_module_object_describes_the_module(dummy):
    import slicer
    assert slicer.modules.benchdummy.title == "Bench dummy"
    assert slicer.modules.benchdummy.path == str(DUMMY)
    assert slicer.util.getModule("BenchDummy") is slicer.modules.benchdummy
    assert not dummy.hasPanel
    slicer.selfTests["BenchDummy"]()


def test_startup_registers_the_sample(dummy, slicer_bench):
    from bench import side_modules
    slicer_bench.app.startupCompleted.emit()
    assert [s["sampleName"] for s in side_modules.registeredSamples] == ["Nothing"]


def test_button_follows_the_selected_volume(dummy):
    import slicer
    widget = dummy.widget
    assert widget.entered and not widget.ui.applyButton.enabled
    volume = addVolume()
    widget.ui.inputSelector.setCurrentNode(volume)
    assert widget.ui.applyButton.enabled
    assert widget.parameterNode.inputVolume is volume
    slicer.mrmlScene.RemoveNode(volume)
    assert not widget.ui.applyButton.enabled
    assert widget.ui.applyButton.toolTip == "Select an input volume"


def test_disabled_button_cannot_be_clicked(dummy, slicer_bench):
    with pytest.raises(AssertionError, match="disabled"):
        slicer_bench.click(dummy.widget.ui.applyButton)


def test_process_runs_in_python_slicer(dummy, slicer_bench):
    widget = dummy.widget
    widget.ui.inputSelector.setCurrentNode(addVolume())
    slicer_bench.click(widget.ui.applyButton)
    assert widget.process.state() != 0
    slicer_bench.wait_until(lambda: widget.exit_, 30, "the process")
    assert widget.exit_ == (0, 0)
    assert widget.output.strip() == b"DONE"


def test_gui_and_parameter_node_follow_each_other(dummy):
    widget = dummy.widget
    widget.ui.thresholdSlider.value = 12.5
    assert widget.parameterNode.threshold == 12.5
    widget.parameterNode.device = "cpu"
    assert widget.ui.deviceBox.currentText == "cpu"
    widget.ui.invertBox.checked = True
    assert widget.parameterNode.parameterNode.GetParameter("invert") == "True"
    assert (widget.ui.thresholdSlider.minimum, widget.ui.thresholdSlider.maximum) == (-100, 200)


def test_reload_makes_a_new_panel_and_cleans_the_old_one_up(dummy):
    old = dummy.widget
    old.onReload()
    assert old.cleanedUp
    assert dummy.widget is not old
    assert dummy.widget.ui.applyButton.text == "Apply"


def test_unloading_cleans_up(dummy):
    import slicer
    widget = dummy.widget
    dummy.unload()
    assert widget.cleanedUp
    assert not hasattr(slicer.modules, "benchdummy")


def test_picture_of_the_panel(dummy, slicer_bench, tmp_path):
    dummy.widget.ui.inputSelector.setCurrentNode(addVolume())
    assert slicer_bench.grab(dummy.panel, tmp_path / "panel.png", (400, 300)) == (400, 300)
    from PySide6.QtGui import QImage
    image = QImage(str(tmp_path / "panel.png"))
    colours = {image.pixel(x, y) for x in range(0, 400, 3) for y in range(0, 300, 3)}
    assert len(colours) > 3, "the picture is blank"


def test_headless_has_no_main_window_and_records_the_exit_code(slicer_bench):
    import slicer
    assert slicer.util.mainWindow() is not None
    slicer_bench.headless()
    assert slicer.util.mainWindow() is None
    assert slicer.app.layoutManager() is None
    slicer.util.exit(3)
    assert slicer_bench.exitCode == 3
