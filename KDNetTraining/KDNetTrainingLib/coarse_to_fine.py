"""Coarse samples first, fine ones later: most of what a network must learn can be learnt at an eighth of the cost.

The network is fully convolutional, so that its weights go on at twice the resolution (progressive resizing). Epochs are
counted from 0. Imports no torch.
"""

#: A sample of half the resolution has an eighth of the voxels.
_COARSE_COST = 1 / 8


def coarse_epochs(epochs: int, share: float) -> int:
    """How many of ``epochs``, the first ones, are coarse where ``share`` (0 to 1) of them are to be; the last one never is."""
    return min(round(epochs * share), epochs - 1)


def cost_of_epoch(epoch: int, epochs: int, share: float) -> float:
    """The time that ``epoch`` of ``epochs`` takes, in fine epochs."""
    return _COARSE_COST if epoch < coarse_epochs(epochs, share) else 1.0


def cost_from(epoch: int, epochs: int, share: float) -> float:
    """The time from ``epoch`` to the last of ``epochs``, in fine epochs."""
    coarse = max(0, coarse_epochs(epochs, share) - epoch)
    return coarse * _COARSE_COST + (epochs - epoch - coarse)
