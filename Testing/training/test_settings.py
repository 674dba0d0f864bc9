"""Settings, presets, experiment files and the list of trainings that follows from them."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from KDNetLib import model_store
from KDNetLib.errors import InputError, KDNetError
from KDNetTrainingLib.experiment_file import read_experiment
from KDNetTrainingLib.plan import Plan, Training, plan_from
from KDNetTrainingLib.settings import Settings, preset, preset_names, settings_from
from KDNetTrainingLib.systems.registry import SYSTEMS


def test_the_defaults_are_the_papers():
    """Section 3 of the paper: λ 0.75, T 5, α 10; Adam 1e-4, × 0.2 after 50 epochs; 500 epochs; 128³ to 64³; flips."""
    paper = preset("paper")
    assert paper == Settings()
    assert (paper.imitation, paper.temperature, paper.alpha) == (0.75, 5, 10)
    assert (paper.learning_rate, paper.schedule, paper.factor, paper.patience, paper.epochs) == (1e-4, "plateau", 0.2, 50, 500)
    assert (paper.preprocessing, paper.spacing, paper.crop, paper.augmentation) == ("paper", 2.0, (64, 64, 64), "paper")
    assert (paper.student_modality, paper.teacher_modalities, paper.skips) == ("t1ce", ("t1", "t1ce", "t2", "flair"), 4)


def test_every_preset_is_valid_and_the_papers_comes_first():
    assert preset_names()[0] == "paper" and {"full", "student"} <= set(preset_names())
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
    plan = Plan(("baseline", "gt+kl", "gt+kd", "baseline-0skips", "gt+kl-0skips", "gt+kd-0skips"), settings_from({"folds": 2}), "")
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


def test_a_student_may_have_epochs_of_its_own_with_the_others_share_of_whole_scans():
    values = {"epochs": 20, "epochs_teacher": 8, "epochs_student": 10, "whole": 0.2, "schedule": "polynomial", "student_from_baseline": True}
    plan = Plan(("gt+kd",), settings_from(values), "")
    assert [(training.system, plan.epochs(training), plan.stages(training).whole_from) for training in plan.trainings()] == [
        ("baseline", 20, 16), ("teacher", 8, 6), ("gt+kd", 10, 8),
    ]  # fmt: skip
    coarse = replace(plan, settings=replace(plan.settings, crop=(64, 64, 64), coarse=0.5))  # of ten fine epochs four are whole scans
    assert [(plan.epochs, plan.fine_from, plan.whole_from) for plan in map(coarse.stages, coarse.trainings())] == [(20, 10, 16), (8, 4, 6), (10, 0, 6)]


def test_a_students_share_of_whole_scans_is_one_at_most():
    """Of 15 epochs 8 are whole and, rounded, 7 fine: 8/7 would be no share."""
    values = {"epochs": 15, "coarse": 0.5, "whole": 0.5, "crop": (64, 64, 64), "schedule": "polynomial", "student_from_teacher": True}
    plan = Plan(("gt+kd",), settings_from(values), "")
    assert plan.settings_of(plan.trainings()[-1]).whole == 1.0


def test_a_plan_survives_being_written():
    plan = Plan(("baseline",), settings_from({"folds": 3, "crop": (32, 48, 64)}), "kdnet train", seeds=(4, 2), name="x")
    assert plan_from(json.loads(json.dumps(plan.as_dict()))) == plan


@pytest.mark.parametrize(("label", "settings", "named"), [
    ("gt+kl", {}, Training("gt+kl", 0, 4, "plain")), ("gt+kl+kd-0skips", {}, Training("gt+kl+kd", 0, 0, "plain")),
    ("baseline-residual", {}, Training("baseline", 0, 4, "residual")), ("teacher-3skips-residual", {}, Training("teacher", 0, 3, "residual")),
    ("baseline", {"skips": 1, "network": "residual"}, Training("baseline", 0, 1, "residual")),
    ("baseline-4skips-plain", {"skips": 1, "network": "residual"}, Training("baseline", 0, 4, "plain")),
])
def test_a_label_names_system_skips_and_network_and_leaves_the_rest_to_the_settings(label, settings, named):
    plan = Plan((label,), settings_from(settings), "")
    assert plan.trainings()[-1] == named
    assert (plan.settings_of(named).skips, plan.settings_of(named).network) == (named.skips, named.network)
    again = Plan((named.label,), Settings(), "").trainings()[-1]  # what a label leaves out is the paper's
    assert again == named


def test_a_label_carries_only_what_its_system_takes(monkeypatch):
    for name, taken in (("fixed", {}), ("fixed-two", {"takes_network": True})):
        monkeypatch.setitem(SYSTEMS, name, replace(SYSTEMS["baseline"], **{"takes_skips": False, "takes_network": False} | taken))
    other = settings_from({"skips": 0, "network": "residual"})
    assert [training.label for training in Plan(("fixed", "fixed-two"), other, "").trainings()] == ["fixed", "fixed-two-residual"]
    for label, what in (("fixed-0skips", "skips"), ("fixed-residual", "network"), ("fixed-two-0skips", "skips")):
        with pytest.raises(InputError, match=f"{label}: there is no choice of {what} in fixed"):
            Plan((label,), Settings(), "")


def test_every_seed_has_trainings_of_its_own_with_a_teacher_of_its_own():
    plan = Plan(("teacher", "gt+kd"), settings_from({"folds": 2, "seed": 9}), "", seeds=(0, 5), exported=("gt+kd",), name="x")
    assert [training.key for training in plan.trainings()] == [
        f"fold-{fold}-seed-{seed}/{system}" for fold in (1, 2) for seed in (0, 5) for system in ("teacher", "gt+kd")
    ]
    student = plan.trainings()[3]
    assert student.teacher == plan.trainings()[2] and plan.settings_of(student).seed == 5
    assert plan.model_name(student) == "x-fold-1-seed-5"
    one = replace(plan, seeds=(5,), settings=settings_from({"seed": 9}))
    assert [training.key for training in one.trainings()] == ["all/teacher", "all/gt+kd"] and one.settings_of(one.trainings()[0]).seed == 5


def test_a_run_that_listed_skips_is_read_as_labels():
    former = {**Plan(("baseline",), settings_from({"folds": 2}), "").as_dict(), "systems": ["teacher", "gt+kd"], "exported": ["gt+kd"], "skips": [4, 0]}
    del former["seeds"], former["settings"]["network"]
    plan = plan_from(former)
    assert [training.key for training in plan.trainings()] == [
        f"fold-{fold}/{label}" for fold in (1, 2) for label in ("teacher", "gt+kd", "teacher-0skips", "gt+kd-0skips")
    ]
    assert [plan.model_name(each) for each in plan.trainings() if plan.exports(each)][:2] == ["my-student-gt-kd-fold-1", "my-student-gt-kd-0skips-fold-1"]
    assert plan_from({**former, "skips": []}).systems == ("teacher", "gt+kd")


@pytest.mark.parametrize(("changes", "message"), [
    ({"settings": None}, r"settings.json\) are not .* settings must map"), ({"settings": []}, r"settings.json\) .* settings must map"),
    ({"settings": {"crop": 5}}, r"settings.json\) .* wrong kind"),
    ({"settings": {"epochs": "3"}}, r"settings.json\) .* epochs must be a whole number"),
    ({"systems": "baseline"}, r"run.json\): systems must be a list, not 'baseline'"),
    ({"systems": [["a"]]}, r"run.json\): systems must be a list of names"),
    ({"test": [7]}, r"run.json\): test must be a list of names"), ({"seeds": 4}, r"run.json\): seeds must be a list"),
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
    labels = ("gt+kl+kd", "gt+kl+kd-0skips")
    plan = Plan(labels, settings_from({"folds": 20}), "", name="x" * 40, exported=labels)
    longest = max((plan.model_name(training) for training in plan.trainings() if training.system != "teacher"), key=len)
    assert len(longest) == 64 and model_store._safe_name(SimpleNamespace(name=longest), "file")
    with pytest.raises(InputError, match="would be called x+-gt-kl-kd-0skips-fold-1-seed-1, which is too long"):
        replace(plan, seeds=(1, 1000))


@pytest.mark.parametrize(("changes", "message"), [
    ({"systems": ()}, "no system"), ({"systems": ("u-net",)}, "no system u-net; choose from baseline"),
    ({"systems": ("baseline-5skips",)}, "no system baseline-5skips"), ({"exported": ("gt",)}, "no system gt;"), ({"systems": ("",)}, "no system ;"),
    ({"seeds": (0, -1)}, "seeds must be different whole numbers from 0"), ({"seeds": (1, 1)}, "seeds must be different"), ({"seeds": ([1],)}, "seeds must be"),
    ({"test": ("a",), "settings": settings_from({"folds": 3})}, "not both"),
])
def test_a_plan_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        Plan(**{"systems": ("baseline",), "settings": Settings(), "command": ""} | changes)


def test_an_experiment_file_is_read_and_options_go_over_it(tmp_path):
    file = tmp_path / "mine.json"
    labels = ["baseline", "teacher-0skips", "gt+kl-0skips"]
    file.write_text(json.dumps({"version": 1, "systems": labels, "preset": "paper", "seeds": [4, 0], "settings": {"epochs": 7, "folds": 2}}))
    plan = read_experiment(file, "kdnet experiment mine.json", {"epochs": 3})
    assert (plan.settings.epochs, plan.settings.folds, plan.seeds, plan.name) == (3, 2, (4, 0), "mine")
    assert plan.systems == tuple(labels) and plan.exported == tuple(labels)
    for content, message in (("{", "cannot be read"), ('{"version": 1, "systems": ["baseline"]}', "needs version, systems and preset"), ("[]", "not an experiment file"),
                             ('{"systems": ["baseline"], "preset": "paper"}', "needs version, systems and preset"),
                             ('{"version": 2, "systems": ["baseline"], "preset": "paper"}', "of version 2; this program knows version 1"),
                             ('{"version": 1, "systems": ["baseline"], "preset": "paper", "skips": [4]}', "not skips"),
                             ('{"version": 1, "systems": "baseline", "preset": "paper"}', "mine.json: systems must be a list, not 'baseline'"),
                             ('{"version": 1, "systems": [1], "preset": "paper"}', "mine.json: systems must be a list of names"),
                             ('{"version": 1, "systems": ["baseline"], "preset": []}', "mine.json: There is no preset"),
                             ('{"version": 1, "systems": ["baseline"], "preset": "paper", "seeds": 4}', "mine.json: seeds must be a list"),
                             ('{"version": 1, "systems": ["baseline"], "preset": "paper", "settings": []}', "mine.json: settings must map"),
                             ('{"version": 1, "systems": ["baseline"], "preset": "paper", "settings": {"teacher_modalities": 3}}', "mine.json: settings holds"),
                             ("[" * 100000, "cannot be read")):
        file.write_text(content)
        with pytest.raises(InputError, match=message):
            read_experiment(file, "", {})
    with pytest.raises(InputError, match="no experiment file nosuch; give one, or the name of one that comes along: all, student, table1, table2, tables"):
        read_experiment("nosuch", "", {})
    file = file.rename(tmp_path / "not a name.json")
    file.write_text('{"version": 1, "systems": ["baseline"], "preset": "paper"}')
    with pytest.raises(InputError, match="not a name.json: The name 'not a name' cannot"):
        read_experiment(file, "", {})
