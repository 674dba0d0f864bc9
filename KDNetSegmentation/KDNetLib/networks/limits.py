"""What a network can be given, and what a model file may ask for, so that a hostile one cannot exhaust memory. Standard library only."""

import math

MAX_CHANNELS, MAX_WIDTH, MAX_LEVELS, MAX_MEMBERS = 16, 64, 7, 8


def padded_side(side: float, divisor: int) -> int:
    """The side of the volume that a network of ``divisor`` is given for ``side`` voxels: InstanceNorm needs two at the bottleneck."""
    return max(2, math.ceil(side / divisor)) * divisor


def check_whole_numbers(given: dict, limits: dict[str, tuple[int, int]]) -> None:
    """Raise ValueError where a value of ``given`` is no whole number within its ``limits`` (lowest, highest)."""
    for name, (low, high) in limits.items():
        if type(given[name]) is not int or not low <= given[name] <= high:
            raise ValueError(f"{name} must be a whole number from {low} to {high}, not {given[name]!r}")


def check_levelled(channels: int, classes: int, width: int, levels: int, skips: int) -> dict[str, int]:
    """The arguments of an encoder-decoder of several resolutions, by name. Raises ValueError where one is out of range."""
    given = {"channels": channels, "classes": classes, "width": width, "levels": levels, "skips": skips}
    limits = {"channels": (1, MAX_CHANNELS), "classes": (1, 16), "width": (1, MAX_WIDTH), "levels": (2, MAX_LEVELS)}
    limits["skips"] = (0, levels - 1 if type(levels) is int else 0)
    check_whole_numbers(given, limits)
    return given
