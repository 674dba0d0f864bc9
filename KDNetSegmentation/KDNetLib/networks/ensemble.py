"""Several networks of one architecture in one model file, their class probabilities averaged."""

import torch
from torch import nn

from KDNetLib.networks import registry
from KDNetLib.networks.base import Network
from KDNetLib.networks.limits import MAX_MEMBERS, check_whole_numbers


class Ensemble(Network):
    """``members`` networks of the architecture ``of``, such as the folds of a cross-validation; ``parameters`` are each one's.

    Its logits are the logarithm of the mean probability, so that their softmax is that mean. Raises ValueError where an
    argument is out of range.
    """

    def __init__(self, of: str, members: int, **parameters):
        super().__init__()
        check_whole_numbers({"members": members}, {"members": (2, MAX_MEMBERS)})
        if of not in registry.ARCHITECTURES or of == type(self).__name__:
            raise ValueError(f"of must be the architecture of one network, not {of!r}")
        self.members = nn.ModuleList(registry.architecture(of)(**parameters) for _ in range(members))
        self.parameters_given = {"of": of, "members": members, **self.members[0].parameters_given}

    @property
    def divisor(self) -> int:
        return self.members[0].divisor

    def forward(self, x, step=None):
        part = step and (lambda share: step(share / len(self.members)))
        # One after the other: the memory that one member needs is enough.
        total = sum(torch.softmax(member(x, part).float(), dim=1) for member in self.members)
        return (total / len(self.members)).clamp(min=torch.finfo(torch.float32).tiny).log()


def ensemble_of(networks: list[Network]) -> Ensemble:
    """The ensemble of ``networks``, which must be 2 to 8 of the same class with the same arguments; raises ValueError."""
    first = networks[0]
    if any((type(each), each.parameters_given) != (type(first), first.parameters_given) for each in networks):
        raise ValueError("networks of different architectures cannot be one ensemble")
    with torch.device("meta"):
        ensemble = Ensemble(type(first).__name__, len(networks), **first.parameters_given)
    weights = {f"members.{place}.{key}": value for place, network in enumerate(networks) for key, value in network.state_dict().items()}
    ensemble.load_state_dict(weights, assign=True)
    return ensemble.eval().requires_grad_(False)
