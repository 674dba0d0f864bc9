"""``kdnet experiment``: several systems under the same data, folds and measures, and a table that compares them."""

import argparse
import shlex
from pathlib import Path

from KDNetTrainingLib.cli import running
from KDNetTrainingLib.cli.parameters import add_parameters, given_parameters, options_of

_EPILOG = """\
An experiment file is JSON (those that come along: student, table1, table2, tables, all):
  {"version": 1, "preset": "paper", "settings": {"folds": 3}, "seeds": [0, 1],
   "systems": ["baseline", "teacher", "gt+kl+kd", "gt+kl+kd-0skips", "gt+kl+kd-residual"]}
`kdnet systems` lists the systems; -0skips to -3skips and -residual may follow those that take it.

Several processes share the work with --part i/n: each training belongs to one part, a teacher goes with those it
teaches, and the parts are about equally long. They use one RUN folder and one cache, which the first prepares while
the others wait. The same command (or kdnet resume RUN --part i/n) goes on with a part; kdnet status, stop and report
RUN mean all of them. The folder must be on a file system with locks (NFS 4 and Lustre with -o flock have them).

  Two GPUs of one machine:
    CUDA_VISIBLE_DEVICES=0 kdnet experiment table2 DATA RUN --part 1/2 &
    CUDA_VISIBLE_DEVICES=1 kdnet experiment table2 DATA RUN --part 2/2 &
  A job array of six under Slurm (again with --requeue, or submitted anew, it goes on):
    #SBATCH --array=1-6 --gpus=1 --cpus-per-task=8 --requeue --signal=TERM@120
    srun kdnet experiment table2 DATA RUN --part $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT
  Every training on four GPUs, two parts on two machines (each with its own i):
    torchrun --standalone --nproc-per-node 4 -m KDNetLib.cli.main experiment table2 DATA RUN --part 1/2
"""


def add_parser(subparsers) -> None:
    """Add the subcommand to ``kdnet``."""
    parser = subparsers.add_parser(
        "experiment",
        help="train several systems under the same folds and compare them in a table",
        description="Carry out an experiment file (systems, seeds, preset, settings): train every system in every fold, score it, and "
        "write the table beside the paper's. The same command goes on where it ended.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, help="experiment file (JSON), or the name of one that comes along, such as table2")
    parser.add_argument("data", type=Path, help="folder that holds the BraTS cases")
    parser.add_argument("run", type=Path, help="folder of the run")
    running.add_part(parser)
    running.add_device(parser)
    add_parameters(parser)


def run(arguments: argparse.Namespace) -> int:
    """Carry the experiment, or a part of it, out; returns 0."""
    from KDNetTrainingLib.experiment_file import read_experiment

    given = given_parameters(arguments)
    command = shlex.join(["kdnet", "experiment", str(arguments.file), "DATA", "RUN", *options_of(given)])
    plan = read_experiment(arguments.file, command, given)
    return running.start(plan, arguments.data, arguments.run, arguments.device, arguments.part)
