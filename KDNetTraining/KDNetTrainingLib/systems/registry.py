"""The systems that can be trained, under the paper's names. Imports none of them, so that a list needs no torch."""

from dataclasses import dataclass
from importlib import import_module

from KDNetTrainingLib.settings import Settings


@dataclass(frozen=True)
class Entry:
    """A system: its ``title``, whether it is ``taught`` by a teacher, and its ``maker`` (file.function in this folder)."""

    title: str
    taught: bool
    maker: str

    def make(self, settings: Settings, teacher):
        """The untrained :class:`System`; ``teacher`` is the trained network that teaches it, None where it is not taught."""
        file, function = self.maker.split(".")
        return getattr(import_module(f"KDNetTrainingLib.systems.{file}"), function)(settings, teacher)


SYSTEMS = {
    "baseline": Entry("one modality, GT", False, "supervised.baseline"),
    "teacher": Entry("all modalities, GT", False, "supervised.teacher"),
    "gt+kl": Entry("KD-Net, GT+KL", True, "kdnet.gt_kl"),
    "gt+kd": Entry("KD-Net, GT+KD", True, "kdnet.gt_kd"),
    "gt+kl+kd": Entry("KD-Net, GT+KL+KD", True, "kdnet.gt_kl_kd"),
}
