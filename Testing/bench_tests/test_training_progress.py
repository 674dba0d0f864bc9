"""The progress side of KDNetTraining: bars, curves, results, preview and log hold what the events say."""

from training_runs import *  # noqa: F403  (first: starts the bench)
from training_runs import chart, readWhole, refreshed

import json
import os
from pathlib import Path

import numpy as np
import pytest
import qt
import slicer
import vtk
from module_support import PICTURES, click, savePicture, showsItsText, tableTexts

from training.generated_events import events_of, write_events


def epochEvents(folder, key):
    lines = (folder / "events.jsonl").read_text(encoding="ascii").splitlines()
    return [event for event in map(json.loads, lines) if event["kind"] == "epoch" and event["training"] == key]


def nodeCount():
    return slicer.mrmlScene.GetNumberOfNodes()


def test_plots_of_a_real_run_hold_what_its_events_say(panels, trained):
    panels.show(trained)
    assert panels.progress.ui.stateLabel.text == "Finished."
    click(panels.progress.ui.curvesButton)
    losses, dice = chart("KDNetLosses"), chart("KDNetDice")
    events = epochEvents(trained.folder, "all/gt+kl+kd")
    assert [event["epoch"] for event in events] == [1, 2, 3]
    for legend, part, name in (("total", "train", "loss"), ("GT", "train", "gt"), ("KD", "train", "kd"), ("KL", "train", "kl"),
                               ("total, validation", "validation", "loss"), ("KL, validation", "validation", "kl")):
        expected = [(event["epoch"], event[part][name]) for event in events if event[part][name] > 0]
        assert [point for point in losses[legend] if point[1] == point[1]] == expected, legend
    best = [event for event in events if event["best"]][-1]["epoch"]
    teacher = [event for event in epochEvents(trained.folder, "all/teacher") if event["best"]][-1]["validation"]
    for region in ("ET", "TC", "WT"):
        assert dice[region] == [(event["epoch"], event["validation"][region]) for event in events]
        assert dice[f"{region}, teacher"] == [(1, teacher[region]), (3, teacher[region])]
    assert dice[f"best: epoch {best}"] == [(best, 0), (best, 1)]
    node = slicer.mrmlScene.GetSingletonNode("KDNetDice", "vtkMRMLPlotViewNode").GetPlotChartNode()
    assert node.GetYAxisRange() == (0, 1) and node.GetTitle() == "all/gt+kl+kd: Dice"


def test_the_view_of_a_chart_hears_of_an_epoch_once(panels, trained):
    panels.show(trained)
    click(panels.progress.ui.curvesButton)
    heard, nodes = [], nodeCount()
    charts = [slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLPlotViewNode").GetPlotChartNode() for tag in ("KDNetLosses", "KDNetDice")]
    for node in charts:
        node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: heard.append(1))
    panels.show(trained)
    assert heard == []
    last = epochEvents(trained.folder, "all/gt+kl+kd")[-1]
    write_events(trained.folder, [{**last, "epoch": 4, "epochs": 9, "best": True}])
    refreshed(trained)
    panels.show(trained)
    assert len(heard) == 2 and nodeCount() == nodes
    assert chart("KDNetDice")["ET"][-1] == (4, last["validation"]["ET"]) and "best: epoch 4" in chart("KDNetDice")


def test_another_training_is_drawn_with_the_same_nodes(panels, generated):
    panels.show(generated)
    click(panels.progress.ui.curvesButton)
    assert "KD" in chart("KDNetLosses") and "ET, teacher" in chart("KDNetDice")
    nodes = nodeCount()
    comboBox = panels.progress.ui.trainingComboBox
    for key, kd in (("fold-2/teacher", False), ("fold-2/gt+kl", False), ("fold-3/gt+kd", True), ("fold-1/baseline", False)):
        comboBox.currentIndex = comboBox.findData(key)
        comboBox.activated.emit(comboBox.currentIndex)
        assert ("KD" in chart("KDNetLosses")) == kd and ("KL" in chart("KDNetLosses")) == ("kl" in key)
        assert ("ET, teacher" in chart("KDNetDice")) == ("gt" in key)
        assert chart("KDNetDice")["WT"] == [(event["epoch"], event["validation"]["WT"]) for event in epochEvents(generated.folder, key)]
    assert nodeCount() == nodes


def test_a_zoomed_chart_stays_as_the_user_has_it(panels, generated):
    panels.show(generated)
    click(panels.progress.ui.curvesButton)
    node = slicer.mrmlScene.GetSingletonNode("KDNetDice", "vtkMRMLPlotViewNode").GetPlotChartNode()
    assert node.GetXAxisRange()[1] > 12
    node.SetXAxisRange(3, 7)
    event = epochEvents(generated.folder, "fold-3/gt+kl+kd")[-1]
    write_events(generated.folder, [{**event, "epoch": 13, "epochs": 20}])
    refreshed(generated)
    panels.show(generated)
    assert chart("KDNetDice")["ET"][-1][0] == 13 and node.GetXAxisRange() == (3, 7)


