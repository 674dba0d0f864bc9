"""The systems that can be trained, under the paper's names."""

from collections.abc import Callable
from dataclasses import dataclass

from KDNetLib.network import EncoderDecoder
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.base import System
from KDNetTrainingLib.systems.kdnet import KDNet
from KDNetTrainingLib.systems.supervised import Supervised


@dataclass(frozen=True)
class Entry:
    """How a system is made: ``make(settings, teacher)``, with the trained teacher where ``taught``, else None."""

    title: str
    taught: bool
    make: Callable[[Settings, EncoderDecoder | None], System]


SYSTEMS = {
    "baseline": Entry("one modality, GT", False, lambda s, teacher: Supervised((s.student_modality,), s)),
    "teacher": Entry("all modalities, GT", False, lambda s, teacher: Supervised(s.teacher_modalities, s)),
    "gt+kl": Entry("KD-Net, GT+KL", True, lambda s, teacher: KDNet(teacher, s, soft_labels=False, bottleneck=True)),
    "gt+kd": Entry("KD-Net, GT+KD", True, lambda s, teacher: KDNet(teacher, s, soft_labels=True, bottleneck=False)),
    "gt+kl+kd": Entry("KD-Net, GT+KL+KD", True, lambda s, teacher: KDNet(teacher, s, soft_labels=True, bottleneck=True)),
}
