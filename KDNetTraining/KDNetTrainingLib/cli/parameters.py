"""Every parameter of a training as an option of its own name, made from the definitions in ``settings.py``."""

import argparse
from dataclasses import Field, fields


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """Add one option per parameter; none has a default, because what is not given is the preset's."""
    from KDNetTrainingLib.settings import Settings

    group = parser.add_argument_group("parameters", "what is not given is the preset's")
    for parameter in fields(Settings):
        group.add_argument(f"--{parameter.name.replace('_', '-')}", dest=f"parameter_{parameter.name}", default=None, **_kind(parameter))


def given_parameters(arguments: argparse.Namespace) -> dict:
    """The parameters that were given on the command line, by name."""
    values = {name.removeprefix("parameter_"): value for name, value in vars(arguments).items() if name.startswith("parameter_")}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if value is not None}


def options_of(values: dict) -> list[str]:
    """The command-line words that give ``values``."""
    words = []
    for name, value in values.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", *map(str, value if isinstance(value, tuple) else (value,))]
    return words


def _kind(parameter: Field) -> dict:
    default, facts = parameter.default, parameter.metadata
    meaning = facts["meaning"].replace("%", "%%")
    if "choices" in facts:
        return {"choices": facts["choices"], "help": meaning}
    if isinstance(default, bool):
        return {"action": argparse.BooleanOptionalAction, "help": meaning}
    if isinstance(default, tuple):
        return {"nargs": "+", "type": type(default[0]), "help": meaning}
    if "low" not in facts:
        return {"help": meaning}
    return {"type": type(default), "help": f"{meaning} ({facts['low']:g} to {facts['high']:g})"}
