"""What the systems with a teacher have in common: a student of one modality, and a frozen network that sees all of them."""

import copy

import torch

from KDNetLib.networks.base import EncodingNetwork
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.backbones import new_network
from KDNetTrainingLib.systems.base import System, channels


class TaughtSystem(System):
    """A student, ``network``, and its ``teacher``, which must be on the device where the training runs.

    The student begins with random weights or, with the setting ``student_from_teacher``, with the teacher's; or with
    those that :meth:`begin_with` is given. With ``mean_with_baseline`` it is then scored and exported with the mean of
    those and its own (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022).
    """

    def __init__(self, settings: Settings, teacher: EncodingNetwork):
        super().__init__()
        self.modalities = (settings.student_modality,)
        self.network = new_network(self.modalities, settings)
        if settings.student_from_teacher:
            self._start_from(teacher, settings)
        # In a tuple, because a submodule would be trained, switched to training mode and saved with the student.
        self._teacher = (teacher.eval().requires_grad_(False),)
        self._teacher_modalities = settings.teacher_modalities
        self._averaged, self._begun = settings.mean_with_baseline, {}

    def begin_with(self, baseline: EncodingNetwork) -> None:
        """Take the weights of ``baseline``, a network of the student's own arguments, but for those that are not trained."""
        fixed = {name: weights for name, weights in self.network.named_parameters() if not weights.requires_grad}
        weights = baseline.state_dict() | fixed
        self.network.load_state_dict(weights)
        if self._averaged:
            self._begun = {name: value.detach().clone() for name, value in weights.items() if name not in fixed}

    @property
    def deployed(self) -> EncodingNetwork:
        """``network``, or a copy with the mean of its weights and of those that it began with; validation judges ``network``."""
        if not self._begun:
            return self.network
        averaged = copy.deepcopy(self.network).requires_grad_(False)
        last = self.network.state_dict()
        averaged.load_state_dict(last | {name: (last[name] + first.to(last[name].device)) / 2 for name, first in self._begun.items()})
        return averaged

    @property
    def teacher(self) -> EncodingNetwork:
        """The network that teaches; call it where no gradient is recorded."""
        return self._teacher[0]

    def seen_by_teacher(self, images: torch.Tensor) -> torch.Tensor:
        """The channels of ``images`` (B, 4, D, H, W) that ``teacher`` sees."""
        return channels(images, self._teacher_modalities)

    def _start_from(self, teacher: EncodingNetwork, settings: Settings) -> None:
        """The teacher's weights; of its first convolution those of the student's own modality."""
        weights = teacher.state_dict()
        first, channel = next(iter(weights)), settings.teacher_modalities.index(settings.student_modality)
        weights[first] = weights[first][:, channel : channel + 1]
        self.network.load_state_dict(weights)
