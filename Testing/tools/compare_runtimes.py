"""Holds OpenVINO against torch on trained networks: how many labels differ, and what that does to Dice.

    .venv/bin/python Testing/tools/compare_runtimes.py RUN SYSTEM

RUN is a finished cross-validation, SYSTEM the label of one that it exports; every case is segmented twice by the network
that was not trained on its patient, in float32 by torch and in whatever precision OpenVINO takes on this machine.
"""

import sys
from pathlib import Path

import numpy as np
import openvino

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "KDNetSegmentation"), str(ROOT / "KDNetTraining")]

from KDNetLib.labels import REGIONS  # noqa: E402  (the path comes first)
from KDNetLib.measures import dice_by_region  # noqa: E402
from KDNetLib.runners.openvino_runner import precision  # noqa: E402
from KDNetLib.segmenter import Segmenter  # noqa: E402
from KDNetTrainingLib.data.volumes import read_volume  # noqa: E402
from KDNetTrainingLib.evaluation.held_out import held_out  # noqa: E402
from KDNetTrainingLib.run.recorded_plan import recorded_plan  # noqa: E402
from KDNetTrainingLib.run.run_folder import existing_run  # noqa: E402

_RUNTIMES = ("cpu", "openvino")


def main(path: str, system: str) -> None:
    """Segment, compare, print."""
    run = existing_run(Path(path))
    plan, data = recorded_plan(run)
    print(f"OpenVINO computes in {precision(openvino.Core())} here, torch in float32")
    print("case                 voxels that agree   Dice ET / TC / WT in torch   in OpenVINO")
    agreements, dice = [], {runtime: [] for runtime in _RUNTIMES}
    for _, _, model, cases in held_out(run, plan, data, system)[1]:
        segmenters = {runtime: Segmenter([model], runtime) for runtime in _RUNTIMES}
        for case in cases:
            source = case.images[plan.settings.student_modality]
            image, reference = read_volume(source.path, source.volume), case.read_reference()
            results = {runtime: segmenters[runtime].segment(image) for runtime in _RUNTIMES}
            if results["openvino"].device != "openvino":
                raise SystemExit(" ".join(["Torch took over from OpenVINO:", *results["openvino"].warnings]))
            classes = {runtime: result.classes for runtime, result in results.items()}
            agreements.append(float((classes["cpu"] == classes["openvino"]).mean()))
            for runtime in _RUNTIMES:
                dice[runtime].append([100 * dice_by_region(classes[runtime], reference)[region] for region in REGIONS])
            print(f"{case.name:20} {100 * agreements[-1]:15.4f} %   {_text(dice['cpu'][-1])}   {_text(dice['openvino'][-1])}", flush=True)
    means = {runtime: np.mean(values, axis=0) for runtime, values in dice.items()}
    apart = np.abs(np.subtract(*dice.values())).max(axis=0)
    print(f"mean, least agreement {100 * min(agreements):8.4f} %   {_text(means['cpu'])}   {_text(means['openvino'])}")
    print(f"largest difference of a case: {_text(apart)}")


def _text(values) -> str:
    return " / ".join(f"{value:5.2f}" for value in values)


if __name__ == "__main__":
    main(*sys.argv[1:])
