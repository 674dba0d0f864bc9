"""Settings, presets, experiment files and the list of trainings that follows from them."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from KDNetLib import model_store
from KDNetLib.errors import InputError, KDNetError
from KDNetTrainingLib.export import model_name
from KDNetTrainingLib.plan import Plan, Training, plan_from, read_experiment
from KDNetTrainingLib.settings import Settings, preset, preset_names, settings_from


def test_the_defaults_are_the_papers():
    """Section 3 of the paper: λ 0.75, T 5, α 10; Adam 1e-4, × 0.2 after 50 epochs; 500 epochs; 128³ to 64³; flips."""
    paper = preset("paper")
    assert paper == Settings()
    assert (paper.imitation, paper.temperature, paper.alpha) == (0.75, 5, 10)
    assert (paper.learning_rate, paper.schedule, paper.factor, paper.patience, paper.epochs) == (1e-4, "plateau", 0.2, 50, 500)
    assert (paper.preprocessing, paper.spacing, paper.crop, paper.augmentation) == ("paper", 2.0, (64, 64, 64), "paper")
    assert (paper.student_modality, paper.teacher_modalities, paper.skips) == ("t1ce", ("t1", "t1ce", "t2", "flair"), 4)


def test_every_preset_is_valid_and_the_papers_comes_first():
    assert preset_names()[0] == "paper" and {"full", "first-student"} <= set(preset_names())
    for name in preset_names():
        values = preset(name).as_dict()
        assert settings_from(json.loads(json.dumps(values))) == preset(name)
    with pytest.raises(InputError, match="no preset quick; choose one of paper"):
        preset("quick")


@pytest.mark.parametrize(("values", "message"), [
    ({"epochs": 0}, "epochs must be from 1 to 100000, not 0"),
    ({"epochs": 2.5}, "epochs must be a whole number, not 2.5"),
    ({"imitation": 1.1}, "imitation must be from 0 to 1"),
    ({"imitation": float("nan")}, "imitation must be from 0 to 1"),
    ({"student_modality": "pet"}, "student_modality must be one of t1, t1ce, t2, flair, not 'pet'"),
    ({"teacher_modalities": ()}, "teacher_modalities must be different ones of"),
    ({"teacher_modalities": ("t1", "t1")}, "teacher_modalities must be different ones of"),
    ({"crop": (64, 64)}, "crop must be three multiples of 16"),
    ({"crop": (64, 64, 60)}, "crop must be three multiples of 16"),
    ({"folds": 1}, "folds must be 0"),
    ({"inner_validation": 0.0}, "plateau schedule needs validation cases"),
    ({"student_from_teacher": True, "teacher_modalities": ("t1", "t2")}, "needs a teacher that sees t1ce"),
    ({"momentum": 0.9}, "no parameter momentum; there are alpha"),
])
def test_what_is_not_permitted_is_named(values, message):
    with pytest.raises(InputError, match=message):
        settings_from(values)


def test_a_teacher_goes_before_its_students_and_is_shared():
    plan = Plan(("baseline", "gt+kl", "gt+kd"), settings_from({"folds": 2}), "", skips=(4, 0))
    keys = [training.key for training in plan.trainings()]
    assert keys == [
        f"fold-{fold}/{label}"
        for fold in (1, 2)
        for label in ("baseline", "teacher", "gt+kl", "gt+kd", "baseline-0skips", "teacher-0skips", "gt+kl-0skips", "gt+kd-0skips")
    ]
    assert Training("gt+kl", 2, 0).teacher.key == "fold-2/teacher-0skips"
    assert [training.key for training in Plan(("gt+kl+kd",), Settings(), "").trainings()] == ["all/teacher", "all/gt+kl+kd"]


def test_the_teacher_may_have_epochs_of_its_own():
    plan = Plan(("teacher", "gt+kd"), settings_from({"epochs": 9, "epochs_teacher": 4}), "")
    assert [plan.epochs(training) for training in plan.trainings()] == [4, 9]
    assert plan.epochs(Training("teacher", 0, 4)) == 4
    same = replace(plan, settings=settings_from({"epochs": 9}))
    assert [same.epochs(training) for training in same.trainings()] == [9, 9]


def test_a_plan_survives_being_written():
    plan = Plan(("baseline",), settings_from({"folds": 3, "crop": (32, 48, 64)}), "kdnet train", skips=(0,), name="x")
    assert plan_from(json.loads(json.dumps(plan.as_dict()))) == plan


@pytest.mark.parametrize(("changes", "message"), [
    ({"settings": None}, r"settings.json\) are not .* settings must map"), ({"settings": []}, r"settings.json\) .* settings must map"),
    ({"settings": {"crop": 5}}, r"settings.json\) .* wrong kind"),
    ({"settings": {"epochs": "3"}}, r"settings.json\) .* epochs must be a whole number"),
    ({"systems": "baseline"}, r"run.json\): systems must be a list, not 'baseline'"),
    ({"systems": [["a"]]}, r"run.json\): systems must be a list of names"),
    ({"test": [7]}, r"run.json\): test must be a list of names"), ({"skips": 4}, r"run.json\): skips must be a list"),
    ({"name": None}, r"run.json\): name must be a text"), ({"licence": 5}, r"run.json\): licence must be a text"),
    ({"extra": 1}, r"run.json\): .*extra'\. Bring"),
])
def test_a_damaged_description_of_a_run_is_a_sentence(changes, message):
    values = Plan(("baseline",), Settings(), "kdnet train").as_dict()
    with pytest.raises(InputError, match=message):
        plan_from(values | changes)


NAMES = ["my-student", "a", "A.b_c-9", "x" * 40, "", ".", "..", "a/b", "a\\b", "../a", "-a", "a-", "a.", "a b", "é", "nul", "COM1.x", "a\n"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_no_model_can_be_imported_under_is_refused_before_the_training(name):
    def accepted(make):
        try:
            make()
        except KDNetError:
            return False
        return True

    planned = accepted(lambda: Plan(("baseline",), Settings(), "", name=name))
    assert planned == accepted(lambda: model_store._safe_name(SimpleNamespace(name=name), "file"))


def test_the_longest_name_leaves_room_for_system_and_fold():
    with pytest.raises(InputError, match="cannot be a model file's everywhere"):
        Plan(("baseline",), Settings(), "", name="x" * 41)
    plan = Plan(("gt+kl+kd",), settings_from({"folds": 20}), "", skips=(0, 1), name="x" * 40, exported=("gt+kl+kd",))
    longest = max((model_name(plan, training) for training in plan.trainings() if training.system != "teacher"), key=len)
    assert len(longest) == 64 and model_store._safe_name(SimpleNamespace(name=longest), "file")


@pytest.mark.parametrize(("changes", "message"), [
    ({"systems": ()}, "no system"), ({"systems": ("u-net",)}, "no system u-net; choose from baseline"),
    ({"skips": (5,)}, "skips must be whole numbers"), ({"test": ("a",), "settings": settings_from({"folds": 3})}, "not both"),
])
def test_a_plan_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        Plan(**{"systems": ("baseline",), "settings": Settings(), "command": ""} | changes)


def test_an_experiment_file_is_read_and_options_go_over_it(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"systems": ["baseline", "gt+kl"], "preset": "paper", "skips": [4, 0], "settings": {"epochs": 7, "folds": 2}}))
    plan = read_experiment(file, "kdnet experiment mine.json", {"epochs": 3})
    assert (plan.settings.epochs, plan.settings.folds, plan.skips, plan.name) == (3, 2, (4, 0), "mine")
    for content, message in (("{", "cannot be read"), ('{"systems": ["baseline"]}', "needs systems and preset"), ("[]", "not an experiment file"),
                             ('{"systems": ["baseline"], "preset": "paper", "system": 1}', "not system"),
                             ('{"systems": "baseline", "preset": "paper"}', "mine.json: systems must be a list, not 'baseline'"),
                             ('{"systems": [1], "preset": "paper"}', "mine.json: systems must be a list of names"),
                             ('{"systems": ["baseline"], "preset": []}', "mine.json: There is no preset"),
                             ('{"systems": ["baseline"], "preset": "paper", "skips": 4}', "mine.json: skips must be a list"),
                             ('{"systems": ["baseline"], "preset": "paper", "settings": []}', "mine.json: settings must map"),
                             ('{"systems": ["baseline"], "preset": "paper", "settings": {"teacher_modalities": 3}}', "mine.json: settings holds"),
                             ("[" * 100000, "cannot be read")):
        file.write_text(content)
        with pytest.raises(InputError, match=message):
            read_experiment(file, "", {})
    file = file.rename(tmp_path / "not a name.json")
    file.write_text('{"systems": ["baseline"], "preset": "paper"}')
    with pytest.raises(InputError, match="not a name.json: The name 'not a name' cannot"):
        read_experiment(file, "", {})
