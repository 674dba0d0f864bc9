"""A user's hands and eyes: pressing buttons, waiting for things to happen, taking pictures of widgets."""

import time

import slicer
from PySide6 import QtCore, QtWidgets


def click(button):
    """Press a button as a user would: it must be visible to its parent and enabled, else AssertionError."""
    if not button.isEnabled():
        raise AssertionError(f"Button '{button.objectName}' ({button.text}) is disabled: {button.toolTip!r}")
    if button.isHidden():
        raise AssertionError(f"Button '{button.objectName}' ({button.text}) is hidden.")
    button.click()
    slicer.app.processEvents()


def wait_until(predicate, timeout_s, what="the condition"):
    """Run Qt's event loop until `predicate()` is true; AssertionError after `timeout_s` seconds. Returns its value."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = predicate()
        if value:
            return value
        left = deadline - time.monotonic()
        if left <= 0:
            raise AssertionError(f"Waited {timeout_s} s in vain for {what}.")
        # Sleeps until an event comes; the timer only bounds the sleep for predicates that no event announces.
        loop = QtCore.QEventLoop()
        QtCore.QTimer.singleShot(min(20, int(left * 1000) + 1), loop.quit)
        loop.exec()


def grab(widget, path, size=None):
    """Write a PNG of a widget, laid out at `size` (width, height) in pixels; returns (width, height)."""
    if size is not None:
        widget.resize(*size)
    widget.show()
    slicer.app.processEvents()
    picture = QtWidgets.QWidget.grab(widget)
    if not picture.save(str(path), "PNG"):
        raise AssertionError(f"The picture {path} could not be written.")
    return picture.width(), picture.height()
