"""KD-Net with the deepest layers' weights shared by teacher and student (Hu et al., MICCAI 2020, Observations).

The paper: "We also tried sharing the weights between the Teacher and the Student in the deepest layers of the networks",
with almost the same results, slightly worse. It says neither which layers nor how they are trained. Read here as the one
change to the framework of its Fig. 1: two networks, the teacher trained before and frozen as ever, the objective of
Eq. 5; the student's deepest encoder level and first decoder level are the teacher's, and therefore as fixed as the
teacher is. The student learns what lies around them, also through them: the divergence of the bottlenecks says what its
first layers must give for the same deep layers to arrive at the teacher's bottleneck.
"""

from KDNetLib.networks.base import EncodingNetwork
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.kdnet import KDNet


class SharedLayers(KDNet):
    """KD-Net whose student holds the teacher's deepest layers.

    As copies, which equal the teacher's as long as both are frozen, so that the student is a whole network of its own.
    """

    def __init__(self, settings: Settings, teacher: EncodingNetwork):
        super().__init__(settings, teacher, soft_labels=True, bottleneck=True)
        for own, shared in zip(self.network.deepest_layers, teacher.deepest_layers):
            own.load_state_dict(shared.state_dict())
            own.requires_grad_(False)
