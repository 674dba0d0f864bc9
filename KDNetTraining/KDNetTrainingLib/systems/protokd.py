"""ProtoKD: a student of one modality taught voxel by voxel and by the likeness of voxels to the classes' prototypes.

Wang et al., "Prototype Knowledge Distillation for Medical Segmentation with Missing Modality", ICASSP 2023, after their
public code (github.com/SakurajimaMaiii/ProtoKD): L = L_seg + 10 L_KD + 0.1 L_proto, T = 10, a frozen teacher of all
modalities. L_seg is Dice over all classes plus weighted cross-entropy; L_proto compares the features before the last 1³
convolution. Network, data and schedule are the run's, so that it is compared under the same conditions; theirs are a
V-Net of 16 filters, crops of 96 × 128 × 128 mm, batches of 4, Adam with 1e-3 and weight decay 1e-5, 1000 epochs.
"""

import torch

from KDNetTrainingLib import protokd_losses
from KDNetTrainingLib.systems.taught import TaughtSystem

#: Weights of the two terms of distillation, and the temperature (their config.py and train_protokd.py).
KD_WEIGHT, PROTOTYPE_WEIGHT, TEMPERATURE = 10.0, 0.1, 10.0


class ProtoKD(TaughtSystem):
    """A student under ProtoKD's objective."""

    def losses(self, images, classes):
        teacher, network = self.teacher, self.network
        with torch.no_grad():
            teacher_features = teacher.decode_features(*teacher.encode(self.seen_by_teacher(images)))
            teacher_logits = teacher.head(teacher_features)
        features = network.decode_features(*network.encode(self.seen(images)))
        logits = network.head(features)
        terms = {
            "gt": protokd_losses.class_dice_loss(classes, logits) + protokd_losses.weighted_cross_entropy(classes, logits),
            "kd": protokd_losses.pixel_distillation(teacher_logits, logits, TEMPERATURE),
            "proto": protokd_losses.prototype_loss(classes, teacher_features, features),
        }
        return {"loss": terms["gt"] + KD_WEIGHT * terms["kd"] + PROTOTYPE_WEIGHT * terms["proto"], **terms}, logits
