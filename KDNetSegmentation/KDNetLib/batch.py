"""A folder of cases, segmented one after the other: which files, where to, what is done already, and the table.

Standard library only, because Slicer's batch script uses it in a process where nothing else may be installed. The table
``kdnet-results.csv`` in the output folder is rewritten after every case and is at the same time the record that a later
run goes by: a case is skipped where its row says, without an error, that the output there was made by the same model
and settings from the same file as it is now. A run that was killed therefore goes on where it stopped.
"""

import os
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Callable

from KDNetLib.csv_report import read_rows, write_rows
from KDNetLib.errors import Cancelled, InputError, KDNetError, ModelError
from KDNetLib.file_naming import SEGMENTATION_SUFFIX, is_label_map, is_other_modality, is_own_output, is_t1ce, nifti_files, stem

RESULTS_NAME = "kdnet-results.csv"
_VOLUMES = {"NCR_ml": "NCR", "ED_ml": "ED", "ET_ml": "ET", "TC_ml": "TC", "WT_ml": "WT"}
_CONFIDENCES = {"ET_confidence": "ET", "TC_confidence": "TC", "WT_confidence": "WT"}
#: The last three say what the output was made from: model and settings, the input's path, and its time of change (UTC).
COLUMNS = ("case", *_VOLUMES, "seconds", "warnings", "error", *_CONFIDENCES, "model", "input", "input_changed")


@dataclass(frozen=True)
class Case:
    """One input file; ``name`` is its path below the run's folder without extension, unique in the run."""

    name: str
    path: Path


def find_cases(folder) -> list[Case]:
    """The scans below ``folder``, in order of their names.

    Files named as post-contrast T1 (``*_t1ce``, ``*-t1c``, ``*_T1gd`` and the like) where there are any; else every
    NIfTI file that is named neither as another modality nor as a label map. Never this program's own output.
    Raises InputError where the folder is missing or holds no such file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; check the name.")
    scans = [path for path in nifti_files(folder) if not is_own_output(path) and not is_label_map(path, folder)]
    chosen = [path for path in scans if is_t1ce(path)] or [path for path in scans if not is_other_modality(path)]
    if not chosen:
        raise InputError(
            f"The folder {folder} holds no post-contrast T1 scan; name such files *_t1ce.nii.gz, or give one file itself."
        )
    names = [path.relative_to(folder).with_name(stem(path)).as_posix() for path in chosen]
    count = Counter(names)
    # scan.nii beside scan.nii.gz: both stay cases, told apart by their whole names.
    unique = [name if count[name] == 1 else path.relative_to(folder).as_posix() for name, path in zip(names, chosen)]
    return [Case(name, path) for name, path in zip(unique, chosen)]


def output_path(case: Case, root, out_folder) -> Path:
    """Where the segmentation of ``case`` goes: the folders between ``root`` and the input, mirrored below ``out_folder``."""
    parent = case.path.relative_to(root).parent
    return Path(out_folder) / parent / f"{case.name.rsplit('/', 1)[-1]}{SEGMENTATION_SUFFIX}.nii.gz"


def run_batch(
    cases: list[Case],
    root,
    out_folder,
    segment_case: Callable,
    report: Callable,
    cancelled: Callable[[], bool] = lambda: False,
    settings: str = "",
) -> int:
    """Segment ``cases`` of the folder ``root`` into ``out_folder`` and return how many failed.

    Args:
        segment_case: ``segment_case(input_path, output_path)`` writes the output and returns an object with
            ``volumes_ml`` (dict of NCR, ED, ET, TC, WT), ``confidence`` (dict of ET, TC, WT, or None), ``seconds`` (dict
            with "total") and ``warnings`` (list of str).
        report: ``report(number, case, state, detail)`` is called with ``number`` from 1 and state "started" (detail
            None), "skipped" (None), "done" (what segment_case returned) or "failed" (the exception).
        cancelled: polled before every case.
        settings: names the model and what else decides the result; a case done with other settings is done again.
    Raises:
        Cancelled: when asked to, with the table written.
        ModelError: from segment_case, since every further case would fail alike.
        InputError: the table cannot be read or written.
    """
    table = Path(out_folder) / RESULTS_NAME
    rows = {row["case"]: row for row in read_rows(table, COLUMNS, added=tuple(_CONFIDENCES))}
    write_rows(table, COLUMNS, rows.values())  # a folder that cannot be written shows before the first case, not after
    failed, unsaved = 0, False
    for number, case in enumerate(cases, start=1):
        if cancelled():
            raise Cancelled(f"Stopped before case {number} of {len(cases)}; the same command goes on from there.")
        output = output_path(case, root, out_folder)
        row = _row(case, settings)
        if _is_done(rows.get(case.name), row, output):
            report(number, case, "skipped", None)
            continue
        report(number, case, "started", None)
        try:
            result = segment_case(case.path, output)
        except (Cancelled, ModelError):  # not the case's fault: the next would fail alike
            raise
        except Exception as error:  # one bad case, or a fault of ours in it, must not end the others' night
            failed += 1
            row["error"] = str(error) if isinstance(error, KDNetError) else f"Unexpected {type(error).__name__}: {error}"
            state, detail = "failed", error
        else:
            row |= {column: f"{result.volumes_ml[key]:.3f}" for column, key in _VOLUMES.items()}
            row |= {column: f"{result.confidence[key]:.3f}" for column, key in _CONFIDENCES.items() if result.confidence}
            row |= {"seconds": f"{result.seconds['total']:.2f}", "warnings": " ".join(result.warnings)}
            state, detail = "done", result
        rows[case.name] = row
        try:
            write_rows(table, COLUMNS, rows.values())
            unsaved = False
        except InputError:  # opened in a spreadsheet meanwhile: the segmentations are worth going on for
            unsaved = True
        report(number, case, state, detail)
    if unsaved:
        write_rows(table, COLUMNS, rows.values())
    return failed


def _row(case: Case, settings: str) -> dict[str, str]:
    """The row of a case that is about to run; what it is made from is noted before it is read."""
    row = dict.fromkeys(COLUMNS, "")
    row |= {"case": case.name, "model": settings, "input": os.path.abspath(case.path)}
    try:
        changed = case.path.stat().st_mtime
    except OSError:  # gone since the folder was listed: reading it gives the error to show
        return row
    row["input_changed"] = datetime.fromtimestamp(changed, timezone.utc).isoformat()
    return row


def _is_done(earlier: dict[str, str] | None, now: dict[str, str], output: Path) -> bool:
    if earlier is None or earlier["error"] or not output.is_file():
        return False
    return all(earlier[column] == now[column] for column in ("model", "input", "input_changed"))
