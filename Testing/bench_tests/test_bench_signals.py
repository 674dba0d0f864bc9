"""Signals, slots and observers on the bench: connected as PythonQt does it, with no exception lost."""

from pythonqt_fixtures import *  # noqa: F403

import sys

import pytest


def test_unknown_signal_is_said_and_false(qt, capfd):
    assert qt.QPushButton().connect("unknown(bool)", print) is False
    assert "signal 'unknown(bool)' does not exist on QPushButton" in capfd.readouterr().err


def test_slot_gets_no_more_arguments_than_it_takes(qt):
    button, got = qt.QPushButton(), []

    class Receiver:
        def none(self):
            got.append(())

        def one(self, checked):
            got.append((checked,))

    receiver = Receiver()
    assert button.connect("clicked()", receiver.none)
    assert button.connect("clicked(bool)", receiver.none)
    assert button.connect("clicked(bool)", receiver.one)
    button.clicked.connect(receiver.none)
    button.clicked.connect(lambda checked=True: got.append(("default", checked)))
    button.click()
    assert got == [(), (), (False,), (), ("default", False)]


def test_builtin_slot_gets_all_arguments(qt, slicer_bench):
    button, dialog = qt.QPushButton(), qt.QDialog()
    button.clicked.connect(dialog.accept)
    button.click()
    assert any("accept" in error for error in slicer_bench.errors.take())


def test_connection_keeps_its_receiver_alive(qt):
    got = []

    class Receiver:
        def slot(self):
            got.append(1)

    button = qt.QPushButton()
    button.connect("clicked()", Receiver().slot)
    button.click()
    assert got == [1]


def test_disconnect(qt):
    button, got = qt.QPushButton(), []

    class Receiver:
        def slot(self):
            got.append(1)

    receiver = Receiver()
    button.connect("clicked()", receiver.slot)
    assert button.disconnect("clicked()", receiver.slot) is True
    assert button.disconnect("clicked()", receiver.slot) is False
    button.click()
    assert got == []


def test_exception_in_a_slot_is_printed_and_recorded(qt, slicer_bench):
    button, got = qt.QPushButton(), []
    button.connect("clicked()", lambda: 1 / 0)
    button.connect("clicked()", lambda: got.append(1))
    button.click()
    assert got == [1]
    assert "ZeroDivisionError" in slicer_bench.errors.take()[0]


def test_exception_in_an_observer_is_recorded(slicer_bench):
    import slicer
    import vtk
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
    node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: 1 / 0)
    node.Modified()
    assert "ZeroDivisionError" in slicer_bench.errors.take()[0]


def test_enumeration_arguments_of_signals_are_plain_ints(qt, slicer_bench):
    process, got = qt.QProcess(), []
    assert process.connect("finished(int,QProcess::ExitStatus)", lambda *arguments: got.append(arguments))
    process.start(sys.executable, ["-c", "raise SystemExit(3)"])
    slicer_bench.wait_until(lambda: got, 20, "the process")
    assert got == [(3, 0)]
    assert [type(value) for value in got[0]] == [int, int]


def test_connect_to_a_slot_by_signature(qt, slicer_bench, capfd):
    button, edit = qt.QPushButton(), qt.QLineEdit("a")
    assert button.connect("clicked()", edit, "clear()") is True
    button.click()
    assert edit.text == ""
    assert button.disconnect("clicked()", edit, "clear()") is True
    assert button.connect("clicked()", edit, "nonsense()") is False
    assert "No such slot" in capfd.readouterr().err
    with pytest.raises(TypeError):
        button.connect("clicked()", 3)
