"""``kdnet report``: write a run's README and its report in one HTML file anew."""

import argparse
from pathlib import Path


def add_parser(subparsers) -> None:
    """Add the subcommand to ``kdnet``."""
    what = "write a run's report as one HTML file"
    parser = subparsers.add_parser("report", help=what, description="Write RUN/report.html and RUN/README.md anew.")
    parser.add_argument("run", type=Path, help="folder of the run; it may be under way")


def run(arguments: argparse.Namespace) -> int:
    """Write them and print the report's path; returns 0. Raises InputError where there is no run."""
    from KDNetTrainingLib.run.readme import write_readme
    from KDNetTrainingLib.run.report_html import write_html_report
    from KDNetTrainingLib.run.run_folder import RunFolder
    from KDNetTrainingLib.run.status import RunState

    RunState.read(arguments.run)  # before a folder is made where there is no run
    run = RunFolder(arguments.run)
    write_readme(run)
    print(write_html_report(run))
    return 0
