"""Checkpoints of one training: the last, the one before it in case the last is damaged, and the best epoch's weights.

Tensors and plain values only; nothing in them is executed. Every file's CRC is checked before it is used.
"""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch

from KDNetLib.atomic_file import replacing
from KDNetTrainingLib.errors import TrainingError

_LAST, _PREVIOUS, _BEST = "last.pt", "previous.pt", "best.pt"


class Checkpoints:
    """The checkpoint files in ``folder``; ``warn`` is told in a sentence where one had to be passed over."""

    def __init__(self, folder: Path, warn: Callable[[str], None]):
        self._folder, self._warn = folder, warn

    def save(self, state: dict) -> None:
        """Save ``state`` as the last checkpoint and keep the one before. Raises TrainingError where the disk is full."""
        last = self._folder / _LAST
        with _told(last), replacing(last) as partial:
            _write(state, partial)
            if last.exists():  # a kill between this and the end of the block leaves the previous one, which load takes
                os.replace(last, self._folder / _PREVIOUS)

    def load(self, device: torch.device) -> dict | None:
        """The last checkpoint that is intact, with its tensors on ``device``; None where there was never one.

        Raises TrainingError where there are checkpoints and none can be read.
        """
        found = [self._folder / name for name in (_LAST, _PREVIOUS) if (self._folder / name).exists()]
        for path in found:
            state = _read(path, device)
            if state is not None:
                return state
            aside = path.with_suffix(".damaged")  # else the next save would put it in the place of the one before it
            os.replace(path, aside)
            self._warn(f"The checkpoint {path} was damaged (it is now {aside.name})" + ("; going on from the one before it." if path != found[-1] else "."))
        if found or list(self._folder.glob("*.damaged")):
            raise TrainingError(f"No checkpoint in {self._folder} can be read; delete that folder to train this part again.")
        return None

    def save_best(self, epoch: int, network: dict) -> None:
        """Save the weights ``network`` of the best ``epoch`` so far."""
        path = self._folder / _BEST
        with _told(path), replacing(path) as partial:
            _write({"epoch": epoch, "network": network}, partial)

    def load_best(self, device: torch.device) -> dict | None:
        """``epoch`` and ``network`` of the best epoch, or None where there is none or it is damaged."""
        path = self._folder / _BEST
        return _read(path, device) if path.exists() else None


class _told:
    """Turns a failure to write ``path`` into a sentence."""

    def __init__(self, path: Path):
        self._path = path

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, (OSError, RuntimeError)):  # torch reports a full disk as RuntimeError
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            raise TrainingError(
                f"{self._path} cannot be written ({reason}); free disk space and resume: the checkpoint before it is intact."
            ) from error


def _write(state: dict, path: Path) -> None:
    with open(path, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())  # else a power cut may leave the new name with nothing behind it


def _read(path: Path, device: torch.device) -> dict | None:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return None
        return torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, zipfile.BadZipFile, pickle.UnpicklingError):
        return None
