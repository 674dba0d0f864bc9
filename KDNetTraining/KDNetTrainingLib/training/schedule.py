"""How the learning rate falls: the paper's plateau rule, or polynomial decay."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from KDNetTrainingLib.settings import Settings

_POWER = 0.9


class Plateau:
    """Times ``factor`` whenever ``patience`` epochs in a row have brought no lower validation loss."""

    def __init__(self, optimizer: Optimizer, settings: Settings):
        # torch waits for one epoch more than its patience; any lower loss counts, however little.
        self._rule = ReduceLROnPlateau(optimizer, factor=settings.factor, patience=settings.patience - 1, threshold=0)

    def after_step(self) -> None:
        """Nothing: the rule looks at epochs."""

    def after_epoch(self, validation_loss: float) -> None:
        """Take note of an epoch's validation loss."""
        self._rule.step(validation_loss)

    def state_dict(self) -> dict:
        """What :meth:`load_state_dict` needs to go on."""
        return self._rule.state_dict()

    def load_state_dict(self, state: dict) -> None:
        """Go on from ``state``."""
        self._rule.load_state_dict(state)


class Polynomial:
    """The initial rate times (1 − step / steps)^0.9."""

    def __init__(self, optimizer: Optimizer, steps: int):
        self._rule = LambdaLR(optimizer, lambda step: max(0.0, 1 - step / steps) ** _POWER)

    def after_step(self) -> None:
        """One step further."""
        self._rule.step()

    def after_epoch(self, validation_loss: float) -> None:
        """Nothing: the rule looks at steps."""

    def state_dict(self) -> dict:
        """What :meth:`load_state_dict` needs to go on."""
        return self._rule.state_dict()

    def load_state_dict(self, state: dict) -> None:
        """Go on from ``state``."""
        self._rule.load_state_dict(state)


def new_schedule(optimizer: Optimizer, settings: Settings, steps: int) -> Plateau | Polynomial:
    """The schedule that ``settings`` names, for a training of ``steps`` steps in all."""
    return Plateau(optimizer, settings) if settings.schedule == "plateau" else Polynomial(optimizer, steps)
