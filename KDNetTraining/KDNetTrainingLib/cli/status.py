"""``kdnet status``: how far a run is, once or until it ends."""

import argparse
import json
import shlex
import sys
import time
from pathlib import Path

from KDNetTrainingLib.run.status import PlaceState, RunState

_POLL_SECONDS = 0.5
#: How often --follow looks before it gives a run up that has not started: for a minute, in which torch is loaded.
_START_POLLS = 120
_WARNINGS = 5


def add_parser(subparsers) -> None:
    """Add the subcommand to ``kdnet``."""
    parser = subparsers.add_parser(
        "status",
        help="show how far a run is",
        description="Show how far a run is: trainings, epochs, losses, Dice, time left. Exit code 1 where --follow saw it end unfinished, or not start within a minute.",
    )
    parser.add_argument("run", type=Path, help="folder of the run")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--follow", action="store_true", help="keep watching until the run ends; Ctrl-C ends the watching, not the run")
    how.add_argument("--json", action="store_true", help="machine-readable, everything")


def run(arguments: argparse.Namespace) -> int:
    """Show it; returns 0, or 1 where a followed run did not start or ended without being finished. Raises InputError where there is no run."""
    state = RunState.read(arguments.run)
    if arguments.json:
        print(json.dumps(state.as_dict(), indent=1))
        return 0
    if not arguments.follow:
        print(_described(state, arguments.run))
        return 0
    from KDNetTrainingLib.cli.run_line import RunLine  # imports numpy, for which `kdnet --help` need not wait

    line = RunLine(str(arguments.run), sys.stdout)
    try:
        if state.state == "not started":
            print(f"{arguments.run}: not started yet, waiting for it", flush=True)
            for _ in range(_START_POLLS):
                time.sleep(_POLL_SECONDS)
                state.refresh()
                if state.state != "not started":
                    break
        while state.state == "running":
            line.show(state)
            time.sleep(_POLL_SECONDS)
            state.refresh()
    except KeyboardInterrupt:
        line.clear()
        print(f"The watching has ended, the run goes on; stop it with: kdnet stop {shlex.quote(str(arguments.run))}")
        return 0
    line.clear()
    print(_described(state, arguments.run))
    return 0 if state.state == "finished" else 1


def _described(state: RunState, folder: Path) -> str:
    from KDNetTrainingLib.cli.run_line import duration, numbers

    facts = [f"{len(state.done)} of {len(state.trainings)} trainings done, {100 * state.fraction:.0f} % of the epochs"] if state.trainings else []
    if state.seconds_left is not None:
        facts.append(f"{duration(state.seconds_left)} left")
    lines = [f"{folder}: {_headline(state, folder)}"]
    if facts:
        lines.append(", ".join(facts))
    if state.parts:
        lines += [f"Part {part}: {_part(place)}" for part, place in state.parts.items()]
    elif state.state == "running" and state.stage:
        training = state.trainings.get(state.current)
        lines.append(f"Now: {state.stage}{numbers(training.train_now, training.validation) if training else ''}")
    if state.trainings:
        lines += ["", *_table(state)]
    if state.warnings:
        lines += ["", *(f"Warning: {message}" for message in state.warnings[-_WARNINGS:])]
        if len(state.warnings) > _WARNINGS:
            lines.append(f"({len(state.warnings) - _WARNINGS} earlier warnings are in events.jsonl)")
    return "\n".join(lines)


def _part(place: PlaceState) -> str:
    from KDNetTrainingLib.cli.run_line import duration

    if place.state != "running":
        return f"{place.state} {place.message}".rstrip()
    left = "" if place.seconds_left is None else f", {duration(place.seconds_left)} left"
    return f"running ({place.holder}), {place.stage or 'beginning'}{left}"


def _headline(state: RunState, folder: Path) -> str:
    resume = f"Go on with: kdnet resume {shlex.quote(str(folder))}" + (" (what is left, in one process) or with --part i/n" if state.parts else "")
    if state.state == "running":
        at_work = [part for part, place in state.parts.items() if place.state == "running"]
        return f"running (part {', '.join(map(str, at_work))})" if at_work else f"running ({state.holder})"
    if state.state == "killed":
        return f"killed; the last checkpoint is intact. {resume}"
    if state.state == "failed":
        return f"failed: {state.message} {resume}"
    if state.state == "stopped":
        return f"{state.message} {resume}"
    return state.state


def _table(state: RunState) -> list[str]:
    """One line per training: epochs, Dice of the best epoch on the validation cases, Dice at the end on the native grid."""
    from KDNetTrainingLib.cli.run_line import dice_of

    width = max(8, *map(len, state.trainings))
    lines = [f"{'training':{width}}  {'epochs':>11}  {'best':>5}  {'Dice, validation':24}  Dice, test (native)"]
    for key, training in state.trainings.items():
        best = training.best_epoch if training.best_validation else None
        shown = dice_of(training.best_validation) if training.best_validation else "-"
        scores = dice_of(training.scores["native"]) if training.scores else "-"
        lines.append(f"{key:{width}}  {f'{training.epoch}/{training.epochs}':>11}  {best or '-':>5}  {shown:24}  {scores}")
    return lines
