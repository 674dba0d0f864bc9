"""What the tests of the module KDNetTraining share: cases, settings that train in seconds, typing.

Import it before anything of the module: it starts the bench, which gives qt, ctk and the rest of slicer.
"""

from module_support import click, waitFor  # noqa: F401  (starts the bench)

from training.generated_cases import write_case

#: As small as a training can be; one epoch of the cases below takes a fraction of a second.
SMALL = {"preprocessing": "whole-brain", "spacing": 4.0, "crop": [32, 32, 32], "width": 2}


def writeCases(folder, count=3):
    """A BraTS folder of ``count`` small cases; returns it."""
    for number in range(count):
        write_case(folder, f"BraTS2021_{number:05d}", seed=number)
    return folder


def enter(edit, text):
    """Type ``text`` into a line of the panel."""
    edit.text = text
    edit.textEdited.emit(text)


def check(panel, folder):
    """Choose a data folder and wait until it has been read."""
    panel._parameterNode.dataFolder = str(folder)
    waitFor(lambda: not panel._data.checking, what="the end of the data check")


def waitForTraining(panel, condition, what):
    """Wait until ``condition(run)`` holds of the run that the panel shows."""
    run = panel._run.run
    waitFor(lambda: condition(run), what=what)
    panel.onTimer()
    return run
