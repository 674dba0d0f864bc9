"""What one training's finished epochs gave, as one array per quantity."""

import math
from array import array
from bisect import bisect_left


class Course:
    """Losses and Dice of every finished epoch of a training, in order.

    Attributes:
        epochs: numbers of the epochs, from 1.
        columns: (part, name) -> one float64 per epoch; part is "train" or "validation", name a loss ("loss", "gt", "kd",
            "kl") or a region (Dice, 0 to 1). NaN where an epoch has none.
        version: grows with every change, so that what is drawn already is not drawn again.
    """

    def __init__(self):
        self.epochs = array("i")
        self.columns: dict[tuple[str, str], array] = {}
        self.version = 0

    def put(self, event: dict) -> None:
        """Take in an event of kind "epoch". An epoch that was trained again (after a kill) replaces the earlier one."""
        self.cutAfter(event["epoch"] - 1)
        count = len(self.epochs)
        self.epochs.append(event["epoch"])
        for part in ("train", "validation"):
            for name in event[part]:
                if (part, name) not in self.columns:
                    self.columns[part, name] = array("d", [math.nan] * count)
        for (part, name), column in self.columns.items():
            column.append(event[part].get(name, math.nan))
        self.version += 1

    def cutAfter(self, epoch: int) -> None:
        """Forget the epochs after ``epoch``: training goes on from there."""
        place = bisect_left(self.epochs, epoch + 1)
        if place < len(self.epochs):
            for column in (self.epochs, *self.columns.values()):
                del column[place:]
            self.version += 1
