"""From a cross-validation to one model file that averages its folds, and what its card says of it."""

import pytest

from engine.cli_support import installed, run  # noqa: F401 (fixture)
from engine.generated import DESCRIPTION, random_model
from KDNetLib.manifest import read_manifest
from KDNetLib.model_card import model_card
from KDNetLib.model_file import load_model
from KDNetTrainingLib.evaluation.results import scores_path, write_scores
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.recorded_plan import record_plan
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import settings_from
from training.generated_cases import write_case

NAMES = [f"BraTS2021_{index:05}" for index in range(4)]


@pytest.fixture
def finished(tmp_path):
    """The folder of a cross-validated run of four cases as a run leaves it, but for its networks, which are random."""
    for index, name in enumerate(NAMES):
        write_case(tmp_path / "data", name, seed=index)
    plan = Plan(("baseline",), settings_from({"folds": 2, "spacing": 4.0}), "kdnet experiment DATA RUN", exported=("baseline",), name="tiny", licence="MIT")
    record_plan(plan, tmp_path / "data", tmp_path / "run")
    RunFolder(tmp_path / "run").write("folds", {"folds": [NAMES[:2], NAMES[2:]]})
    for training in plan.trainings():
        path = tmp_path / "run" / "models" / f"{plan.model_name(training)}.safetensors"
        random_model(path, training.fold, DESCRIPTION | {"name": path.stem})
        rows = [
            {"system": "baseline", "fold": training.fold, "seed": 0, "case": name, "space": space}
            | {f"{region}_{ending}": dice for region in ("ET", "TC", "WT") for ending in ("dice", "hd95", "volume_ml", "reference_ml")}
            for name, share in zip(NAMES[2 * training.fold - 2 : 2 * training.fold], (0.5, 0.8)) for space, dice in (("native", share), ("crop", 0.0))
        ]  # fmt: skip
        path = scores_path(tmp_path / "run", training)
        path.parent.mkdir(parents=True)
        write_scores(path, rows)
    return tmp_path / "run"


def test_the_folds_become_one_model_with_an_honest_card(finished, capsys):
    code, out, err = run(capsys, "combine", finished, "mine", "--data-text", "four cases")
    path = finished / "models" / "mine.safetensors"
    assert (code, out.strip()) == (0, str(path)), err
    network, manifest = load_model(path)
    assert len(network.members) == 2 and manifest.name == "mine" and manifest.licence == "MIT"
    for place, member in enumerate(network.members, start=1):
        single = load_model(finished / "models" / f"tiny-fold-{place}.safetensors")[0].state_dict()
        assert all((value == single[key]).all() for key, value in member.state_dict().items())
    (measured,) = manifest.measured
    assert measured["cases"] == 4 and measured["dice"] == {"ET": 0.65, "TC": 0.65, "WT": 0.65}
    card = model_card(read_manifest(path))
    assert "not trained on its patient" in card and "four cases" in card and "Trained on 4 cases" in card and "2 networks, one per fold" in card


def test_what_cannot_be_combined_is_said(finished, tmp_path, capsys):
    for arguments, word in (
        ([tmp_path / "nothing", "mine"], "holds no run"),
        ([finished, "a/b"], "cannot be a model file's name"),
        ([finished, "mine", "--system", "teacher"], "exports baseline"),
    ):
        code, _, err = run(capsys, "combine", *arguments)
        assert code == 2 and word in err, err
    random_model(finished / "models" / "tiny-fold-2.safetensors", 0, DESCRIPTION | {"name": "tiny-fold-2"}, width=3)
    code, _, err = run(capsys, "combine", finished, "mine")
    assert code == 2 and "different architectures" in err
    (finished / "models" / "tiny-fold-2.safetensors").unlink()
    assert "is not finished" in run(capsys, "combine", finished, "mine")[2]
    assert not (finished / "models" / "mine.safetensors").exists()
