"""``kdnet report``: write a run's tables, pictures and README, and all of it in one HTML file, anew."""

import argparse
import sys
from pathlib import Path


def add_parser(subparsers) -> None:
    """Add the subcommand to ``kdnet``."""
    parser = subparsers.add_parser(
        "report",
        help="write a run's tables, pictures and report anew",
        description="Write anew what RUN has to tell so far: the paper's Tables 1 and 2 with its figures beside the run's (table.md, table1.csv, "
        "table2.csv), Dice with every subset of the modalities (table-subsets.csv), the cost of the systems (table-cost.csv), box plots, student "
        "against baseline case by case, slices of some cases as each network segments them, all of it in RUN/report.html, and RUN/README.md.",
    )
    parser.add_argument("run", type=Path, help="folder of the run; it may be under way")
    parser.add_argument(
        "--cases", metavar="NAME", nargs="+", help="tested cases that slices.png shows (default: those at the quartiles of the student's whole-tumour Dice)"
    )
    parser.add_argument("--device", default="auto", help="segments those cases: auto (default), cpu, cuda, cuda:1, mps ...")


def run(arguments: argparse.Namespace) -> int:
    """Write them and print the report's path; returns 0. Raises InputError where there is no run, or not what --cases asks for."""
    from KDNetTrainingLib.evaluation.counting import count_costs
    from KDNetTrainingLib.evaluation.report import write_report
    from KDNetTrainingLib.evaluation.slices import draw_slices
    from KDNetTrainingLib.run.readme import write_readme
    from KDNetTrainingLib.run.recorded_plan import recorded_plan
    from KDNetTrainingLib.run.report_html import write_html_report
    from KDNetTrainingLib.run.run_folder import RunFolder
    from KDNetTrainingLib.run.status import RunState

    RunState.read(arguments.run)  # before a folder is made where there is no run
    run = RunFolder(arguments.run)
    plan, data = recorded_plan(run)
    count_costs(run, plan)
    left_out = draw_slices(run, plan, data, arguments.cases, arguments.device)
    if left_out:
        print(f"kdnet: {left_out}", file=sys.stderr)
    write_report(run, plan)
    write_readme(run)
    print(write_html_report(run))
    return 0
