"""Headless training inside Slicer, with an honest exit code."""

import argparse
from pathlib import Path

from KDNetLib.errors import KDNetError
from KDNetTrainingLib.cli.parameters import add_parameters, given_parameters
from KDNetTrainingLib.cli.run_line import duration
from KDNetTrainingPanelLib.logic import KDNetTrainingLogic
from KDNetTrainingPanelLib.plan_choice import OBJECTIVES
from KDNetTrainingPanelLib.run_process import holdsRun

FINISHED, FAILED, NOT_STARTED = 0, 1, 2


def run(arguments) -> int:
    """Do what the command line ``arguments`` say and return the exit code.

    0: the run is finished. 1: it failed or was stopped. 2: wrong arguments, or it could not be started.
    """
    arguments = list(arguments)
    if arguments[:1] == ["--"]:  # what separates them from Slicer's own
        del arguments[0]
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as exit:  # argparse has said what is wrong, or shown the help
        return NOT_STARTED if exit.code else FINISHED
    logic = KDNetTrainingLogic()
    try:
        training = _start(logic, options)
    except KDNetError as error:
        print(f"error: {error}")
        return NOT_STARTED
    try:
        state = training.wait(_Printer())
    except KDNetError as error:
        print(f"error: {error}")
        return FAILED
    finally:
        logic.shutdown()
    print(f"{options.run}: {state.state}", flush=True)
    return FINISHED if state.state == "finished" else FAILED


def _start(logic, options):
    if holdsRun(options.run):
        return logic.resume(options.run, options.data, options.device, wait=False)
    return logic.train(
        options.data,
        options.run,
        preset=options.preset,
        objective=options.objective,
        modelName=options.name,
        device=options.device,
        wait=False,
        **given_parameters(options),
    )


def _parser():
    parser = argparse.ArgumentParser(
        prog="Slicer --no-main-window --python-script KDNetTrain.py --",
        description="Train KD-Net on a BraTS folder. For research use only.",
    )
    parser.add_argument("data", type=Path, help="folder that holds the BraTS cases")
    parser.add_argument("run", type=Path, help="new or empty folder for the run, or that of a run to go on with")
    parser.add_argument("--preset", default="paper", help="paper (default), full or student")
    parser.add_argument("--objective", default="gt+kl+kd", choices=OBJECTIVES, help="what to train (default: gt+kl+kd)")
    parser.add_argument("--name", default="my-student", help="name of the model file (default: my-student)")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda:0, mps")
    add_parameters(parser)
    return parser


class _Printer:
    """Prints a line whenever the run has come to another stage."""

    def __init__(self):
        self._stage = ""

    def __call__(self, state):
        if state.stage != self._stage:
            self._stage = state.stage
            left = f", {duration(state.seconds_left)} left" if state.seconds_left is not None else ""
            print(f"{state.stage} ({100 * state.fraction:.0f} %{left})", flush=True)
