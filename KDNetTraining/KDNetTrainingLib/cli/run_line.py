"""How far a run is, as one line: rewritten on a terminal, one per epoch where the output is a pipe or a file."""

import shutil

from KDNetLib.cli.progress import Progress
from KDNetLib.labels import REGIONS
from KDNetTrainingLib.run.status import RunState


class RunLine(Progress):
    """Shows a :class:`RunState` again and again. The time left is the run's own estimate, since watching begins anywhere."""

    def show(self, state: RunState) -> None:
        """Take note that the run is as ``state`` says."""
        far = f"{100 * state.fraction:.0f} %"
        if state.seconds_left is not None:
            far += f", {duration(state.seconds_left)} left"
        training = state.trainings.get(state.current)
        within = training and state.stage.startswith(state.current)
        if self._live:
            # How far comes first: a narrow terminal cuts the rest off, because a line that wraps leaves its remains behind.
            told = f"{far}: {state.stage}" + (numbers(training.train_now, training.validation) if within else "")
            self._draw(told[: shutil.get_terminal_size().columns - 1])
            return
        mark = (state.current, training.epoch) if within else state.stage.split(",")[0]
        if mark == self._stage or not state.stage:
            return
        self._stage = mark
        told = state.stage
        if within:
            told = f"{state.current}, {training.epoch} of {training.epochs} epochs{numbers(training.train, training.validation)}"
        print(f"{self._title}: {told} ({far})", file=self._stream, flush=True)


def numbers(train: dict[str, float], validation: dict[str, float]) -> str:
    """Training loss, validation loss and Dice as text that follows something; what is missing is left out."""
    text = f", loss {train['loss']:.3f}" if train else ""
    if validation:
        text += f", validation {validation['loss']:.3f}, Dice {dice_of(validation)}"
    return text


def dice_of(measured: dict[str, float]) -> str:
    """Dice of every region, such as ``ET 0.71 TC 0.80 WT 0.88``."""
    return " ".join(f"{region} {measured[region]:.2f}" for region in REGIONS)


def duration(seconds: float) -> str:
    """``seconds`` in the two largest units, such as ``3 h 5 min``."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"
