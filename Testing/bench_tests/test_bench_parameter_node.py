"""``@parameterNodeWrapper`` on the bench does what Slicer's does."""

import enum
import pathlib
from typing import Annotated

import pytest


@pytest.fixture
def node(slicer_bench):
    import slicer
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "Parameters")


@pytest.fixture
def wrapper(node):
    """A wrapper class with one parameter of each type, over `node`."""
    import slicer
    from slicer.parameterNodeWrapper import Choice, Default, Minimum, WithinRange, parameterNodeWrapper

    class Colour(enum.Enum):
        RED = 1
        BLUE = 2

    @parameterNodeWrapper
    class Parameters:
        volume: slicer.vtkMRMLScalarVolumeNode
        count: Annotated[int, Minimum(0), Default(4)]
        weight: Annotated[float, WithinRange(0, 1)] = 0.5
        device: Annotated[str, Choice(["auto", "cpu"])] = "auto"
        text: str
        flag: bool = True
        folder: pathlib.Path
        colour: Colour
        names: list[str]

    Parameters.Colour = Colour
    return Parameters(node)


def test_defaults_are_written_at_once(wrapper, node):
    assert (wrapper.volume, wrapper.count, wrapper.weight, wrapper.device) == (None, 4, 0.5, "auto")
    assert (wrapper.text, wrapper.flag, wrapper.folder, wrapper.names) == ("", True, pathlib.Path(), [])
    assert wrapper.colour is wrapper.Colour.RED
    assert node.GetParameter("count") == "4"
    assert node.GetParameter("flag") == "True"


def test_an_existing_value_wins_over_the_default(wrapper, node):
    wrapper.count = 9
    assert type(wrapper)(node).count == 9


@pytest.mark.parametrize("name, value, error", [
    ("count", -1, ValueError), ("count", "3", TypeError), ("count", None, ValueError), ("weight", 1.5, ValueError),
    ("device", "tpu", ValueError), ("text", 3, TypeError), ("flag", 1, TypeError), ("folder", "/tmp", TypeError),
    ("volume", "vtkMRMLScalarVolumeNode1", TypeError)])
def test_what_is_refused_changes_nothing(wrapper, name, value, error):
    before = getattr(wrapper, name)
    with pytest.raises(error):
        setattr(wrapper, name, value)
    assert getattr(wrapper, name) == before


def test_nodes_are_references(wrapper, node):
    import slicer
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    wrapper.volume = volume
    assert node.GetNodeReferenceID("volume") == volume.GetID()
    assert wrapper.volume is volume
    slicer.mrmlScene.RemoveNode(volume)
    assert wrapper.volume is None


def test_lists_write_themselves_back(wrapper, node):
    wrapper.names = ["a"]
    wrapper.names.append("b")
    assert type(wrapper)(node).names == ["a", "b"]
    with pytest.raises(TypeError):
        wrapper.names = [1]


def test_the_first_read_after_a_change_of_the_node_is_right(wrapper, node):
    node.SetParameter("count", "7")
    assert wrapper.count == 7


def test_an_observer_sees_the_new_value(wrapper, node):
    import vtk
    seen = []
    node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: seen.append(wrapper.weight))
    wrapper.weight = 0.25
    assert seen == [0.25]


def test_reserved_and_unknown_names(wrapper):
    from slicer.parameterNodeWrapper import parameterNodeWrapper
    with pytest.raises(ValueError, match="reserved"):
        @parameterNodeWrapper
        class Bad:
            connectGui: str
    with pytest.raises(Exception, match="serializer"):
        @parameterNodeWrapper
        class Worse:
            thing: object
    with pytest.raises(ValueError, match="Cannot find"):
        wrapper.getValue("nonsense")


def test_widgets_follow_and_lead_until_disconnected(wrapper):
    import ctk
    import qt
    box, slider, edit, path = qt.QComboBox(), ctk.ctkSliderWidget(), qt.QLineEdit(), ctk.ctkPathLineEdit()
    tag = wrapper.connectParametersToGui({"device": box, "weight": slider, "text": edit, "folder": path})
    assert (box.count, slider.minimum, slider.maximum, slider.value) == (2, 0, 1, 0.5)
    edit.text = "typed"
    path.currentPath = "/tmp"
    assert (wrapper.text, wrapper.folder) == ("typed", pathlib.Path("/tmp"))
    wrapper.device = "cpu"
    assert box.currentText == "cpu"
    wrapper.disconnectGui(tag)
    edit.text = "after"
    assert wrapper.text == "typed"


def test_connect_gui_gives_nothing_to_disconnect_with(wrapper):
    import qt
    panel = qt.QWidget()
    edit = qt.QLineEdit(panel)
    edit.setProperty("SlicerParameterName", "text")
    assert wrapper.connectGui(panel) is None
    edit.text = "typed"
    assert wrapper.text == "typed"


def test_pairs_that_slicer_cannot_connect(wrapper):
    import qt
    for name, widget in (("text", qt.QComboBox()), ("text", qt.QPlainTextEdit()), ("weight", qt.QSlider()),
                         ("count", qt.QSlider())):
        with pytest.raises(RuntimeError):
            wrapper.connectParametersToGui({name: widget})
