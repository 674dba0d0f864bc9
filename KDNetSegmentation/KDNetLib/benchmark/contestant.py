"""What the benchmark runs: a program that turns a scan's file into a label map's file."""

from abc import ABC, abstractmethod
from pathlib import Path


class Contestant(ABC):
    """One program under test.

    The class itself is looked at where its packages may be absent, and imports them in its methods only. An instance
    lives in a process of its own, which sets the number of threads before :meth:`load`.
    """

    #: What runs, for the reader of the table: program, network, width, how much it sees at once.
    title: str
    #: Distributions that must be installed besides KDNet's own, and the command that installs them.
    packages: tuple[str, ...] = ()
    install: str = ""

    @abstractmethod
    def load(self, device: str, model: Path) -> None:
        """Import what is needed and build the network on ``device`` (``cpu``, ``cuda:0`` …); ``model`` is KDNet's file."""

    @abstractmethod
    def segment(self, source: Path, target: Path) -> dict[str, float]:
        """Segment the NIfTI ``source`` into the NIfTI ``target`` (.nii.gz); returns seconds by stage where they are told."""

    @property
    @abstractmethod
    def network_type(self) -> type:
        """The class of the network (a torch module); known after :meth:`load`. Time inside it is the network's."""

    @property
    @abstractmethod
    def spacing(self) -> tuple[float, float, float] | None:
        """Side in mm of a voxel of the network's grid; None where it is the scan's own. Known after :meth:`load`."""
