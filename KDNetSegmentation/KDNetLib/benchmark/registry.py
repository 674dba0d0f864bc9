"""The programs that the benchmark compares, ours first; a further one is a line here."""

from KDNetLib.benchmark.contestant import Contestant
from KDNetLib.benchmark.nnunet import NnUNet
from KDNetLib.benchmark.ours import Ours
from KDNetLib.benchmark.segresnet import SegResNet, SegResNetWindow
from KDNetLib.machine import package_version

OURS = "ours"
#: Name on the command line -> what runs. No file here imports more than the standard library at its top.
CONTESTANTS: dict[str, type[Contestant]] = {
    OURS: Ours,
    "nnunet": NnUNet,
    "segresnet": SegResNet,
    "segresnet-window": SegResNetWindow,
}


def absence(kind: type[Contestant]) -> str | None:
    """A sentence where a package that ``kind`` needs is not installed, else None."""
    missing = [name for name in kind.packages if package_version(name) is None]
    if not missing:
        return None
    return f"left out, because {' and '.join(missing)} is not installed here; install it with: {kind.install}"
