"""The original HeMIS (Havaei et al., MICCAI 2016)."""

import torch

from KDNetLib.networks.hemis import HeMIS
from KDNetTrainingLib.settings import Settings
from KDNetTrainingLib.systems.any_subset import some_of
from KDNetTrainingLib.systems.u_hemis import UHeMISSystem

#: Steps in which every modality is seen before any is dropped; the paper says "a few".
_WARM_UP = 100


class HeMISSystem(UHeMISSystem):
    """With the paper's pseudo-curriculum: first every modality, then none or one dropped more often than more of them.

    The paper gives no figures; here none or one is missing twice as often as each greater number. It minimises
    cross-entropy over patches drawn so that the classes are balanced, which the samples here are not; the loss is that of
    U-HeMIS, as when Dorent et al. compare the two.
    """

    architecture = HeMIS

    def __init__(self, settings: Settings):
        super().__init__(settings)
        # Kept with the weights, so that a resumed training goes on where it was.
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def draw(self):
        count = len(self.all_modalities)
        self.steps += 1
        if self.steps <= _WARM_UP:
            return list(range(count))
        frequency = torch.tensor([2.0 if dropped < 2 else 1.0 for dropped in range(count)])
        return some_of(count, count - int(torch.multinomial(frequency, 1)))


def hemis(settings: Settings, teacher: None) -> HeMISSystem:
    """The original HeMIS."""
    return HeMISSystem(settings)
