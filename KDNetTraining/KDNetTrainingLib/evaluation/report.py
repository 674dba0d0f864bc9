"""The outcome of a run: every score, Tables 1 and 2, subsets of modalities, cost, and pictures of the cases.

results.csv has every score; table.md the tables for reading, and table1.csv, table2.csv, table-subsets.csv and
table-cost.csv the same for programs; boxplots.png and scatter.png the cases. What there is nothing to tell of is not written.
"""

from KDNetLib.atomic_file import replacing
from KDNetTrainingLib.evaluation.box_plots import box_plots_on
from KDNetTrainingLib.evaluation.cost import costs, costs_csv, costs_markdown
from KDNetTrainingLib.evaluation.results import collect, scores_path, write_scores
from KDNetTrainingLib.evaluation.scatter import scatter_on
from KDNetTrainingLib.evaluation.subsets import subset_scores, subsets_csv, subsets_markdown
from KDNetTrainingLib.evaluation.summaries import summarise
from KDNetTrainingLib.evaluation.tables import tables_of
from KDNetTrainingLib.evaluation.tables_text import table_csv, table_markdown
from KDNetTrainingLib.plan import Plan
from KDNetTrainingLib.run.canvas import Canvas
from KDNetTrainingLib.run.run_folder import RunFolder


def write_report(run: RunFolder, plan: Plan) -> None:
    """Write the files of ``run`` that tell its outcome, from the trainings of ``plan`` that are finished so far.

    Raises InputError where scores or the run's facts cannot be read, OSError where nothing can be written.
    """
    trainings = plan.trainings()
    finished = [training for training in trainings if scores_path(run.path, training).exists()]
    rows, events = collect(run.path, finished), list(run.events())
    write_scores(run.path / "results.csv", rows)
    begun = {event["training"]: event for event in events if event["kind"] == "training"}
    epochs = {training.label: begun[training.key]["epochs"] for training in finished if training.key in begun}
    modalities = len(plan.settings.teacher_modalities)
    tables, subsets, cost = tables_of(summarise(rows, finished)), subset_scores(run.path, finished), costs(run, finished, events, plan.stages)
    texts = [table_markdown(table, epochs, modalities) for table in tables]
    if not tables:
        texts = ["There are no scores: no training is finished, or no case was kept to score it on."]
    texts = [_introduction(run, plan, begun), *texts, subsets_markdown(subsets), costs_markdown(cost, plan)]
    files = {"table.md": "\n\n".join(filter(None, texts)) + "\n"}
    files |= {f"table{table.number}.csv": table_csv(table, epochs, modalities) for table in tables}
    files |= {"table-subsets.csv": subsets_csv(subsets)} if subsets else {}
    files |= {"table-cost.csv": costs_csv(cost)} if cost else {}
    for name, text in files.items():
        with replacing(run.path / name) as partial:
            partial.write_text(text, encoding="utf-8")
    for name, canvas in (("boxplots.png", box_plots_on(Canvas, rows, finished)), ("scatter.png", scatter_on(Canvas, rows, finished))):
        if canvas:
            canvas.save(run.path / name)


def _introduction(run: RunFolder, plan: Plan, begun: dict[str, dict]) -> str:
    """What the figures are; ``begun`` is the event of kind "training" of every training that has begun, by its key."""
    lines = ["Dice in per cent (a region empty in one: 0, in both: 100). For research use only."]
    trainings = plan.trainings()
    if plan.settings.folds:
        lines.append(f"Cross-validation in {plan.settings.folds} folds, every case tested once: mean of the folds' means ± their standard deviation.")
    elif (run.read("folds") or {}).get("test"):
        lines.append("One training, scored on the cases that were kept for testing: the mean over them, so without a deviation over folds.")
    elif begun and not any(event["validation"] for event in begun.values()):
        lines.append("One training without test cases and without cases that choose the epoch (its last one counts), so there is nothing to score it on.")
    else:
        lines.append("One training without test cases, scored on the cases that also chose the epoch: too good for what it would reach on others.")
    if len(plan.seeds) > 1:
        lines.append(f"Every training with {len(plan.seeds)} seeds: a case's Dice is the mean over those that are finished.")
    lines.append("The paper's figures: Hu et al., MICCAI 2020, BraTS 2018, T1ce alone, 500 epochs, 3 folds; it does not say on which grid.")
    if plan.settings.student_modality != "t1ce":
        lines.append(f"**Here the one modality is {plan.settings.student_modality} and not the paper's T1ce.**")
    waiting = [training.key for training in trainings if not scores_path(run.path, training).exists()]
    if waiting:
        lines.append(f"**Not finished yet, so not in the tables:** {', '.join(waiting)}.")
    command = (run.read("origin") or {}).get("command")
    return "\n".join(lines) + (f"\n\nMade by:\n\n    {command}" if command else "")
