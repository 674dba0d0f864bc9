"""The Markdown that a run's README is written in as HTML: headings, paragraphs, lists, tables, indented code, `code` and **bold**."""

import itertools
import re
from html import escape


def as_html(markdown: str) -> str:
    """``markdown`` as HTML elements. Whatever else looks like markup in it is text."""
    lines = markdown.splitlines()
    return "\n".join(_block(kind, list(group)) for kind, group in itertools.groupby(lines, _kind) if kind)


def _kind(line: str) -> str:
    """What ``line`` is part of; lines of one kind one after the other make a block. Empty for an empty line."""
    if line.startswith("    "):
        return "code"
    if line.startswith("|"):
        return "table"
    if line.lstrip().startswith("- "):
        return "list"
    if line.startswith("#"):
        return line  # each heading is a block of its own
    return "text" if line.strip() else ""


def _block(kind: str, lines: list[str]) -> str:
    if kind == "code":
        return "<pre>" + "\n".join(escape(line[4:]) for line in lines) + "</pre>"
    if kind == "table":
        return _table(lines)
    if kind == "list":
        return _list(lines)
    if kind == "text":
        return f"<p>{'<br>'.join(map(_inline, lines))}</p>"
    level = len(kind) - len(kind.lstrip("#"))
    return f"<h{level}>{_inline(kind[level:].strip())}</h{level}>"


def _table(lines: list[str]) -> str:
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    head = "".join(f"<th>{_inline(cell)}</th>" for cell in header)
    body = "\n".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def _list(lines: list[str]) -> str:
    """A list, of which lines that are indented belong to the entry above them."""
    parts, inner = [], []
    for line in [*lines, "- "]:
        if line.startswith(" "):
            inner.append(line.strip())
            continue
        if inner:
            parts[-1] += _list(inner)
            inner = []
        parts.append(_inline(line[2:]))
    return "<ul>" + "".join(f"<li>{part}</li>" for part in parts[:-1]) + "</ul>"


def _inline(text: str) -> str:
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)
