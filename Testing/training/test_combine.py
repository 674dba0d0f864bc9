"""From a cross-validation to one model file that averages its folds, and what its card says of it."""

import pytest

from engine.cli_support import installed, run  # noqa: F401 (fixture)
from engine.generated import DESCRIPTION, random_model, within_eight_bits
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


@pytest.fixture(params=[()])
def finished(tmp_path, request):
    """The folder of a cross-validated run (of seeds ``request.param``) of four cases as a run leaves it, but for its networks, which are random."""
    for index, name in enumerate(NAMES):
        write_case(tmp_path / "data", name, seed=index)
    settings = settings_from({"folds": 2, "spacing": 4.0})
    plan = Plan(("baseline",), settings, "kdnet experiment DATA RUN", seeds=request.param, exported=("baseline",), name="tiny", licence="MIT")
    record_plan(plan, tmp_path / "data", tmp_path / "run")
    RunFolder(tmp_path / "run").write("folds", {"folds": [NAMES[:2], NAMES[2:]]})
    for training in plan.trainings():
        path = tmp_path / "run" / "models" / f"{plan.model_name(training)}.safetensors"
        random_model(path, training.fold, DESCRIPTION | {"name": path.stem, "least_enhancing_ml": 0.2, "mirrored": True})
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
    code, out, err = run(capsys, "combine", finished, "mine", "--data-text", "four cases", "--title", "Four brains")
    path = finished / "models" / "mine.safetensors"
    assert (code, out.strip()) == (0, str(path)), err
    network, manifest = load_model(path)
    assert len(network.members) == 2 and (manifest.name, manifest.title) == ("mine", "Four brains, mean of 2 networks") and manifest.licence == "MIT" and manifest.least_enhancing_ml == 0.2 and manifest.mirrored
    for place, member in enumerate(network.members, start=1):
        single = load_model(finished / "models" / f"tiny-fold-{place}.safetensors")[0].state_dict()
        assert all(within_eight_bits(value, single[key]) for key, value in member.state_dict().items())
    (measured,) = manifest.measured
    assert measured["cases"] == 4 and measured["dice"] == {"ET": 0.65, "TC": 0.65, "WT": 0.65}
    card = model_card(read_manifest(path))
    assert "not trained on its patient" in card and "four cases" in card and "Trained on 4 cases" in card and "2 networks, one per fold" in card


@pytest.mark.parametrize("finished", [(0, 1)], indirect=True)
def test_with_two_seeds_a_case_counts_once(finished, capsys):
    assert run(capsys, "combine", finished, "mine")[0] == 0
    manifest = read_manifest(finished / "models" / "mine.safetensors")
    assert manifest.measured[0]["cases"] == 4 and "Trained on 4 cases" in model_card(manifest)
    assert "4 networks, one per fold and seed" in manifest.training["summary"]


def test_what_cannot_be_combined_is_said(finished, tmp_path, capsys):
    single = Plan(("baseline",), settings_from({"spacing": 4.0}), "kdnet train DATA RUN", seeds=(0, 1), test=NAMES[:1], exported=("baseline",))
    record_plan(single, tmp_path / "data", tmp_path / "single")
    for arguments, word in (
        ([tmp_path / "nothing", "mine"], "holds no run"),
        ([tmp_path / "single", "mine"], "is no cross-validation"),
        ([finished, "a/b"], "cannot be a model file's name"),
        ([finished, "mine", "--system", "teacher"], "exports baseline"),
        ([finished, "tiny-fold-1"], "is the name of a model of one training"),
    ):
        code, _, err = run(capsys, "combine", *arguments)
        assert code == 2 and word in err, err
    random_model(finished / "models" / "tiny-fold-2.safetensors", 0, DESCRIPTION | {"name": "tiny-fold-2"}, width=3)
    code, _, err = run(capsys, "combine", finished, "mine")
    assert code == 2 and "different architectures" in err
    (finished / "models" / "tiny-fold-2.safetensors").unlink()
    assert "is not finished" in run(capsys, "combine", finished, "mine")[2]
    assert not (finished / "models" / "mine.safetensors").exists()
