"""A run's log as lines of text by kind, the latest of each kind only."""

import time
from collections import deque

from slicer.i18n import tr as _

from KDNetTrainingLib.cli.run_line import dice_of, duration

_KEPT = 1000


class RunLog:
    """The latest lines of each kind: "run" (begin, end, scores, files), "epoch" and "warning".

    ``version`` grows with every line. Steps are no lines: there are too many of them, and the bars show them.
    """

    def __init__(self):
        self._lines = {kind: deque(maxlen=_KEPT) for kind in ("run", "epoch", "warning")}
        self.version = 0

    def take(self, event: dict) -> None:
        """Add what ``event`` says, if it is worth a line."""
        kind, text = _line(event)
        if text:
            self.version += 1
            clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event["time"]))
            self._lines[kind].append((self.version, f"{clock}  {text}"))

    def linesSince(self, version: int, kinds) -> list[str]:
        """The lines of ``kinds`` that came after ``version``, in order."""
        found = []
        for kind in kinds:
            for line in reversed(self._lines[kind]):
                if line[0] <= version:
                    break
                found.append(line)
        return [text for _version, text in sorted(found)][-_KEPT:]


def _line(event) -> tuple[str, str]:
    kind = event["kind"]
    if kind in ("warning", "error"):
        return "warning", event["message"]
    if kind == "epoch":
        text = _("{training}, epoch {epoch} of {epochs}: loss {loss:.4f}").format(loss=event["train"]["loss"], **_named(event))
        if event["validation"]:
            text += _(", validation {loss:.4f}, Dice {dice}").format(loss=event["validation"]["loss"], dice=dice_of(event["validation"]))
        return "epoch", text + ", " + duration(event["seconds"]) + (_(", the best so far") if event["best"] else "")
    return "run", _runLine(kind, event)


def _runLine(kind, event) -> str:
    if kind == "run":
        return {"begin": _("The run begins."), "resume": _("The run goes on.")}.get(event["what"]) or (
            event.get("message") or _("The run is finished.")
        )
    if kind == "training":
        return _("{training}: {cases} cases to train on, {validation} to validate on, from epoch {epoch} of {epochs}").format(
            cases=event["cases"], validation=event["validation"], **{**_named(event), "epoch": event["from_epoch"]}
        )
    if kind == "scores":
        return _("{training}: Dice on {cases} cases, scan's grid: {dice}").format(
            cases=event["cases"], dice=dice_of(event["native"]), training=event["training"]
        )
    if kind == "exported":
        return _("{training}: model file {path}").format(training=event["training"], path=event["path"])
    return ""


def _named(event):
    return {"training": event["training"], "epoch": event.get("epoch"), "epochs": event["epochs"]}
