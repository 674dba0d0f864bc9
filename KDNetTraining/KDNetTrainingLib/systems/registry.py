"""The systems that can be trained, under the paper's names. Imports none of them, so that a list needs no torch."""

from dataclasses import dataclass
from importlib import import_module

from KDNetTrainingLib.settings import Settings

_PAPER = "Hu et al., Knowledge distillation from multi-modal to mono-modal segmentation networks, MICCAI 2020"
#: What ``inputs`` says in the usual settings: T1ce stands for ``student_modality``, the four for ``teacher_modalities``.
_ONE, _ALL = "T1ce", "T1, T1ce, T2, FLAIR"


@dataclass(frozen=True)
class Entry:
    """A system, as it is listed and made.

    ``title`` is the paper's name of it and ``what`` a phrase that says what it is; ``trained_with`` and ``tested_with``
    are the modalities it sees in training (also by its teacher) and needs at test; ``source`` is its citation. ``maker``
    is file.function in this folder, called with the settings and the teacher. ``taught``: by the trained network of the
    system "teacher". ``takes_skips`` and ``takes_network``: whether the settings of these names change it, so that its
    label may carry them (``baseline-0skips``, ``baseline-residual``).
    """

    title: str
    what: str
    trained_with: str
    tested_with: str
    source: str
    maker: str
    taught: bool = False
    takes_skips: bool = False
    takes_network: bool = False

    def make(self, settings: Settings, teacher):
        """The untrained :class:`System`; ``teacher`` is the trained network that teaches it, None where it is not taught."""
        file, function = self.maker.split(".")
        return getattr(import_module(f"KDNetTrainingLib.systems.{file}"), function)(settings, teacher)


def _papers_own(title: str, what: str, trained_with: str, tested_with: str, maker: str, taught: bool = False) -> Entry:
    return Entry(title, what, trained_with, tested_with, _PAPER, maker, taught, takes_skips=True, takes_network=True)


SYSTEMS = {
    "baseline": _papers_own("Baseline", "one modality, GT", _ONE, _ONE, "supervised.baseline"),
    "teacher": _papers_own("Teacher", "all modalities, GT", _ALL, _ALL, "supervised.teacher"),
    "gt+kl": _papers_own("GT+KL", "KD-Net, GT+KL", _ALL, _ONE, "kdnet.gt_kl", taught=True),
    "gt+kd": _papers_own("GT+KD", "KD-Net, GT+KD", _ALL, _ONE, "kdnet.gt_kd", taught=True),
    "gt+kl+kd": _papers_own("GT+KL+KD", "KD-Net, GT+KL+KD", _ALL, _ONE, "kdnet.gt_kl_kd", taught=True),
}
