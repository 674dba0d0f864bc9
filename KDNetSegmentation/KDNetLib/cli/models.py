"""``kdnet models``: the models at hand; import, show and remove them."""

import argparse
from pathlib import Path

from KDNetLib.cli.debug_option import add_debug
from KDNetLib.errors import ModelError
from KDNetLib.manifest import read_manifest
from KDNetLib.model_card import model_card, printable
from KDNetLib.model_store import StoredModel, default_model, find_model, import_model, list_models, remove_model


def add_parser(subparsers) -> None:
    """Add the subcommand's parser."""
    parser = subparsers.add_parser("models", help="list, show, import and remove models")
    parser.set_defaults(action=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    actions.add_parser("list", help="list the models at hand (the default)").set_defaults(action=_list)
    show = actions.add_parser("show", help="print a model's card")
    show.add_argument("name", metavar="NAME|FILE")
    show.set_defaults(action=_show)
    importing = actions.add_parser("import", help="check a model file and keep a copy of it")
    importing.add_argument("file", metavar="FILE", type=Path)
    importing.add_argument("--replace", action="store_true", help="replace an imported model of the same name")
    importing.set_defaults(action=_import)
    remove = actions.add_parser("remove", help="delete an imported model")
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(action=_remove)
    for action in actions.choices.values():
        add_debug(action)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked and return the exit code. Raises ModelError."""
    arguments.action(arguments)
    return 0


def _list(arguments: argparse.Namespace) -> None:
    models = list_models()
    if not models:
        print("There are no models; import one with: kdnet models import FILE")
        return
    try:
        default = default_model()
    except ModelError:
        default = None
    width = max(len(model.name) for model in models)
    for model in models:
        kind = "default" if model.path == default else "bundled" if model.bundled else "imported"
        print(f"{printable(model.name):<{width}}  {kind:<8}  {printable(_summary(model))}")


def _summary(model: StoredModel) -> str:
    if model.manifest is None:
        return f"unusable: {model.error}"
    measured = [
        f"Dice {' '.join(f'{region} {value:.2f}' for region, value in result['dice'].items())} on {result.get('cases')} cases"
        for result in model.manifest.measured[:1]
    ]
    return "; ".join([model.manifest.title, *measured])


def _show(arguments: argparse.Namespace) -> None:
    print(model_card(read_manifest(find_model(arguments.name))), end="")


def _import(arguments: argparse.Namespace) -> None:
    model = import_model(arguments.file, arguments.replace)
    print(f"Imported {model.name}; use it with: kdnet segment IN --model {model.name}")


def _remove(arguments: argparse.Namespace) -> None:
    remove_model(arguments.name)
    print(f"Removed {arguments.name}.")
