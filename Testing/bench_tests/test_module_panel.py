"""The panel: what can be used when and why not, models, devices, keyboard order, pictures."""

from module_support import addVolume, click, savePicture, scanArray, segmentAndWait, showsItsText, waitFor, writeModel  # first: starts the bench
from module_fixtures import *  # noqa: F403

import types

import pytest
import qt
import slicer
from KDNetSegmentationLib.panel_state import PanelState, disabledReasons

CONTROLS = tuple(disabledReasons(PanelState(False, False, "", False, False, False, False, False)))


def test_every_disabled_control_says_why(panel):
    panel.enter()
    seen = set()

    def check():
        for name in CONTROLS:
            control = getattr(panel.ui, name)
            if not control.enabled:
                seen.add(name)
                assert len(control.toolTip) > 20 and control.toolTip.endswith("."), name
                assert control.toolTip != panel._toolTips[name], name

    check()
    assert {"segmentButton", "copyButton", "show3DButton", "compareButton", "removeButton"} <= seen
    addVolume()
    panel.enter()
    assert panel.ui.segmentButton.enabled
    click(panel.ui.segmentButton)
    check()
    assert {"inputSelector", "modelComboBox", "deviceComboBox"} <= seen
    assert panel.ui.segmentButton.enabled, "Cancel must always be possible"
    waitFor(lambda: not panel.logic.busy)
    for name in ("segmentButton", "copyButton", "saveButton", "show3DButton", "inputSelector"):
        control = getattr(panel.ui, name)
        assert control.enabled and control.toolTip == panel._toolTips[name], name


def test_no_model_says_so(panel, noModels):
    addVolume()
    panel._models.refresh()
    panel.enter()
    assert not panel.ui.segmentButton.enabled
    assert "import a model file" in panel.ui.segmentButton.toolTip
    assert not panel.ui.cardButton.enabled


def test_import_card_remove(panel, bench, tmp_path):
    addVolume()
    panel.enter()
    path = writeModel(tmp_path, name="mine", title="My own model", training={"summary": "Trained on my cases."})
    bench.dialogs.choose(path)
    click(panel.ui.importButton)
    assert panel.ui.modelComboBox.currentText == "My own model"
    assert panel._parameterNode.model == "mine"
    click(panel.ui.cardButton)
    assert panel._models._cardDialog.visible
    text = panel._models._cardBrowser.toPlainText()
    assert "My own model" in text and "Trained on my cases." in text
    panel._models._cardDialog.close()
    segmentAndWait(panel)
    assert "My own model" in panel.ui.captionLabel.text or "mine" in panel.ui.captionLabel.text
    bench.dialogs.press("Yes")
    click(panel.ui.removeButton)
    assert panel.ui.modelComboBox.findData("mine") == -1


def test_bad_model_file_is_a_sentence(panel, bench, tmp_path):
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"not a model")
    panel.enter()
    count = panel.ui.modelComboBox.count
    bench.dialogs.choose(bad)
    click(panel.ui.importButton)
    assert "bad.safetensors" in panel.ui.statusLabel.text
    assert panel.ui.modelComboBox.count == count
    bench.dialogs.choose("")
    click(panel.ui.importButton)
    assert panel.ui.modelComboBox.count == count


def test_opening_advanced_lists_the_devices(panel):
    panel.enter()
    panel.ui.advancedCollapsibleButton.collapsed = False
    assert panel.logic.busy
    waitFor(lambda: not panel.logic.busy)
    devices = [panel.ui.deviceComboBox.itemData(index) for index in range(panel.ui.deviceComboBox.count)]
    assert devices[:1] == ["auto"] and "cpu" in devices
    panel.ui.deviceComboBox.currentIndex = devices.index("cpu")
    panel.ui.deviceComboBox.activated.emit(devices.index("cpu"))
    assert panel._parameterNode.device == "cpu"
    addVolume()
    panel.enter()
    assert panel.ui.deviceComboBox.itemData(panel.ui.deviceComboBox.currentIndex) == "cpu"
    segmentAndWait(panel)
    assert "cpu" in panel.ui.captionLabel.text


