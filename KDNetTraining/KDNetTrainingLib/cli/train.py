"""``kdnet train``: teacher, then student, then a model file, from a BraTS folder."""

import argparse
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from KDNetTrainingLib.settings import PRESETS

_OPTIONS = {"epochs_teacher": int, "epochs_student": int, "learning_rate": float, "width": int, "skips": int, "spacing": float, "seed": int}


def add_parser(subparsers) -> None:
    """Add the subcommand to ``kdnet``."""
    parser = subparsers.add_parser(
        "train",
        help="train teacher and student on a BraTS folder and export a model file",
        description="Train KD-Net's teacher, then its student. The same command goes on where a stopped run ended; with more --epochs-student it prolongs a finished one.",
    )
    parser.add_argument("data", type=Path, help="folder that holds the BraTS cases")
    parser.add_argument("run", type=Path, help="folder of the run: settings, events, checkpoints, model file")
    parser.add_argument("--preset", choices=tuple(PRESETS), default="first-student", help="parameters to start from (default: first-student)")
    for name, kind in _OPTIONS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=f"overrides the preset's {name.replace('_', ' ')}")
    parser.add_argument("--validation", nargs="*", default=[], metavar="CASE", help="cases kept out of training and scored at the end")
    parser.add_argument("--name", default="my-student", help="name of the exported model (default: my-student)")
    parser.add_argument("--data-text", default="", help="what the data are and whom to attribute, for the model card")
    parser.add_argument("--licence", default="not stated", help="licence of the model file (default: not stated)")


def run(arguments: argparse.Namespace) -> int:
    """Train and export; returns 0."""
    from KDNetLib.allocator import keep_freed_memory
    from KDNetLib.errors import InputError

    keep_freed_memory()
    from KDNetTrainingLib.data.cache import cached_case
    from KDNetTrainingLib.data.cases import find_training_cases
    from KDNetTrainingLib.systems.distillation import train_student, train_teacher
    from KDNetTrainingLib.export import export_student
    from KDNetTrainingLib.run.run_folder import RunFolder

    given = {name: getattr(arguments, name) for name in _OPTIONS if getattr(arguments, name) is not None}
    settings = replace(PRESETS[arguments.preset], **given)
    cases, left_out = find_training_cases(arguments.data)
    for name, reason in left_out.items():
        print(f"left out {name}: {reason}", file=sys.stderr)
    unknown = set(arguments.validation) - {case.name for case in cases}
    if unknown:
        raise InputError(f"{arguments.data} holds no complete case {', '.join(sorted(unknown))}; correct --validation.")
    training = [case for case in cases if case.name not in arguments.validation]
    if not training:
        raise InputError("All cases are kept for validation; leave some for training.")
    folder = RunFolder(arguments.run)
    folder.record("settings", settings.as_dict(), may_grow=("epochs_student",))
    folder.record("data", {"validation": sorted(arguments.validation), "training": [case.name for case in training]})
    cached = []
    for index, case in enumerate(training, 1):
        print(f"preparing {index}/{len(training)} {case.name}", flush=True)
        cached.append(cached_case(case, folder.path / "cache", settings.spacing))
    print(f"training; progress goes to {folder.path / 'events.jsonl'}", flush=True)
    teacher = train_teacher(cached, settings, folder)
    student = train_student(teacher, cached, settings, folder)
    validation = [case for case in cases if case.name in arguments.validation]
    path = export_student(
        teacher, student, validation, len(training), settings, folder,
        arguments.name, arguments.data_text, arguments.licence, _command(arguments, given),
    )
    print(f"wrote {path}")
    return 0


def _command(arguments: argparse.Namespace, given: dict) -> str:
    options = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    validation = ["--validation", *arguments.validation] if arguments.validation else []
    return shlex.join(["kdnet", "train", "DATA", "RUN", "--preset", arguments.preset, *options, *validation])
