"""The bench refuses what PythonQt refuses, and does what PythonQt does: each line of the fact sheet's table."""

from pythonqt_fixtures import *  # noqa: F403

import sys

import pytest


def test_properties_are_attributes_and_their_getters_are_gone(qt):
    button = qt.QPushButton("a")
    assert button.text == "a"
    button.text = "b"
    assert button.text == "b"
    with pytest.raises(TypeError):
        button.text()
    button.setText("c")
    assert button.text == "c"
    assert button.isEnabled() is True and button.enabled is True


def test_getter_overridden_in_a_subclass_is_a_property_too(qt):
    assert isinstance(qt.QPushButton("a").sizeHint, qt.QSize)
    with pytest.raises(TypeError):
        qt.QTableWidget(2, 2).rowCount()


def test_name_is_the_object_name(qt):
    button = qt.QPushButton()
    button.name = "apply"
    assert button.objectName == "apply"
    assert button.name == "apply"


@pytest.mark.parametrize("name, value", [
    ("enabled", "yes"), ("enabled", None), ("enabled", object()), ("icon", 3), ("nonsense", 1), ("click", 1),
    ("clicked", 1)])
def test_refused_attributes(qt, name, value):
    button = qt.QPushButton()
    with pytest.raises(AttributeError):
        setattr(button, name, value)


def test_read_only_property_is_refused(qt):
    with pytest.raises(AttributeError, match="not writable"):
        qt.QTimer().active = True


def test_node_is_no_bool(qt):
    import slicer
    button = qt.QPushButton()
    with pytest.raises(AttributeError):
        button.enabled = slicer.mrmlScene.GetNthNode(0)


def test_numpy_integer_is_no_int(qt):
    import numpy
    box = qt.QSpinBox()
    with pytest.raises(AttributeError):
        box.value = numpy.int64(3)
    box.value = 3.7
    assert box.value == 3


def test_text_takes_anything(qt):
    label = qt.QLabel()
    label.text = 3
    assert label.text == "3"


def test_unknown_attribute(qt):
    with pytest.raises(AttributeError):
        qt.QPushButton().nonsense


def test_python_subclass_may_have_attributes(qt):
    class Dialog(qt.QDialog):
        def __init__(self):
            super().__init__()
            self.answer = 42
            self.windowTitle = "T"

    assert (Dialog().answer, Dialog().windowTitle) == (42, "T")


def test_children_and_dynamic_properties_are_attributes(qt):
    widget = qt.QWidget()
    child = qt.QLabel(widget)
    child.objectName = "label"
    assert widget.label is child
    widget.setProperty("answer", 42)
    assert widget.answer == 42
    widget.answer = 43
    assert widget.property("answer") == 43


def test_single_shot(qt, slicer_bench):
    got = []
    qt.QTimer.singleShot(0, lambda: got.append(1))
    slicer_bench.wait_until(lambda: got, 5)
    timer = qt.QTimer()
    timer.singleShot = True
    assert timer.singleShot is True


def test_enumerations_are_ints(qt):
    process = qt.QProcess()
    assert process.state() == 0 and isinstance(process.state(), int)
    assert qt.QProcess.Running == 2
    assert f"{process.state()}" == "0"
    with pytest.raises(AttributeError):
        process.state().name
    assert qt.QMessageBox.Ok | qt.QMessageBox.Cancel == 0x00400400


def test_process_output_is_bytes(qt):
    process = qt.QProcess()
    process.start(sys.executable, ["-c", "print('é')"])
    assert process.waitForFinished(20000)
    data = process.readAllStandardOutput().data()
    assert type(data) is bytes


def test_collapsible_button_constructor(qt, ctk):
    for arguments in (("Inputs",), ("Inputs", None)):
        with pytest.raises(ValueError):
            ctk.ctkCollapsibleButton(*arguments)
    parent = qt.QWidget()
    button = ctk.ctkCollapsibleButton(parent)
    button.text = "Inputs"
    assert button.parent() is parent
    label = qt.QLabel("x")
    qt.QVBoxLayout(button).addWidget(label)
    button.collapsed = True
    assert label.isHidden()
    button.collapsed = False
    assert not label.isHidden()


def test_stand_ins_refuse_new_attributes(ctk, slicer_bench):
    import slicer
    for widget in (ctk.ctkSliderWidget(), ctk.ctkPathLineEdit(), slicer.qMRMLNodeComboBox()):
        with pytest.raises(AttributeError):
            widget.nonsense = 1
        with pytest.raises(AttributeError):
            widget._private = 1


def test_file_dialog_returns_a_str(qt, slicer_bench):
    slicer_bench.dialogs.choose("/tmp/a.nii")
    assert qt.QFileDialog.getOpenFileName(None, "Open", "/tmp", "*.nii") == "/tmp/a.nii"


def test_unexpected_dialog_does_not_hang(qt, slicer_bench):
    with pytest.raises(AssertionError, match="Unexpected dialog"):
        qt.QMessageBox.question(None, "Sure?", "Really?")
    assert slicer_bench.errors.take()


def test_message_box_is_answered_by_button(slicer_bench):
    import slicer
    slicer_bench.dialogs.press("No")
    assert slicer.util.confirmYesNoDisplay("Really?") is False
    slicer_bench.dialogs.press("Yes")
    assert slicer.util.confirmYesNoDisplay("Really?") is True
    assert [text for _, text in slicer_bench.dialogs.shown] == ["Really?", "Really?"]


def test_confirmation_is_asked_even_without_a_main_window(slicer_bench):
    import slicer
    slicer_bench.headless()
    slicer_bench.dialogs.press("Cancel")
    assert slicer.util.confirmOkCancelDisplay("Install?") is False


def test_pyside_only_names_are_missing(qt):
    for name in ("Signal", "Slot", "Property"):
        assert not hasattr(qt, name)


def test_keyword_arguments_are_refused(qt):
    with pytest.raises(TypeError, match="text"):
        qt.QPushButton(text="a")


def test_lists_are_tuples(qt, slicer_bench):
    import slicer
    widget = qt.QWidget()
    assert widget.children() == ()
    assert widget.findChildren(qt.QWidget) == ()
    box = slicer.qMRMLNodeComboBox()
    box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    assert box.nodeTypes == ("vtkMRMLScalarVolumeNode",)


def test_qt_warning_is_recorded(qt, slicer_bench):
    widget = qt.QWidget()
    qt.QVBoxLayout(widget)
    qt.QVBoxLayout(widget)
    assert "already has a layout" in slicer_bench.errors.take()[0]