def test_the_curves_come_by_themselves_once_and_the_arrangement_comes_back(panels, generated):
    manager = slicer.app.layoutManager()
    earlier = manager.layout
    generated.state = "running"
    panels.show(generated)
    assert manager.layout != earlier and panels.progress.ui.curvesButton.checked
    click(panels.progress.ui.curvesButton)
    assert manager.layout == earlier
    panels.show(generated)
    assert manager.layout == earlier and not panels.progress.ui.curvesButton.checked


def test_a_closed_scene_is_survived(panels, trained):
    panels.show(trained)
    click(panels.progress.ui.curvesButton)
    slicer.mrmlScene.Clear(False)
    panels.show(trained)
    click(panels.progress.ui.curvesButton)  # the bench goes back to its first arrangement
    assert len(chart("KDNetDice")["ET"]) == 3
    assert panels.progress.ui.previewLabel.visible or panels.progress.ui.previewLabel.text


def test_nothing_of_it_is_saved_with_the_scene(panels, trained):
    before = nodeCount()
    panels.show(trained)
    click(panels.progress.ui.curvesButton)
    nodes = slicer.util.getNodesByClass("vtkMRMLNode")
    made = [node for node in nodes if (node.GetName() or "").startswith("KDNet") and not node.IsA("vtkMRMLPlotViewNode")]
    assert len(made) > 6 and not any(node.GetSaveWithScene() for node in made)
    panels.progress.cleanup()
    assert nodeCount() <= before + 2 + len(slicer.util.getNodesByClass("vtkMRMLDisplayNode"))


def test_the_preview_shows_scan_reference_and_network(panels, trained):
    facts = json.loads((trained.folder / "all/gt+kl+kd/preview/preview.json").read_text(encoding="utf-8"))
    panels.show(trained)
    click(panels.progress.ui.curvesButton)
    label = panels.progress.ui.previewLabel.text
    assert facts["case"] in label and f"epoch {facts['epoch']}" in label and f"WT {100 * facts['dice']['WT']:.1f}" in label
    scan = slicer.util.getNode("KDNet preview scan")
    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    assert composites and all(node.GetBackgroundVolumeID() == scan.GetID() for node in composites)
    reference, prediction = (slicer.util.getNode(f"KDNet preview {name}") for name in ("reference", "network"))
    assert reference.GetDisplayNode().GetVisibility2DOutline() and not reference.GetDisplayNode().GetVisibility2DFill()
    from KDNetLib.image_io import read_labelmap

    for node, name in ((reference, "reference"), (prediction, "prediction")):
        file = read_labelmap(trained.folder / f"all/gt+kl+kd/preview/{name}.nii.gz")
        for segmentId, value in (("KDNet_NCR", 1), ("KDNet_ED", 2), ("KDNet_ET", 4)):
            array = slicer.util.arrayFromSegmentBinaryLabelmap(node, segmentId, scan).transpose(2, 1, 0)
            assert np.array_equal(array > 0, file.array == value), (name, segmentId)
    nodes = nodeCount()
    path = trained.folder / "all/gt+kl+kd/preview/preview.json"
    path.write_text(json.dumps({**facts, "epoch": 77}), encoding="utf-8")
    os.utime(path, ns=(1, 10**18))
    panels.show(trained)
    assert "epoch 77" in panels.progress.ui.previewLabel.text and nodeCount() == nodes
    path.write_text("{torn", encoding="utf-8")
    panels.show(trained)  # nothing happens
    assert "epoch 77" in panels.progress.ui.previewLabel.text


def test_results_stand_beside_the_papers_figures(panels, generated):
    panels.show(generated)
    table = panels.progress.ui.resultsTable
    rows = tableTexts(table)
    assert len(rows) == 15 + 5
    native = generated.trainings["fold-2/gt+kl+kd"].scores["native"]
    row = next(row for row in rows if row[0] == "fold-2/gt+kl+kd")
    assert row == ["fold-2/gt+kl+kd", "12", *(f"{100 * native[region]:.1f}" for region in ("ET", "TC", "WT")), "71.7", "81.5", "77.0"]
    scores = [generated.trainings[f"fold-{fold}/baseline"].scores["native"]["ET"] for fold in (1, 2, 3)]
    mean = next(row for row in rows if row[0] == "mean of 3: baseline")
    assert mean[2] == f"{100 * np.mean(scores):.1f}" and mean[5] == "68.1"
    toolTip = table.item(rows.index(mean), 0).toolTip()
    assert f"± {100 * np.std(scores, ddof=1):.1f}" in toolTip and "68.1 ± 1.3" in toolTip


