"""KD-Net's procedure: the teacher from the reference alone, then the student from teacher and reference together."""

import torch

from KDNetLib.network import EncoderDecoder
from KDNetTrainingLib import losses
from KDNetTrainingLib.data.cache import CachedCase
from KDNetTrainingLib.data.cases import MODALITIES
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.training.trainer import train


def new_network(channels: int, settings: Settings) -> EncoderDecoder:
    """A network with random weights that depend on the settings' seed alone."""
    torch.manual_seed(settings.seed)
    return EncoderDecoder(channels, width=settings.width, skips=settings.skips).to(memory_format=torch.channels_last_3d)


def train_teacher(cases: list[CachedCase], settings: Settings, run: RunFolder) -> EncoderDecoder:
    """The four-modality network, trained with L_GT (Eq. 4) only; returned frozen, in evaluation mode."""
    teacher = new_network(len(MODALITIES), settings)

    def loss_of(images, classes):
        return losses.segmentation_loss(classes, teacher(images)), {}

    train("teacher", teacher, loss_of, cases, settings.epochs_teacher, settings, run)
    return teacher.eval().requires_grad_(False)


def train_student(teacher: EncoderDecoder, cases: list[CachedCase], settings: Settings, run: RunFolder) -> EncoderDecoder:
    """The one-modality network, trained with the complete objective (Eq. 5); the teacher stays as it is."""
    channel = MODALITIES.index(settings.student_modality)
    student = new_network(1, settings)
    if settings.student_from_teacher:
        _copy_weights(teacher, student, channel)

    def loss_of(images, classes):
        with torch.no_grad():
            teacher_bottleneck, features = teacher.encode(images)
            teacher_logits = teacher.decode(teacher_bottleneck, features)
        bottleneck, features = student.encode(images[:, channel : channel + 1])
        logits = student.decode(bottleneck, features)
        gt = losses.segmentation_loss(classes, logits)
        kd = losses.distillation_loss(teacher_logits, logits, settings.temperature)
        kl = losses.bottleneck_divergence(teacher_bottleneck, bottleneck)
        total = losses.objective(kd, gt, kl, settings.imitation, settings.alpha)
        return total, {"gt": gt.item(), "kd": kd.item(), "kl": kl.item()}

    train("student", student, loss_of, cases, settings.epochs_student, settings, run)
    return student.eval()


def _copy_weights(teacher: EncoderDecoder, student: EncoderDecoder, channel: int) -> None:
    """Start the student as the teacher, its first convolution as that of the student's own modality."""
    weights = teacher.state_dict()
    first = next(iter(weights))
    weights[first] = weights[first][:, channel : channel + 1].clone()
    student.load_state_dict(weights)
