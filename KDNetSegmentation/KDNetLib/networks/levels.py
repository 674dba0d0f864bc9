"""What the encoder-decoders of several resolutions have in common: their parameters, their limits and what a skip is."""

from KDNetLib.networks.base import EncodingNetwork
from KDNetLib.networks.limits import check_levelled


class LevelledNetwork(EncodingNetwork):
    """An encoder-decoder whose resolution is halved from level to level, with skip connections between equal ones.

    Args:
        channels: input channels (modalities), 1 to 16.
        classes: output channels: the classes, background included, or the images to make, 1 to 16.
        width: channels of the first level, 1 to 64; doubled at each further level.
        levels: number of resolutions, the bottleneck included (the paper: 5, so 64³ becomes 4³), 2 to 7.
        skips: how many of the ``levels - 1`` skip connections exist (the paper: 4 or 0), counted from the deepest level
            upwards.

    Raises ValueError where an argument is out of range.
    """

    def __init__(self, channels: int, classes: int, width: int, levels: int, skips: int):
        super().__init__()
        self.parameters_given = check_levelled(channels, classes, width, levels, skips)

    @property
    def divisor(self) -> int:
        return 2 ** (self.parameters_given["levels"] - 1)

    def _has_skip(self, level: int) -> bool:
        return level >= self.parameters_given["levels"] - 1 - self.parameters_given["skips"]
