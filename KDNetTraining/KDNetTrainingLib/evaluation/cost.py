"""What each system costs: as counted (``evaluation.counting``), and time and memory as the run's events tell them. Needs no torch."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import astuple, dataclass
from statistics import fmean, median

from KDNetTrainingLib.evaluation.summaries import in_papers_order
from KDNetTrainingLib.evaluation.text import csv_text, markdown_table, name_of
from KDNetTrainingLib.plan import Plan, Training
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.stages import Stages

_COUNTED = ("parameters", "trained_parameters", "forward_gflop", "step_gflop")
_MEASURED = ("seconds_per_step", "hours", "gpu_gb", "memory_gb")


@dataclass(frozen=True)
class Cost:
    """Of the system of ``training`` (any of its trainings); None where it is not known.

    ``counted`` has the four numbers of ``evaluation.counting.Counted``. ``seconds_per_step``: median over epochs, the coarse
    ones left out; ``hours`` of one training, validation included, mean over the finished ones; ``gpu_gb`` and ``memory_gb`` (2³⁰
    bytes): the most that a GPU's tensors took in one of them, and the whole process until its end.
    """

    training: Training
    counted: tuple
    seconds_per_step: float | None
    hours: float | None
    gpu_gb: float | None
    memory_gb: float | None


def costs(run: RunFolder, finished: list[Training], events: list[dict], stages_of: Callable[[Training], Stages] | None = None) -> list[Cost]:
    """Of every system of the ``finished`` trainings what it costs, by the run's ``events`` and its counted.json.

    ``stages_of`` gives a training's stages: seconds per step are those of crops. None: there are crops alone.
    """
    counted = run.read("counted") or {}
    found = []
    for training in in_papers_order(finished):
        keys = {each.key for each in finished if each.label == training.label}
        numbers = counted.get(training.label, {})
        found.append(Cost(training, tuple(numbers.get(name) for name in _COUNTED), *_measured(keys, events, stages_of and stages_of(training))))
    return found


def costs_csv(found: list[Cost]) -> str:
    """One line per system."""
    return csv_text(["system", *_COUNTED, *_MEASURED], [[cost.training.label, *cost.counted, *astuple(cost)[2:]] for cost in found])


def costs_markdown(found: list[Cost], plan: Plan) -> str:
    """One table; empty without systems."""
    if not found:
        return ""
    header = ["System", "Parameters, M", "Trained, M", "GFLOP, forward", "GFLOP, training step", "s per step", "h per training", "GPU, GB", "Process, GB"]
    lines = []
    for cost in found:
        own = [None if number is None else number / 1e6 for number in cost.counted[:2]]
        lines.append([name_of(cost.training), *map(_shown, (*own, *cost.counted[2:], *astuple(cost)[2:]))])
    sides = " × ".join(map(str, plan.settings.crop))
    uncounted = "" if all(None not in cost.counted for cost in found) else "\n`kdnet report RUN` counts the parameters and operations that are missing."
    return (
        "# Cost of the systems\n\n"
        "Parameters: of the network used at test, and of all that is trained. GFLOP (a multiplication and an addition are two): convolutions and\n"
        f"matrix products, of one forward pass of that network over {sides} voxels, and of one training step (batch of {plan.settings.batch_size}, forward and\n"
        "backward, with the teacher's forward pass; systems that drop modalities in training with all of them). Hours without those of the teacher.\n"
        f"Memory: the peak of a GPU's tensors in a training, and of the process until its end, which may have been in a training before.{uncounted}\n\n" + markdown_table(header, lines)
    )


def _measured(keys: set[str], events: list[dict], stages: Stages | None) -> tuple:
    steps, epochs = {}, {}  # of an epoch that was trained twice, after a kill, the later counts
    for event in events:
        if event.get("training") in keys and event["kind"] in ("steps", "epoch"):
            (steps if event["kind"] == "steps" else epochs)[event["training"], event["epoch"]] = event
    seconds = defaultdict(float)
    for (key, _), event in epochs.items():
        seconds[key] += event["seconds"]
    memory = [max((event[name] for event in epochs.values() if event.get(name) is not None), default=None) for name in ("gpu_gb", "memory_gb")]
    crops = [event["seconds_per_step"] for event in steps.values() if stages is None or stages.fine_from < event["epoch"] <= stages.whole_from]
    return median(crops) if crops else None, fmean(seconds.values()) / 3600 if seconds else None, *memory


def _shown(number: float | None) -> str:
    return "–" if number is None else f"{number:.3g}" if number < 100 else f"{number:.0f}"