def test_results_before_the_scores_are_those_of_validation_and_say_so(panels, tmp_path):
    events = list(events_of(4, folds=1, systems=("teacher",)))
    write_events(tmp_path / "run", [event for event in events if event["kind"] != "scores"][:-1])
    run = readWhole(tmp_path / "run")
    panels.show(run)
    table = panels.progress.ui.resultsTable
    measured = [event["validation"] for event in events if event["kind"] == "epoch"]
    best = max(measured, key=lambda one: one["ET"] + one["TC"] + one["WT"])
    assert table.item(0, 2).text() == f"{100 * best['ET']:.1f}" and table.item(0, 2).font().italic()
    assert "validation cases, epoch" in table.item(0, 2).toolTip()
    item = table.item(0, 2)
    write_events(run.folder, [event for event in events if event["kind"] == "scores"])
    refreshed(run)
    panels.show(run)
    assert table.item(0, 2) is item and not item.font().italic()
    assert item.text() == f"{100 * run.trainings['fold-1/teacher'].scores['native']['ET']:.1f}"


def test_bars_and_speed(panels, tmp_path):
    folder, ui = tmp_path / "run", panels.progress.ui
    events = list(events_of(10, folds=1, systems=("teacher", "gt+kd")))
    write_events(folder, [{**events[0], "done": 6, "total": 24}])
    run = readWhole(folder)
    run.state = "running"  # nobody holds the lock
    panels.show(run)
    assert ui.stageProgressBar.format == "Preparing cases: 6 of 24" and ui.stageProgressBar.value == 250
    upTo = next(i for i, event in enumerate(events) if event["kind"] == "steps" and event["epoch"] == 6)
    write_events(folder, events[1 : upTo + 1])
    refreshed(run)
    run.state, run.seconds_left = "running", 11000
    panels.show(run)
    assert ui.overallProgressBar.value == 275 and ui.overallProgressBar.format == "Whole run: 28 %, 3 h 3 min left"
    assert ui.stageProgressBar.format == "fold-1/teacher: epoch 6 of 10, step 7 of 14" and ui.stageProgressBar.value == 550
    assert ui.speedLabel.text == "1.4 s per step, 20 s per epoch, graphics card 3.2 GB, learning rate 0.0001"
    panels.show(None)
    assert "No run is shown" in ui.stateLabel.text and not ui.resultsTable.isVisibleTo(panels.window)


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({"kind": "run", "what": "stopped", "message": "Stopped (asked) in epoch 3 of 9; everything is saved."}, "Stopped (asked) in epoch 3"),
        ({"kind": "run", "what": "failed", "message": "The disk is full."}, "Failed: The disk is full."),
        ({"kind": "warning", "message": "A case is left out."}, "was killed"),
    ],
)
def test_every_end_is_told(panels, tmp_path, last, said):
    write_events(tmp_path / "run", [*list(events_of(2, folds=1))[:9], {"time": 1.7e9, **last}])
    run = readWhole(tmp_path / "run")
    panels.show(run)
    assert said in panels.progress.ui.stateLabel.text


def test_the_log_is_filtered_by_kind(panels, trained):
    write_events(trained.folder, [{"time": 1.7e9, "kind": "warning", "message": "A case is left out."}])
    refreshed(trained)
    panels.show(trained)
    ui = panels.progress.ui

    def lines(index):
        ui.logKindComboBox.currentIndex = index
        return ui.logEdit.toPlainText().splitlines()

    everything = lines(0)
    assert "The run begins." in everything[0] and any("tiny-student.safetensors" in line for line in everything)
    assert lines(2) == [everything[-1]] and "A case is left out." in everything[-1]
    assert len(lines(3)) == 6 and all(", epoch " in line for line in lines(3))
    assert len(lines(1)) == len(everything) - 6
    ui.logKindComboBox.currentIndex = 3
    write_events(trained.folder, [{**epochEvents(trained.folder, "all/teacher")[-1], "epoch": 4}, {"time": 1.7e9, "kind": "warning", "message": "x"}])
    refreshed(trained)
    panels.show(trained)
    assert len(ui.logEdit.toPlainText().splitlines()) == 7


@pytest.mark.parametrize("name", ["idle", "running", "finished"])
def test_pictures_have_nothing_cut_off(panels, generated, trained, name, can_render):
    panels.window.resize(430, 640)
    panels.window.show()
    if name == "running":
        events = list(events_of(500, folds=1))
        folder = generated.folder.parent / "running"
        write_events(folder, events[: len(events) * 9 // 20])
        run = readWhole(folder)
        run.state, run.seconds_left = "running", 7300
        panels.show(run)
    elif name == "finished":
        panels.show(trained)
        click(panels.progress.ui.curvesButton)
    slicer.app.processEvents()
    assert panels.window.minimumSizeHint.width() <= 430
    for button in panels.window.findChildren(qt.QAbstractButton):
        if button.visible and button.text and button.objectName.endswith("Button"):
            assert showsItsText(button), button.objectName
    savePicture(panels.window, f"progress_{name}")
    if PICTURES:
        from bench.plot_view import PlotView
        from bench.views import SliceView

        for tag in ("KDNetLosses", "KDNetDice") if name != "idle" else ():
            PlotView(slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLPlotViewNode")).save(Path(PICTURES) / f"progress_{name}_{tag}.png")
        if name == "finished":
            view = SliceView("Red", (400, 400))
            view.show(slicer.util.getNode("KDNet preview scan"))
            view.save(Path(PICTURES) / f"progress_{name}_Red.png")
            view.close()
