"""Entry of the command ``kdnet``: finds the subcommands, and turns every failure into one sentence and an exit code.

Exit codes: 0 all went well; 1 some case failed, or an unexpected error; 2 the command, an input or a model cannot be
used; 130 stopped by Ctrl-C. A subcommand is a module with ``add_parser(subparsers)`` and ``run(arguments) -> int``,
named in the entry-point group ``kdnet.commands`` of any installed package. Its top level must be cheap to import.
"""

import argparse
import os
import sys
from importlib.metadata import entry_points

from KDNetLib import __version__
from KDNetLib.cli.debug_option import add_debug, show_details
from KDNetLib.errors import Cancelled, KDNetError

EXIT_FAILED, EXIT_USAGE, EXIT_STOPPED = 1, 2, 130
_GROUP = "kdnet.commands"


def main(argv: list[str] | None = None) -> int:
    """Run ``kdnet`` with ``argv`` (default: the process's own arguments) and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a name that the terminal cannot show must not end the run
    parser, commands = _parser()
    if not commands:
        return _fail(f"No subcommand is installed (entry points {_GROUP}); install KDNet with pip.", EXIT_USAGE)
    arguments = parser.parse_args(argv)
    try:
        return _flushed(commands[arguments.command].run(arguments))
    except (KeyboardInterrupt, Cancelled) as stop:
        return _fail(str(stop) or "Stopped; no half-written file is left.", EXIT_STOPPED)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KDNetError as error:
        show_details(arguments, error)
        return _fail(str(error), EXIT_USAGE)
    except ImportError as error:
        show_details(arguments, error)
        return _fail(f"A package that this needs is missing or broken ({error}); install KDNet again with pip.", EXIT_USAGE)
    except Exception as error:
        show_details(arguments, error)
        what = f"{type(error).__name__}: {error}"
        return _fail(f"Unexpected error ({what}); run it again with --debug for the details and report them.", EXIT_FAILED)


def _parser() -> tuple[argparse.ArgumentParser, dict]:
    parser = argparse.ArgumentParser(
        prog="kdnet", description="Brain tumour segmentation from one post-contrast T1 scan. For research use only."
    )
    parser.set_defaults(debug=False)
    parser.add_argument("--version", action="version", version=f"kdnet {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands = {}
    for entry in sorted(entry_points(group=_GROUP), key=lambda entry: not entry.value.startswith("KDNetLib.")):
        if entry.name in commands:  # ours go first, so that no other package can take their place
            continue
        try:
            module = entry.load()
            module.add_parser(subparsers)
            add_debug(subparsers.choices[entry.name])
        except Exception as error:
            subparsers.choices.pop(entry.name, None)
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            print(f"kdnet: the command {entry.name} ({entry.value}) cannot be loaded: {reason}", file=sys.stderr)
        else:
            commands[entry.name] = module
    return parser, commands


def _flushed(code: int) -> int:
    sys.stdout.flush()  # here, so that a closed pipe is met inside main's try
    return code


def _fail(sentence: str, code: int) -> int:
    print(f"kdnet: {sentence}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
