"""Which part of a run a process carries out, and the folders that belong to the parts alone.

RUN/parts/2-of-4 holds the lock, the events and the request to stop of the second of four parts. Everything else
(settings, cases, cache, folders of trainings, tables, models) is the run's, as where one process carries it out whole.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from KDNetLib.errors import InputError

_FOLDER = "parts"


@dataclass(frozen=True)
class Part:
    """The ``number``-th (from 1) of ``count`` parts."""

    number: int
    count: int

    @classmethod
    def parsed(cls, text: str) -> "Part":
        """The part that is written as ``2/4``. Raises InputError where it is none."""
        said = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text, re.ASCII)
        part = cls(*map(int, said.groups())) if said else cls(0, 0)
        if not 1 <= part.number <= part.count:
            raise InputError(f"A part is given as i/n with i from 1 to n, such as 1/4, not {text!r}.")
        return part

    def __str__(self):
        return f"{self.number}/{self.count}"

    def folder(self, run_path: Path) -> Path:
        """Its folder in the run."""
        return run_path / _FOLDER / f"{self.number}-of-{self.count}"


def shared_lock(run_path: Path, name: str) -> Path:
    """The lock that the parts hold in turn for the work called ``name``."""
    return run_path / _FOLDER / f"{name}.lock"


def folders_of_parts(run_path: Path) -> dict[Part, Path]:
    """The folder of every part that ever worked in the run, in their order."""
    found = {}
    for path in run_path.glob(f"{_FOLDER}/*-of-*"):
        said = re.fullmatch(r"(\d{1,6})-of-(\d{1,6})", path.name, re.ASCII)
        if said and path.is_dir():
            found[Part(*map(int, said.groups()))] = path
    return dict(sorted(found.items(), key=lambda each: (each[0].count, each[0].number)))
