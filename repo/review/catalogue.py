"""Every named query with its documentation, parameters, record, engines and callers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import Final, NamedTuple

from repo.catalogue import load
from repo.queries import DIALECTS, Query, shipped
from repo.review.callers import Caller, callers

__all__ = ["Entry", "catalogue", "markdown"]

_WIDTH: Final = 110
_BOTH: Final = "both, one statement"
_VARIANTS: Final = "both, a variant each"

_HEAD: Final = """\
# The named queries

Made from the SQL files and the code that calls them, by `smdi queries --format markdown`.
"""


class Entry(NamedTuple):
    """One named query: its parameters, answer and columns as its SQL declares them."""

    query: str
    parameters: str
    answer: str
    columns: str
    engines: str
    documentation: str
    files: str
    callers: str


def catalogue(folders: Sequence[Path | str] = (), code: Iterable[Path] = ()) -> list[Entry]:
    """The queries of an application's folders, or else the package's own, by name.

    :param folders: laid out as ``queries/``; empty is the package's own.
    :param code: Python files, or folders of them, in which to look for callers; the package's own are
        looked for in the package.
    :raises QueryContractError: when the files break the loader's contract.
    """
    loaded = load(folders)
    variants = [[loaded.query(name, dialect) for dialect in DIALECTS] for name in loaded.names()]
    wanted = [each for each in variants if each[0].ours != bool(folders)]
    where = [*code] if folders else [shipped_code(), *code]
    found = callers([each[0].full_name for each in wanted], where)
    return [_entry(each, found[each[0].full_name]) for each in wanted]


def shipped_code() -> Path:
    """The folder of this package."""
    return Path(__file__).parent.parent


def _entry(variants: Sequence[Query], found: Sequence[Caller]) -> Entry:
    first = variants[0]
    portable = first.dialect is None
    engines = _BOTH if portable else _VARIANTS
    root = shipped("queries") if first.ours else _root(first)
    files = dict.fromkeys(str(Path(root.name) / each.file.relative_to(root)) for each in variants)
    return Entry(
        query=first.full_name,
        parameters=", ".join(_parameters(first)),
        answer=_answer(first),
        columns=", ".join(_columns(first)),
        engines=engines,
        documentation=" ".join(first.comment.split()),
        files=", ".join(files),
        callers=", ".join(dict.fromkeys(each.function for each in found)),
    )


def _root(query: Query) -> Path:
    """The folder of queries that a file lies in."""
    return query.file.parent if query.dialect is None else query.file.parent.parent


def _parameters(query: Query) -> Iterator[str]:
    for name in query.parameters:
        yield f"{name} {query.types[name]}" if name in query.types else name


def _columns(query: Query) -> Iterator[str]:
    for column in query.columns:
        yield f"{column.name} {column.type.__name__}{' or None' if column.nullable else ''}"


def _answer(query: Query) -> str:
    """What comes back, in words."""
    record = "what is stored" if query.record is None else query.record.__name__
    if query.framed:
        return f"an Arrow table of {record}"
    if query.operator in {"!", "*!"}:
        return "how many rows were written"
    if query.operator == "$":
        return f"one {query.columns[0].type.__name__}, or None" if query.columns else "one value"
    return f"rows of {record}" if query.operator == "" else f"one {record}, or None"


def markdown(entries: Iterable[Entry], title: str = _HEAD) -> str:
    """The catalogue as a page: a section a file, a paragraph a query."""
    parts = [title]
    for file, found in groupby(entries, key=lambda entry: entry.query.rpartition(".")[0]):
        parts.append(f"## {file}\n")
        parts.extend(_section(entry) for entry in found)
    return "\n".join(parts)


def _section(entry: Entry) -> str:
    called = _code(entry.callers) if entry.callers else "nobody here"
    points = [f"- Takes: {entry.parameters or 'nothing'}", f"- Gives: {entry.answer}"]
    points[1] += f": {entry.columns}" if entry.columns else ""
    points += [f"- Engines: {entry.engines} ({_code(entry.files)})", f"- Called by: {called}"]
    text = [*wrap(entry.documentation, _WIDTH), ""]
    for point in points:
        text += wrap(
            point, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
    return "\n".join([f"### {entry.query}", "", *text, ""])


def _code(names: str) -> str:
    return f"`{names}`".replace(", ", "`, `")
