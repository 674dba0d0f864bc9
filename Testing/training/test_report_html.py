"""The report in one file: everything of the run is in it, nothing else is needed or asked for, and no name breaks it."""

import math
import re
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest

from KDNetLib.errors import InputError
from KDNetLib.labels import REGIONS
from KDNetTrainingLib.cli import report
from KDNetTrainingLib.run.recorded_plan import record_plan
from KDNetTrainingLib.evaluation.report import write_report
from KDNetTrainingLib.evaluation.results import MEASURES, SPACES, scores_path, write_scores
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.markdown import as_html
from KDNetTrainingLib.run.pictures import draw_training
from KDNetTrainingLib.run.preview_folder import write_preview
from KDNetTrainingLib.run.report_html import write_html_report
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.settings import Settings, settings_from

EVIL = '<script>alert("x")</script> & | `a'


def told_run(path, epochs=6, folds=2, systems=("baseline", "teacher", "gt+kl+kd"), finished=True):
    """A run as the engine would have told it: events, scores, tables, pictures; only the numbers are invented."""
    settings = settings_from({"folds": folds, "epochs": epochs, "augmentation": "strong", "temperature": 2.0})
    plan = Plan(systems, settings, "kdnet experiment DATA RUN", exported=("gt+kl+kd",), name="study")
    record_plan(plan, path / "data", path)
    run, names = RunFolder(path), [f"BraTS18_{index:03}" for index in range(12)]
    run.write("data", {"cases": {name: {} for name in names}, "left_out": {EVIL: "no seg"}})
    run.write("folds", {"folds": [names[fold::folds] for fold in range(folds)]})
    run.write("environment", {"kdnet": "1.0", "packages": {"torch": "2.13.0", "numpy": "2.3"}, "gpus": [], "cuda": None, "memory_gb": 15.5})
    trainings = plan.trainings()
    run.event(kind="run", what="begin", trainings=[each.key for each in trainings], epochs=[epochs] * len(trainings))
    run.event(kind="warning", message=f"{EVIL} is left out: no seg")
    random = np.random.default_rng(0)
    for place, training in enumerate(trainings if finished else trainings[:1]):
        taught, level = training.system.startswith("gt+"), 0.6 + 0.03 * (place % len(systems))
        key, facts = training.key, {"fold": training.fold, "system": training.label}
        run.event(kind="training", training=key, **facts, epochs=epochs, cases=8, validation=2, from_epoch=0)
        for epoch in range(1, epochs + 1):
            fall = math.exp(-4 * epoch / epochs) + 0.02 * random.normal() / math.sqrt(epoch)
            train = {"loss": 0.4 + 1.6 * abs(fall), "gt": 0.3 + 1.4 * abs(fall)}
            train |= {"kd": 0.8 + abs(fall), "kl": 0.01 + 0.1 * abs(fall)} if taught else {}
            dice = {region: level + 0.1 * rank - 0.5 * abs(fall) for rank, region in enumerate(REGIONS)}
            validation = {name: 1.1 * value for name, value in train.items()} | dice
            run.event(
                kind="epoch", training=key, epoch=epoch, epochs=epochs, train=train, validation=validation, learning_rate=1e-4, seconds=20.0,
                reading_seconds=0.2, gpu_gb=None, best=epoch % 5 == 1, left=0, left_run=0,
            )
        tested = names[training.fold - 1 :: folds]
        rows = [
            {"system": training.label, "fold": training.fold, "seed": 0, "case": name, "space": space, **{
                f"{region}_{ending}": level + 0.1 * random.normal() if ending == "dice" else 5.0 for region in REGIONS for ending in MEASURES
            }} for name in tested for space in SPACES
        ]  # fmt: skip
        write_scores(scores_path(path, training), rows)
        dice = {region: level for region in REGIONS}
        run.event(kind="scores", training=training.key, cases=len(tested), native=dice, crop=dice)
        reference = np.zeros((32, 40, 32), np.uint8)
        reference[8:20, 10:24, 8:20] = 2
        reference[12:18, 12:18, 12:18] = 3
        write_preview(run.folder(training.key), names[0], "t1ce", 6, random.normal(size=reference.shape), reference, np.roll(reference, 2, 0), 2.0)
        draw_training(run, training)
    write_report(run, plan)
    if finished:
        run.event(kind="run", what="finished", message="")
    return run


