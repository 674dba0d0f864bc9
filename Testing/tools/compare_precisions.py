"""Holds what makes KDNet smaller and faster against torch in float32, on trained networks: labels that differ, and Dice.

    .venv/bin/python Testing/tools/compare_precisions.py RUN SYSTEM

RUN is a finished cross-validation, SYSTEM the label of one that it exports; every case is segmented three times by the
network that was not trained on its patient: in float32 by torch, by OpenVINO in whatever precision it takes on this
machine, and by OpenVINO with the weights in the 8 bits in which ``kdnet combine`` keeps them.
"""

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import openvino

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "KDNetSegmentation"), str(ROOT / "KDNetTraining")]

from KDNetLib.labels import REGIONS  # noqa: E402  (the path comes first)
from KDNetLib.measures import dice_by_region  # noqa: E402
from KDNetLib.model_file import load_model, save_model  # noqa: E402
from KDNetLib.runners.openvino_runner import precision  # noqa: E402
from KDNetLib.segmenter import Segmenter  # noqa: E402
from KDNetTrainingLib.data.volumes import read_volume  # noqa: E402
from KDNetTrainingLib.evaluation.held_out import held_out  # noqa: E402
from KDNetTrainingLib.run.recorded_plan import recorded_plan  # noqa: E402
from KDNetTrainingLib.run.run_folder import existing_run  # noqa: E402


def main(path: str, system: str) -> None:
    """Segment, compare, print."""
    run = existing_run(Path(path))
    plan, data = recorded_plan(run)
    own = precision(openvino.Core())
    ways = ["torch, f32", f"OpenVINO, {own}", f"OpenVINO, {own}, 8-bit weights"]
    print(f"{'case':20}" + "".join(f"{way:>32}" for way in ways))
    agreements, dice = [], []
    for _, _, model, cases in held_out(run, plan, data, system)[1]:
        with tempfile.TemporaryDirectory() as folder:
            small = _in_eight_bits(model, Path(folder))
            segmenters = [Segmenter([model], "cpu"), Segmenter([model], "openvino"), Segmenter([small], "openvino")]
            for case in cases:
                source = case.images[plan.settings.student_modality]
                image, reference = read_volume(source.path, source.volume), case.read_reference()
                results = [segmenter.segment(image) for segmenter in segmenters]
                for result in results[1:]:
                    if result.device != "openvino":
                        raise SystemExit(" ".join(["Torch took over from OpenVINO:", *result.warnings]))
                agreements.append([100 * float((result.classes == results[0].classes).mean()) for result in results])
                dice.append([[100 * dice_by_region(result.classes, reference)[region] for region in REGIONS] for result in results])
                print(f"{case.name:20}" + "".join(f"{_text(of_way):>32}" for of_way in dice[-1]), flush=True)
    print(f"{'mean Dice':20}" + "".join(f"{_text(of_way):>32}" for of_way in np.mean(dice, axis=0)))
    print(f"{'furthest from torch':20}" + "".join(f"{_text(of_way):>32}" for of_way in np.abs(np.array(dice) - np.array(dice)[:, :1]).max(axis=0)))
    for name, of_all in (("mean", np.mean), ("least", np.min)):
        print(f"{f'voxels alike, {name}':20}" + "".join(f"{value:30.4f} %" for value in of_all(agreements, axis=0)))


def _in_eight_bits(model: Path, folder: Path) -> Path:
    network, manifest = load_model(model)
    save_model(folder / model.name, network, asdict(manifest), eight_bits=True)
    return folder / model.name


def _text(values) -> str:
    return " / ".join(f"{value:.2f}" for value in values)


if __name__ == "__main__":
    main(*sys.argv[1:])
