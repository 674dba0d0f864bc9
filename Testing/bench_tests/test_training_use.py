"""The use side of KDNetTraining: the new student in KDNetSegmentation, as a file, its report, and beside another run."""

from training_runs import *  # noqa: F403  (first: starts the bench)
from training_runs import readWhole, refreshed

from pathlib import Path

import pytest
import qt
import slicer
from KDNetLib import model_store
from KDNetLib.model_file import load_model
from KDNetTrainingPanelLib.use_panel import disabledReasons
from module_support import addVolume, click, segmentAndWait, tableTexts

from training.generated_events import events_of, write_events

_SEGMENTATION = Path(__file__).resolve().parents[2] / "KDNetSegmentation" / "KDNetSegmentation.py"


@pytest.fixture
def segmentation(slicer_bench, panels):
    """The module KDNetSegmentation, opened and left again."""
    loaded = slicer_bench.load(_SEGMENTATION)
    loaded.widget.exit() if hasattr(loaded.widget, "exit") else None
    loaded.panel.exit()
    yield loaded
    loaded.widget.cleanup()


def test_every_disabled_control_says_why(panels, trained):
    def reasons():
        found = {}
        for name in disabledReasons(None, False):
            control = getattr(panels.use.ui, name)
            assert control.toolTip, name
            if not control.enabled:
                found[name] = control.toolTip
                assert control.toolTip.endswith("."), name
        return found

    panels.show(None)
    assert set(reasons()) == set(disabledReasons(None, False)) and "There is no run" in reasons()["compareButton"]
    (trained.folder / "models").rename(trained.folder / "away")
    panels.show(trained)
    assert "no model file yet" in reasons()["useButton"] and "compareButton" not in reasons()
    (trained.folder / "away").rename(trained.folder / "models")
    (trained.folder / "report.html").write_text("x")
    panels.show(trained)
    assert not reasons() and "module KDNet Segmentation" in panels.use.ui.useButton.toolTip


def test_the_new_student_becomes_the_model_and_segments(panels, trained, segmentation):
    panels.show(trained)
    assert panels.use.ui.modelFileComboBox.currentText == "tiny-student.safetensors"
    click(panels.use.ui.useButton)
    assert "tiny-student" in panels.use.ui.useStatusLabel.text
    assert [model.name for model in model_store.list_models() if not model.bundled] == ["tiny-student"]
    widget = segmentation.widget
    assert segmentation.panel.isEntered
    assert widget.ui.modelComboBox.itemData(widget.ui.modelComboBox.currentIndex) == "tiny-student"
    addVolume()
    widget.enter()
    segmentAndWait(widget)
    assert "tiny-student" in widget.ui.captionLabel.text
    click(panels.use.ui.useButton)  # the very same model again needs no question
    assert "tiny-student" in panels.use.ui.useStatusLabel.text


def test_a_student_is_offered_as_soon_as_there_is_one_unless_another_was_picked(panels, trained):
    comboBox = panels.use.ui.modelFileComboBox
    student, teacher = trained.folder / "models" / "tiny-student.safetensors", "tiny-student-teacher.safetensors"
    student.rename(trained.folder / "away")
    panels.show(trained)
    assert comboBox.currentText == teacher
    (trained.folder / "away").rename(student)
    panels.show(trained)
    assert comboBox.count == 2 and comboBox.currentText == student.name
    comboBox.currentIndex = comboBox.findText(teacher)
    comboBox.activated.emit(comboBox.currentIndex)
    student.rename(trained.folder / "away")
    panels.show(trained)
    (trained.folder / "away").rename(student)
    panels.show(trained)
    assert comboBox.count == 2 and comboBox.currentText == teacher
    panels.show(readWhole(trained.folder))  # the same names, but another run
    assert comboBox.count == 2 and comboBox.currentText == student.name
    student.write_bytes(b"not a model")
    panels.show(None)
    panels.show(trained)
    assert comboBox.count == 2


def test_a_teacher_is_no_model_for_one_scan(panels, trained):
    panels.show(trained)
    comboBox = panels.use.ui.modelFileComboBox
    comboBox.currentIndex = comboBox.findText("tiny-student-teacher.safetensors")
    click(panels.use.ui.useButton)
    assert "needs t1, t1ce, t2, flair; choose a student" in panels.use.ui.useStatusLabel.text
    assert not [model for model in model_store.list_models() if not model.bundled]


