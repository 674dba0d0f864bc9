"""Dividing a run's trainings among processes that know nothing of each other but their number."""

from KDNetLib.errors import InputError
from KDNetTrainingLib.plan import Plan, Training
from KDNetTrainingLib.run.part import Part


def share(plan: Plan, part: Part) -> list[Training]:
    """The trainings that are ``part``'s, in the plan's order: in every process the same, each training in one part.

    A teacher and all whom it teaches stay together, with the baseline where they begin with its weights; every other
    training is on its own. The dearest go first, each to the part that has least to do so far (the rule of Graham, 1969:
    at most a third above the best possible). Raises InputError where there are fewer such units than parts.
    """
    trainings = plan.trainings()
    units: list[list[Training]] = []
    for training in trainings:  # what a training needs goes before it
        own = [unit for unit in units if any(needed in unit for needed in plan.needed_by(training))]
        place = units.index(own[0]) if own else len(units)
        joined = [each for unit in own for each in unit] + [training]
        units[place:] = [joined, *(unit for unit in units[place:] if unit not in own)]
    if part.count > len(units):
        raise InputError(f"There is work for {len(units)} part(s) (a teacher stays with whom it teaches), not for {part.count}.")
    costs = [0.0] * part.count
    chosen = set()
    for unit in sorted(units, key=lambda unit: -sum(map(plan.cost, unit))):  # equal ones stay in the plan's order
        least = costs.index(min(costs))
        costs[least] += sum(map(plan.cost, unit))
        if least == part.number - 1:
            chosen.update(unit)
    return [training for training in trainings if training in chosen]
