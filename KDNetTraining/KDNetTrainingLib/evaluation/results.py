"""The scores on disk: one table per training, and all of a run together. Imports no torch, so that reading them is fast."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from KDNetLib.csv_report import read_rows, write_rows
from KDNetLib.errors import InputError
from KDNetLib.labels import REGIONS
from KDNetTrainingLib.plan import Training

#: Where a prediction is compared with the reference: on the scan's own grid, or on the network's.
SPACES = ("native", "crop")
#: Column's ending -> key of ``KDNetLib.measures.compare``.
MEASURES = {"dice": "dice", "hd95": "hd95", "volume_ml": "volume_prediction_ml", "reference_ml": "volume_reference_ml"}
_TEXTS, _COUNTS = ("system", "case", "space", "modalities"), ("fold", "seed")
_NUMBERS = tuple(f"{region}_{ending}" for region in REGIONS for ending in MEASURES)
_COLUMNS = ("system", "fold", "seed", "case", "space", *_NUMBERS)
#: Without seeds, as they used to be: those of seed 0.
_FORMER_COLUMNS = tuple(column for column in _COLUMNS if column != "seed")
_SUBSET_COLUMNS = ("modalities", *_COLUMNS)


def write_scores(path: Path, rows: list[dict]) -> None:
    """Write ``rows`` as CSV in one step: those of ``score_cases``, each with ``system`` (label), ``fold`` (0: none) and ``seed``.

    Numbers have six significant digits. Raises InputError where the file cannot be written.
    """
    _write(path, _COLUMNS, rows)


def write_subset_scores(path: Path, rows: list[dict]) -> None:
    """As :func:`write_scores`, each row also with the ``modalities`` that the network saw, joined by ``+``."""
    _write(path, _SUBSET_COLUMNS, rows)


def read_scores(path: Path) -> list[dict]:
    """The rows that :func:`write_scores` wrote; none where there is no file. Raises InputError where it is another table."""
    return _read(path, _COLUMNS, _rows)


def read_subset_scores(path: Path) -> list[dict]:
    """The rows that :func:`write_subset_scores` wrote; none where there is no file. Raises InputError where it is another table."""
    return _read(path, _SUBSET_COLUMNS, lambda path: read_rows(path, _SUBSET_COLUMNS))


def _write(path: Path, columns: tuple[str, ...], rows: list[dict]) -> None:
    write_rows(path, columns, [{key: f"{row[key]:.6g}" if key in _NUMBERS else str(row[key]) for key in columns} for row in rows])


def _read(path: Path, columns: tuple[str, ...], read: Callable[[Path], list[dict[str, str]]]) -> list[dict]:
    try:
        return [
            {key: row[key] if key in _TEXTS else int(row[key]) if key in _COUNTS else float(row[key]) for key in columns}
            for row in read(path)
        ]
    except ValueError as error:
        raise InputError(f"{path} holds something else than scores ({error}); delete it and resume the run to have it made anew.") from error


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        return read_rows(path, _COLUMNS)
    except InputError:
        with suppress(InputError):
            return [{**row, "seed": "0"} for row in read_rows(path, _FORMER_COLUMNS)]
        raise


def scores_path(run_path: Path, training: Training) -> Path:
    """Where the scores of ``training`` are; the file is there as soon as the training is finished and scored."""
    return Path(run_path) / training.key / "scores.csv"


def subsets_path(run_path: Path, training: Training) -> Path:
    """Where the scores on every subset of the modalities are, of a training that works with any; written before ``scores_path``."""
    return Path(run_path) / training.key / "subsets.csv"


def collect(run_path: Path, trainings: list[Training]) -> list[dict]:
    """The scores of every finished one of ``trainings``, in their order. Raises InputError as :func:`read_scores`."""
    return [row for training in trainings for row in read_scores(scores_path(run_path, training))]