class Page(HTMLParser):
    """What a browser would make of the page: elements, what they ask for, and their text."""

    _EMPTY = {"meta", "img", "br", "circle", "polyline", "rect"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.asked, self.texts, self._open = [], [], [], []
        self.feed(text)
        assert not self._open  # every element is closed, in order

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.asked += [value for name, value in attributes if name in ("src", "href", "data", "poster", "srcset", "action") or name.startswith("on")]
        if tag not in self._EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return told_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def page(run):
    return Page(write_html_report(run).read_text(encoding="utf-8"))


def test_it_needs_nothing_but_itself(page):
    assert page.tags[0] == "html" and "script" not in page.tags and "link" not in page.tags
    assert all(value.startswith(("#", "data:image/png;base64,")) for value in page.asked)
    assert sum(value.startswith("data:") for value in page.asked) == 6  # one preview per training


def test_the_run_is_in_it(page, run):
    text = page.text
    assert "study: a training of KD-Net" in text and "For research use only" in text and "Finished" in text
    for training in ("fold-1/teacher", "fold-2/gt+kl+kd"):
        assert text.count(training) >= 3  # state, curves, preview
    assert "71.67 ± 1.22" in text and "Difference to the baseline" in text  # beside the paper, and compared
    assert "12 cases" in text and "BraTS18_007" in text and "torch 2.13.0" in text and "kdnet experiment DATA RUN" in text
    # Every parameter with its meaning; what differs is marked.
    source = (run.path / "report.html").read_text(encoding="utf-8")
    marked = re.findall(r'<tr class="other"><td>(\w+)</td><td>([^<]*)</td><td>([^<]*)', source)
    assert marked == [("augmentation", "strong", "paper"), ("epochs", "6", "500"), ("temperature", "2", "5"), ("folds", "2", "0")]
    assert all(name in source for name in Settings().as_dict()) and "lambda of Eq. 5" in text


def test_every_link_inside_leads_somewhere(run, page):
    source = (run.path / "report.html").read_text(encoding="utf-8")
    targets = [value[1:] for value in page.asked if value.startswith("#")]
    assert len(targets) == 10 and all(f'<section id="{name}">' in source for name in targets)


def test_curves_are_drawn_from_the_events(run, page):
    source = (run.path / "report.html").read_text(encoding="utf-8")
    pictures = re.findall(r"<svg.*?</svg>", source, re.DOTALL)
    assert len(pictures) == 6 + 2  # curves, box plots and the scatter
    taught = next(picture for picture in pictures if "fold-1/gt+kl+kd" in picture)
    texts = list(map(unescape, re.findall(r">([^<>]+)</text>", taught)))
    assert {"fold-1/gt+kl+kd", "soft labels (KD)", "bottleneck (KL)", "ET, enhancing tumour", "best: epoch 6", "the teacher's best"} <= set(texts)
    curves = [line for line in re.findall(r'points="([^"]*)"', taught) if len(line.split()) == 6]
    assert len(curves) == 4 + 4 + 3  # losses of training and validation, and Dice of the regions, one point per epoch
    width, height = map(int, re.search(r'viewBox="0 0 (\d+) (\d+)"', taught).groups())
    places = [tuple(map(float, place.split(","))) for line in re.findall(r'points="([^"]*)"', taught) for place in line.split()]
    assert all(0 < x < width and 0 < y < height for x, y in places)
    baseline = next(picture for picture in pictures if "fold-1/baseline" in picture)
    assert "soft labels" not in baseline and "teacher" not in baseline


def test_names_are_text_whatever_they_hold(page):
    assert 'alert("x")' in page.text and page.text.count("is left out: no seg") >= 1


def test_a_run_under_way_and_one_that_has_not_begun_are_told(tmp_path):
    text = Page(write_html_report(told_run(tmp_path / "half", finished=False)).read_text(encoding="utf-8")).text
    assert "Not finished yet" in text and "1 of 6 trainings done" in text
    record_plan(Plan(("baseline",), Settings(), "kdnet experiment"), tmp_path, tmp_path / "new")
    page = Page(write_html_report(RunFolder(tmp_path / "new")).read_text(encoding="utf-8"))
    assert "not prepared yet" in page.text and "svg" not in page.tags and "Warnings" not in page.text


def test_the_command_writes_it_and_says_where(run, tmp_path, capsys):
    import argparse

    parser = argparse.ArgumentParser()
    report.add_parser(parser.add_subparsers())
    (run.path / "report.html").unlink()
    assert report.run(parser.parse_args(["report", str(run.path)])) == 0
    assert capsys.readouterr().out.strip() == str(run.path / "report.html") and (run.path / "report.html").exists()
    with pytest.raises(InputError, match="holds no run"):
        report.run(parser.parse_args(["report", str(tmp_path / "nothing")]))
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("markdown, html", [
    ("# A `b`\n## C\n\nd **e**\nf", "<h1>A <code>b</code></h1>\n<h2>C</h2>\n<p>d <strong>e</strong><br>f</p>"),
    ("    a <b>\n    c", "<pre>a &lt;b&gt;\nc</pre>"),
    ("- a\n  - b\n  - c\n- d", "<ul><li>a<ul><li>b</li><li>c</li></ul></li><li>d</li></ul>"),
    ("- a\n  - b", "<ul><li>a<ul><li>b</li></ul></li></ul>"),
    ("a -5 * 3 < 4 & _x_", "<p>a -5 * 3 &lt; 4 &amp; _x_</p>"),
    ("| a | b |\n| --- | --- |\n| 1 | <2> |",
     '<div class="wide"><table>\n<thead><tr><th>a</th><th>b</th></tr></thead>\n<tbody>\n<tr><td>1</td><td>&lt;2&gt;</td></tr>\n</tbody>'
     "</table></div>"),
])  # fmt: skip
def test_markdown(markdown, html):
    assert as_html(markdown) == html
