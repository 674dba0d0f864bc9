"""Who may work in a run folder at the same time: one process for the whole run, or one for each of its parts."""

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from KDNetLib.errors import InputError
from KDNetTrainingLib.run.lock import holder, locked
from KDNetTrainingLib.run.part import folders_of_parts, shared_lock
from KDNetTrainingLib.run.run_folder import RunFolder


@contextmanager
def at_work(run: RunFolder):
    """Work in ``run``, or in its part, while in the block.

    Raises InputError where another process does the same, or divides the run otherwise: it would train the same.
    """
    with locked(run.own / "lock"):
        # After taking the own lock: of two that begin at once, each of another kind, at least one sees the other.
        others = [place for place in others_at_work(run) if not _is_sibling(run, place)]
        if others:
            raise InputError(
                f"Another training ({holder(others[0] / 'lock') or 'it has just ended'}) works in {others[0]} and divides the run otherwise; "
                "wait for its end or stop it with kdnet stop."
            )
        yield


def others_at_work(run: RunFolder) -> list[Path]:
    """The folders (the run's, its parts') in which other processes work."""
    places = [run.path, *folders_of_parts(run.path).values()]
    return [place for place in places if place != run.own and holder(place / "lock")]


@contextmanager
def in_turn(run: RunFolder, work: str, waiting: Callable[[], None] = lambda: None):
    """Where ``run`` is a part: do the ``work`` in the block while no other part does; ``waiting`` is called meanwhile and may raise."""
    if not run.part:
        yield
        return
    with locked(shared_lock(run.path, work), waiting):
        yield


def _is_sibling(run: RunFolder, place: Path) -> bool:
    return bool(run.part) and place in [path for part, path in folders_of_parts(run.path).items() if part.count == run.part.count]