def test_another_model_of_that_name_is_replaced_only_on_request(panels, trained, segmentation, slicer_bench, tmp_path):
    from module_support import writeModel

    model_store.import_model(writeModel(tmp_path, name="tiny-student"))
    before = model_store.list_models()[-1].manifest
    panels.show(trained)
    slicer_bench.dialogs.press("No")
    click(panels.use.ui.useButton)
    assert "another model" in panels.use.ui.useStatusLabel.text and model_store.list_models()[-1].manifest == before
    slicer_bench.dialogs.press("Yes")
    click(panels.use.ui.useButton)
    assert model_store.list_models()[-1].manifest != before


def test_export_copies_the_file(panels, trained, slicer_bench, tmp_path):
    panels.show(trained)
    target = tmp_path / "copy.safetensors"
    slicer_bench.dialogs.choose(target)
    click(panels.use.ui.exportButton)
    assert load_model(target)[1].name == "tiny-student" and str(target) in panels.use.ui.useStatusLabel.text
    slicer_bench.dialogs.choose(tmp_path / "trained" / "events.jsonl" / "x.safetensors")
    click(panels.use.ui.exportButton)
    assert "could not be written" in panels.use.ui.useStatusLabel.text
    slicer_bench.dialogs.choose("")
    click(panels.use.ui.exportButton)
    assert panels.use.ui.useStatusLabel.text == ""


def test_the_report_opens_in_the_browser(panels, trained, monkeypatch):
    (trained.folder / "report.html").write_text("x")
    panels.show(trained)
    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) or len(opened) == 1)
    click(panels.use.ui.reportButton)
    assert opened == [str(trained.folder / "report.html")] and panels.use.ui.useStatusLabel.text == ""
    click(panels.use.ui.reportButton)
    assert "web browser" in panels.use.ui.useStatusLabel.text


def test_another_run_stands_beside(panels, generated, slicer_bench, tmp_path):
    other = tmp_path / "longer"
    write_events(other, list(events_of(20, systems=("teacher", "gt+kl+kd"), seed=1))[:40])
    panels.show(generated)
    click(panels.progress.ui.curvesButton)
    comboBox = panels.progress.ui.trainingComboBox
    comboBox.currentIndex = comboBox.findData("fold-1/teacher")
    slicer_bench.dialogs.choose(other)
    click(panels.use.ui.compareButton)
    refreshed(panels.use._other)
    panels.show(generated)
    assert panels.use.ui.compareButton.checked and "dashed" in panels.use.ui.useStatusLabel.text

    def legends():
        node = slicer.mrmlScene.GetSingletonNode("KDNetDice", "vtkMRMLPlotViewNode").GetPlotChartNode()
        series = [node.GetNthPlotSeriesNode(index) for index in range(node.GetNumberOfPlotSeriesNodes())]
        return {each.GetName(): each for each in series}

    assert legends()["WT, longer"].GetLineStyle() == slicer.vtkMRMLPlotSeriesNode.LineStyleDash
    assert legends()["WT, longer"].GetTableNode().GetNumberOfRows() == len(readWhole(other).courses["fold-1/teacher"].epochs)
    rows = tableTexts(panels.progress.ui.resultsTable)
    assert [row[0].strip() for row in rows[:4]] == ["fold-1/teacher", "longer", "fold-1/baseline", "fold-1/gt+kl"]
    assert len(rows) == 15 + 6 + 5 and rows[1][1].endswith("/20")
    click(panels.use.ui.compareButton)
    assert "WT, longer" not in legends() and len(tableTexts(panels.progress.ui.resultsTable)) == 20


def test_what_cannot_be_compared_is_a_sentence(panels, generated, slicer_bench, tmp_path):
    panels.show(generated)
    for folder, said in ((generated.folder, "the run that is shown"), (tmp_path, "holds no run")):
        slicer_bench.dialogs.choose(folder)
        click(panels.use.ui.compareButton)
        assert said in panels.use.ui.useStatusLabel.text and not panels.use.ui.compareButton.checked
    slicer_bench.dialogs.choose("")
    click(panels.use.ui.compareButton)
    assert not panels.use.ui.compareButton.checked