def test_a_device_of_another_computer_is_shown_as_what_will_be_used(panel):
    addVolume()
    panel.enter()
    comboBox = panel.ui.deviceComboBox
    panel._parameterNode.device = "cuda:77"
    assert comboBox.currentText == "cuda:77"
    panel.ui.advancedCollapsibleButton.collapsed = False
    waitFor(lambda: not panel.logic.busy)
    assert comboBox.currentText == "cuda:77 (not found here)" and comboBox.currentData == "cuda:77"
    segmentAndWait(panel)
    assert "cuda:77" in panel.ui.statusLabel.text
    comboBox.currentIndex = comboBox.findData("cpu")
    comboBox.activated.emit(comboBox.currentIndex)
    assert comboBox.currentData == "cpu" and comboBox.findData("cuda:77") == -1


def test_confidence_is_never_called_a_reason_for_trust(panel):
    assert "Always look at the scan" in panel.ui.volumesTable.toolTip


def test_brain_extraction_needs_its_extension_and_uses_it(panel, monkeypatch):
    import sys

    volume = addVolume()
    panel.enter()
    assert not panel.ui.extractBrainButton.enabled
    assert "HDBrainExtraction" in panel.ui.extractBrainButton.toolTip

    class HDBrainExtractionToolLogic:
        def setupPythonRequirements(self):
            pass

        def process(self, inputVolume, outputVolume, outputSegmentation, device=None):
            assert inputVolume is volume and outputVolume is None
            outputSegmentation.GetSegmentation().AddEmptySegment("brain", "brain")

    extension = types.ModuleType("HDBrainExtractionTool")
    extension.HDBrainExtractionToolLogic = HDBrainExtractionToolLogic
    monkeypatch.setitem(sys.modules, "HDBrainExtractionTool", extension)
    monkeypatch.setattr(slicer.modules, "hdbrainextractiontool", types.SimpleNamespace(name="x"), raising=False)
    panel.enter()
    click(panel.ui.extractBrainButton)
    assert panel.ui.maskSelector.currentNode().GetName() == "scan brain mask"
    HDBrainExtractionToolLogic.process = lambda *arguments: 1 / 0
    click(panel.ui.extractBrainButton)
    assert "could not be extracted" in panel.ui.statusLabel.text


def test_keyboard_order_follows_the_panel(panel):
    panel.enter()
    order = ["inputSelector", "modelComboBox", "outputSelector", "segmentButton", "show3DButton", "referenceSelector",
             "compareButton", "deviceComboBox", "maskSelector", "flipsCheckBox", "logEdit"]
    names, widget = [], panel.ui.inputSelector
    for _ in range(200):
        names.append(widget.objectName)
        widget = widget.nextInFocusChain()
        if widget is panel.ui.inputSelector:
            break
    positions = [names.index(name) for name in order]
    assert positions == sorted(positions)
    for label in ("inputLabel", "modelLabel", "outputLabel", "referenceLabel", "deviceLabel", "maskLabel"):
        assert getattr(panel.ui, label).buddy() is not None, label


@pytest.mark.parametrize("name", ["idle", "running", "finished", "advanced"])
def test_pictures_have_nothing_cut_off(panel, name):
    if name != "idle":
        addVolume("BraTS2021_00495_t1ce", scanArray((120, 120, 100)))
    panel.enter()
    window = panel.parent
    window.resize(430, 640)
    window.show()
    if name == "running":
        click(panel.ui.segmentButton)
        waitFor(lambda: panel.ui.progressBar.value > 0)
    elif name == "finished":
        segmentAndWait(panel)
        click(panel.ui.show3DButton)
        panel.ui.referenceSelector.setCurrentNode(panel.ui.outputSelector.currentNode())
        panel.ui.compareCollapsibleButton.collapsed = False
        click(panel.ui.compareButton)
        waitFor(lambda: not panel.logic.busy)
    elif name == "advanced":
        panel.ui.advancedCollapsibleButton.collapsed = False
        panel.ui.logCollapsibleButton.collapsed = False
        panel.ui.compareCollapsibleButton.collapsed = False
        waitFor(lambda: not panel.logic.busy)
    slicer.app.processEvents()
    # In Slicer the panel lies in a scroll area: it may be longer than the screen, never wider than its column.
    assert window.minimumSizeHint.width() <= 430
    for button in window.findChildren(qt.QAbstractButton):
        if button.visible and button.text and button.objectName.endswith("Button"):
            assert showsItsText(button), button.objectName
    savePicture(window, f"panel_{name}")
    panel.logic.cancel()
