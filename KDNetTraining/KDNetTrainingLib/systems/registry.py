"""The systems that can be trained, under the paper's names. Imports none of them, so that a list needs no torch."""

from dataclasses import dataclass
from importlib import import_module

from KDNetTrainingLib.settings import Settings

_PAPER = "Hu et al., Knowledge distillation from multi-modal to mono-modal segmentation networks, MICCAI 2020"
#: Inputs in the usual settings: T1ce stands for ``student_modality``, the four for ``teacher_modalities``.
_ONE, _ALL, _ANY = "T1ce", "T1, T1ce, T2, FLAIR", "T1ce, or any subset"
_DORENT = "Dorent et al., Hetero-modal variational encoder-decoder for joint modality completion and segmentation, MICCAI 2019"
_HAVAEI = "Havaei et al., HeMIS: Hetero-modal image segmentation, MICCAI 2016"
_CHEN = "Chen et al., Robust multimodal brain tumor segmentation via feature disentanglement and gated fusion, MICCAI 2019"
_WANG = "Wang et al., Prototype knowledge distillation for medical segmentation with missing modality, ICASSP 2023"
#: How much longer a step with a teacher takes than one without (measured at 64³, batch 2, width 16: 1.4 s to 1.05).
_TAUGHT_COST = 1.33


@dataclass(frozen=True)
class Entry:
    """A system, as it is listed and made.

    ``title`` is the paper's name of it and ``what`` a phrase that says what it is; ``trained_with`` and ``tested_with``
    are the modalities it sees in training (also by its teacher) and needs at test; ``source`` is its citation. ``maker``
    is file.Class or file.function in this folder, called with the settings and the teacher. ``taught``: by the trained
    network of the system "teacher". ``takes_skips`` and ``takes_network``: whether the settings of these names change
    it, so that its label may carry them (``baseline-0skips``, ``baseline-residual``). ``cost``: operations of a training
    step in those of the baseline's, as torch counts them (plain network, width 4, mean of three steps); the parts of a
    run are balanced by it.
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
    cost: float = 1.0

    def make(self, settings: Settings, teacher):
        """The untrained :class:`System`; ``teacher`` is the trained network that teaches it, None where it is not taught."""
        file, function = self.maker.split(".")
        return getattr(import_module(f"KDNetTrainingLib.systems.{file}"), function)(settings, teacher)


def _papers_own(title: str, what: str, trained_with: str, tested_with: str, maker: str, taught: bool = False) -> Entry:
    return Entry(title, what, trained_with, tested_with, _PAPER, maker, taught, takes_skips=True, takes_network=True, cost=_TAUGHT_COST if taught else 1.0)


SYSTEMS = {
    "baseline": _papers_own("Baseline", "one modality, GT", _ONE, _ONE, "supervised.baseline"),
    "teacher": _papers_own("Teacher", "all modalities, GT", _ALL, _ALL, "supervised.teacher"),
    "gt+kl": _papers_own("GT+KL", "KD-Net, GT+KL", _ALL, _ONE, "kdnet.gt_kl", taught=True),
    "gt+kd": _papers_own("GT+KD", "KD-Net, GT+KD", _ALL, _ONE, "kdnet.gt_kd", taught=True),
    "gt+kl+kd": _papers_own("GT+KL+KD", "KD-Net, GT+KL+KD", _ALL, _ONE, "kdnet.gt_kl_kd", taught=True),
    "hemis": Entry("HeMIS", "HeMIS, moments of the modalities at hand fused once", _ALL, _ANY, _HAVAEI, "hemis.hemis", cost=3.2),
    "u-hemis": Entry("U-HeMIS", "U-HeMIS, moments of the modalities at hand fused at every level", _ALL, _ANY, _DORENT, "u_hemis.u_hemis", cost=1.3),
    "u-hved": Entry("U-HVED", "U-HVED, Gaussians of the modalities at hand fused at every level", _ALL, _ANY, _DORENT, "hved.u_hved", cost=4.0),
    "gated-fusion": Entry("Gated fusion", "gated fusion of the modalities at hand", _ALL, _ANY, _CHEN, "gated_fusion.gated_fusion", cost=17.8),
    "synthesis": Entry("Synthesis", "FLAIR made from T1ce, both segmented", "T1ce, FLAIR", _ONE, _PAPER, "synthesis.Synthesis", takes_skips=True, cost=2.0),
    "shared-layers": _papers_own("Shared layers", "KD-Net, deepest layers the teacher's own", _ALL, _ONE, "shared_layers.SharedLayers", taught=True),
    "protokd": Entry("ProtoKD", "ProtoKD, GT+KD+prototypes", _ALL, _ONE, _WANG, "protokd.ProtoKD", taught=True, takes_skips=True, takes_network=True, cost=_TAUGHT_COST),
}
