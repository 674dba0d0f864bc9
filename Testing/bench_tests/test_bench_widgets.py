"""Node selector, .ui loading, packaging and the PythonSlicer launcher of the bench."""

import importlib.util
import shutil
import subprocess

import pytest


@pytest.fixture
def selector(slicer_bench):
    """A selector of scalar volumes with "None" among its entries, in the scene; `changes` lists its signals."""
    import slicer
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.noneEnabled = True
    selector.setMRMLScene(slicer.mrmlScene)
    return selector


@pytest.fixture
def changes(selector):
    changes = []
    assert selector.connect("currentNodeChanged(vtkMRMLNode*)", changes.append)
    return changes


def addVolume(name="Volume", kind="vtkMRMLScalarVolumeNode"):
    import slicer
    return slicer.mrmlScene.AddNewNodeByClass(kind, name)


def test_selector_lists_its_classes_and_their_children(selector):
    addVolume(kind="vtkMRMLTextNode")
    scalar, labels = addVolume(), addVolume(kind="vtkMRMLLabelMapVolumeNode")
    assert selector.nodeCount() == 2
    selector.showChildNodeTypes = False
    assert [selector.nodeFromIndex(i) for i in range(selector.nodeCount())] == [scalar]
    scalar.HideFromEditorsOn()
    addVolume("Another")
    assert labels.GetName() and selector.nodeCount() == 1


def test_selector_starts_with_none_and_signals_each_change_once(selector, changes):
    volume = addVolume()
    assert selector.currentNode() is None and changes == []
    selector.setCurrentNode(volume)
    selector.setCurrentNode(volume)
    assert changes == [volume]
    selector.setCurrentNode(None)
    assert changes == [volume, None]


def test_selector_without_none_takes_the_first_node(slicer_bench):
    import slicer
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.setMRMLScene(slicer.mrmlScene)
    volume = addVolume()
    assert selector.currentNode() is volume
    slicer.mrmlScene.RemoveNode(volume)
    assert selector.currentNode() is None


def test_selector_shows_a_new_name(selector, slicer_bench):
    from PySide6 import QtWidgets
    volume = addVolume("Before")
    volume.SetName("After")
    assert "After" in [selector.findChild(QtWidgets.QComboBox).itemText(i) for i in range(2)]


def test_selector_survives_the_closing_of_the_scene(selector, changes, slicer_bench):
    selector.setCurrentNode(addVolume())
    slicer_bench.mrml.clear()
    assert selector.currentNode() is None
    assert changes[-1] is None and len(changes) == 2


def test_selector_takes_the_nodes_of_an_import_as_they_come(slicer_bench, tmp_path):
    import slicer
    addVolume("first")
    addVolume("second")
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"), {})
    slicer_bench.mrml.clear()
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.setMRMLScene(slicer.mrmlScene)
    seen = []
    tag = slicer.mrmlScene.AddObserver(slicer.mrmlScene.EndImportEvent, lambda scene, event: seen.append(
        (selector.currentNode().GetName(), selector.nodeCount())))
    slicer.util.loadScene(str(tmp_path / "scene.mrb"), {})
    slicer.mrmlScene.RemoveObserver(tag)
    assert seen == [("first", 2)]


def test_selector_refuses_what_is_no_node(selector):
    with pytest.raises(ValueError):
        selector.setCurrentNode(3)
    with pytest.raises(ValueError):
        selector.setMRMLScene("scene")


def test_selector_without_a_scene_is_empty(slicer_bench):
    import slicer
    addVolume()
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    assert selector.nodeCount() == 0 and selector.currentNode() is None


UI = """<ui version="4.0"><widget class="QWidget" name="Root"><layout class="QVBoxLayout" name="layout"><item>
<widget class="{cls}" name="thing"><property name="{prop}"><{kind}>1</{kind}></property></widget>
</item></layout></widget>{connections}</ui>"""


@pytest.mark.parametrize("cls, prop, kind, message", [
    ("qMRMLNonsenseWidget", "text", "string", "no widget class"),
    ("ctkSliderWidget", "valeu", "number", "no property valeu")])
