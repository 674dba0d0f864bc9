"""CSV tables that are never half-written and that a spreadsheet opens without running anything.

A cell that starts with ``= + - @``, a tab or a line break is a formula to a spreadsheet, and a case's name may be chosen
to be one. Such a cell is written with an apostrophe before it, as OWASP advises ("CSV injection"), and so is one that
starts with an apostrophe, so that reading gives back exactly what was written.
"""

import csv
import io
from pathlib import Path

from KDNetLib.atomic_file import replacing
from KDNetLib.errors import InputError

_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


def write_rows(path: Path, columns: tuple[str, ...], rows) -> None:
    """Write ``rows`` (dicts of text, keyed by ``columns``) to ``path`` in one step, replacing what is there.

    Raises InputError where that is not possible, such as while a spreadsheet program holds the file open on Windows.
    """
    try:
        with replacing(path) as partial:
            # Names of files may hold bytes that are not UTF-8; surrogateescape brings them back as they were.
            partial.write_bytes(as_text(columns, rows, ",").encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror or error}); close it elsewhere or choose another folder.") from error


def as_text(columns: tuple[str, ...], rows, delimiter: str) -> str:
    """``rows`` (as for :func:`write_rows`) as text, such as with tabs for the clipboard, from which spreadsheets paste them."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_guarded(row[column]) for column in columns] for row in rows)
    return text.getvalue()


def read_rows(path: Path, columns: tuple[str, ...], added: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """The rows of a file written by :func:`write_rows`, in order; none where the file does not exist.

    ``added`` are those of ``columns`` that a file of an earlier version lacks; they are empty then.
    Raises InputError where the file is unreadable or does not hold exactly ``columns``: it is then not ours to replace.
    """
    try:
        with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except FileNotFoundError:
        return []
    except (OSError, csv.Error) as error:
        raise InputError(f"{path} cannot be read ({error}); move it away or choose another folder.") from error
    earlier = tuple(column for column in columns if column not in added)
    if tuple(header) not in (columns, earlier) or any(len(row) != len(header) for row in rows):
        raise InputError(f"{path} is not a table of this program or was changed; move it away or choose another folder.")
    return [dict.fromkeys(columns, "") | dict(zip(header, map(_unguarded, row))) for row in rows]


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_RISKY) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell
