"""What the tests of the module KDNetTraining share: settings that train in seconds, typing, waiting.

Import it before anything of the module: it starts the bench, which gives qt, ctk and the rest of slicer.
"""

from module_support import click, waitFor  # noqa: F401  (starts the bench)

#: As small as a training can be; one epoch of generated cases takes a fraction of a second.
SMALL = {"preprocessing": "whole-brain", "spacing": 4.0, "crop": [32, 32, 32], "width": 2}


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