def test_ui_file_with_something_unknown(slicer_bench, tmp_path, cls, prop, kind, message):
    import slicer
    path = tmp_path / "a.ui"
    path.write_text(UI.format(cls=cls, prop=prop, kind=kind, connections=""))
    with pytest.raises(RuntimeError, match=message):
        slicer.util.loadUI(str(path))


def test_ui_file_with_an_impossible_connection(slicer_bench, tmp_path):
    import slicer
    path = tmp_path / "a.ui"
    connection = ("<connections><connection><sender>thing</sender><signal>clicked()</signal><receiver>Root</receiver>"
                  "<slot>{}()</slot></connection></connections>")
    path.write_text(UI.format(cls="QPushButton", prop="text", kind="string", connections=connection.format("hide")))
    root = slicer.util.loadUI(str(path))
    root.show()
    root.thing.click()
    assert root.isHidden()
    path.write_text(UI.format(cls="QPushButton", prop="text", kind="string", connections=connection.format("hdie")))
    with pytest.raises(RuntimeError, match="cannot be made"):
        slicer.util.loadUI(str(path))


def test_packaging_asks_and_never_installs(slicer_bench):
    import slicer
    assert slicer.packaging.pip_ensure(["numpy"]) is None
    assert not slicer.packaging.pip_check("numpy>=999")
    slicer_bench.dialogs.press("Cancel")
    with pytest.raises(RuntimeError, match="declined"):
        slicer.packaging.pip_ensure(["no-such-package-anywhere"], requester="Test")
    assert slicer_bench.dialogs.shown[0][0] == "Test - Install Python Packages"
    slicer_bench.dialogs.press("Ok")
    with pytest.raises(subprocess.CalledProcessError):
        slicer.packaging.pip_ensure(["no-such-package-anywhere"])


def test_killing_python_slicer_leaves_the_interpreter_until_its_input_ends(slicer_bench):
    program = "import sys; print('up', flush=True); sys.stdin.read(); print('down', flush=True)"
    process = subprocess.Popen([shutil.which("PythonSlicer"), "-c", program], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    process.kill()
    process.wait()
    process.stdin.close()
    assert process.stdout.readline() == "down\n"
    process.stdout.close()


def test_waiting_in_vain_fails(slicer_bench):
    with pytest.raises(AssertionError, match="in vain for nothing"):
        slicer_bench.wait_until(lambda: False, 0.05, "nothing")


def test_path_line_edit_browses(slicer_bench, tmp_path):
    import ctk
    edit, seen = ctk.ctkPathLineEdit(), []
    edit.connect("currentPathChanged(QString)", seen.append)
    slicer_bench.dialogs.choose(tmp_path)
    edit.browse()
    assert edit.currentPath == str(tmp_path) and seen == [str(tmp_path)]
    assert edit.validInput


def test_directory_button(slicer_bench, tmp_path):
    import ctk
    button, seen = ctk.ctkDirectoryButton(), []
    button.connect("directoryChanged(QString)", seen.append)
    button.directory = str(tmp_path)
    slicer_bench.dialogs.choose("")
    button.browse()
    assert button.directory == str(tmp_path) and seen == [str(tmp_path)]


def test_group_box_and_combo_box(slicer_bench):
    import ctk
    import qt
    group = ctk.ctkCollapsibleGroupBox()
    label = qt.QLabel(group)
    group.collapsed = True
    assert label.isHidden()
    box = ctk.ctkComboBox()
    box.defaultText = "Choose"
    assert box.defaultText == "Choose" and box.currentIndex == -1


def test_sample_data_and_torch_stand_ins(slicer_bench, tmp_path):
    import numpy
    import PyTorchUtils
    import SampleData
    import slicer
    node = slicer.util.addVolumeFromArray(numpy.ones((2, 2, 2), numpy.int16), name="Sample")
    path = tmp_path / "Sample.nii.gz"
    assert slicer.util.saveNode(node, str(path), {})
    slicer.mrmlScene.RemoveNode(node)
    SampleData.SampleDataLogic.registerCustomSampleDataSource(sampleName="Sample", uris=path.as_uri())
    assert SampleData.SampleDataLogic().downloadSample("Sample").GetName() == "Sample"
    assert PyTorchUtils.PyTorchUtilsLogic().torchInstalled() is (importlib.util.find_spec("torch") is not None)
