"""RUN/report.html: all that a run has to tell in one file that needs nothing else: no network, no script, no other file."""

import base64
import time
from collections import Counter
from dataclasses import fields
from html import escape
from pathlib import Path

from KDNetLib.atomic_file import replacing
from KDNetTrainingLib.evaluation.box_plots import box_plots_on
from KDNetTrainingLib.evaluation.results import collect
from KDNetTrainingLib.evaluation.scatter import scatter_on
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.curves import curves_on
from KDNetTrainingLib.run.markdown import as_html
from KDNetTrainingLib.run.pictures import course_of
from KDNetTrainingLib.run.readme import readme_sections
from KDNetTrainingLib.run.recorded_plan import recorded_plan
from KDNetTrainingLib.run.run_folder import RunFolder
from KDNetTrainingLib.run.svg_canvas import SvgCanvas
from KDNetTrainingLib.settings import Settings

_STYLE = """
:root { color-scheme: light }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1.5rem; color: #222; background: #fff }
body { font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif }
h1 { font-size: 1.7rem; line-height: 1.25 } h2 { margin-top: 2.6rem; border-bottom: 1px solid #ccc; padding-bottom: .3rem }
h3 { margin-top: 2rem; font-size: 1.05rem } .wide { overflow-x: auto }
table { border-collapse: collapse; margin: .6rem 0; font-size: .9em; font-variant-numeric: tabular-nums }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #e4e4e4 }
th { border-bottom-color: #888 } #results td { white-space: nowrap } tr.other td { background: #fff6d6 } tr.other td:first-child { font-weight: 600 }
pre, code { font-family: ui-monospace, Consolas, "DejaVu Sans Mono", monospace; font-size: .92em }
pre { background: #f5f5f5; padding: .7rem 1rem; overflow-x: auto }
figure { margin: 1rem 0 2rem; break-inside: avoid } svg, img { display: block; max-width: 100%; height: auto }
figcaption { color: #555; font-size: .9em } nav a { margin-right: 1.2rem } nav { margin: 1rem 0 } a { color: #05538c }
summary { cursor: pointer } .columns { columns: 15rem; font-size: .9em }
"""


def write_html_report(run: RunFolder) -> Path:
    """Write report.html from what the folder holds now, in the place of an earlier one; returns its path.

    Raises InputError where the run's own files are missing or damaged, OSError where it cannot be written.
    """
    sections = readme_sections(run)
    plan, _ = recorded_plan(run)
    events = [event for event in run.events() if event["kind"] in ("epoch", "warning", "error")]
    parts = {
        "state": as_html(sections["state"]),
        "results": as_html(sections["results"]),
        "cases": _case_pictures(run, plan),
        "courses": _courses(run, plan, events),
        "what": as_html(sections["what"]),
        "data": as_html(sections["data"]) + _case_list(run),
        "settings": _settings(plan.settings),
        "environment": _environment(run),
        "warnings": _warnings(events),
        "commands": as_html(sections["commands"]),
    }
    titles = {
        "state": "State", "results": "Results", "cases": "Cases", "courses": "Courses", "what": "What is trained", "data": "Data", "settings": "Settings",
        "environment": "Environment", "warnings": "Warnings", "commands": "Going on",
    }
    links = "".join(f'<a href="#{name}">{titles[name]}</a>' for name, part in parts.items() if part)
    body = "\n".join(f'<section id="{name}">\n{part}\n</section>' for name, part in parts.items() if part)
    path = run.path / "report.html"
    with replacing(path) as partial:
        partial.write_text(_page(plan, f"{as_html(sections['title'])}\n<nav>{links}</nav>\n{body}"), encoding="utf-8")
    return path


def _page(plan: Plan, body: str) -> str:
    # The policy forbids everything that is not in this file, so that opening it tells nobody anything.
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(plan.name)}: a training of KD-Net</title>
<style>{_STYLE}</style>
</head>
<body>
{body}
<p><small>Written {time.strftime("%Y-%m-%d %H:%M", time.gmtime())} UTC.</small></p>
</body>
</html>
"""


def _case_pictures(run: RunFolder, plan: Plan) -> str:
    """What the scores look like case by case, and slices of some cases where they were drawn."""
    trainings = plan.trainings()
    rows = collect(run.path, trainings)
    drawn = (
        (box_plots_on(SvgCanvas, rows, trainings), "Box plots of Dice per case, by system and region"),
        (scatter_on(SvgCanvas, rows, trainings), "Dice of the student against the baseline, case by case"),
    )
    figures = [f"<figure>{canvas.svg(caption)}</figure>" for canvas, caption in drawn if canvas]
    figures.append(_picture(run.path / "slices.png", "Slices of some cases as the networks segment them that did not see them in training"))
    return "<h2>Cases</h2>\n" + "\n".join(figures) if any(figures) else ""


def _courses(run: RunFolder, plan: Plan, events: list[dict]) -> str:
    """Of every training that has finished an epoch its curves and, where there is one, the sections through a case."""
    epochs = [event for event in events if event["kind"] == "epoch"]
    figures = []
    for training in plan.trainings():
        canvas = curves_on(SvgCanvas, *course_of(training, epochs))
        if canvas:
            caption = f"Losses and Dice of {training.key} over its epochs"
            figures.append(f"<figure>{canvas.svg(caption)}</figure>")
            seen = f"One case as the best epoch of {training.key} sees it"
            figures.append(_picture(run.path / training.key / "preview.png", seen))
    return "<h2>Courses</h2>\n" + "\n".join(figures) if figures else ""


def _picture(path: Path, caption: str) -> str:
    """The PNG ``path`` as a figure; empty where there is none."""
    if not path.exists():
        return ""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    caption = escape(caption)
    return f'<figure><img src="data:image/png;base64,{data}" alt="{caption}"><figcaption>{caption}.</figcaption></figure>'


def _case_list(run: RunFolder) -> str:
    data = run.read("data")
    if not data:
        return ""
    names = "".join(f"<li>{escape(name)}</li>" for name in data["cases"])
    return f'\n<details><summary>The {len(data["cases"])} cases</summary><ul class="columns">{names}</ul></details>'


def _settings(settings: Settings) -> str:
    own, paper = settings.as_dict(), Settings().as_dict()
    rows = []
    for parameter in fields(Settings):
        here, there = own[parameter.name], paper[parameter.name]
        mark = ' class="other"' if here != there else ""
        cells = (parameter.name, _shown(here), _shown(there), parameter.metadata["meaning"])
        rows.append(f"<tr{mark}>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    return "<h2>Settings</h2>\n<p>Marked: what differs from the paper.</p>\n" + _html_table(("Parameter", "Here", "Paper", "Meaning"), rows)


def _environment(run: RunFolder) -> str:
    facts = run.read("environment")
    if not facts:
        return ""
    rows = [f"<tr><td>{escape(name)}</td><td>{escape(_shown(value))}</td></tr>" for name, value in facts.items()]
    return "<h2>Environment</h2>\n" + _html_table(("What", "Which"), rows)


def _warnings(events: list[dict]) -> str:
    found = Counter((event.get("training", ""), event["message"]) for event in events if event["kind"] != "epoch")
    if not found:
        return ""
    rows = [f"<tr><td>{escape(training)}</td><td>{escape(text)}</td><td>{count}</td></tr>" for (training, text), count in found.items()]
    return "<h2>Warnings</h2>\n" + _html_table(("Training", "What", "Times"), rows)


def _html_table(header: tuple[str, ...], rows: list[str]) -> str:
    head = "".join(f"<th>{name}</th>" for name in header)
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n' + "\n".join(rows) + "\n</tbody></table></div>"


def _shown(value) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if value is None:
        return "not told"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
