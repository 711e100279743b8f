"""Checks of an application's SQL by its text alone, without an engine.

They find SQL that both engines accept but understand differently, and dates that would come back as
SQLite's numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Final

from repo.parameters import plain
from repo.tables import TABLES, Kind

_CAST: Final = re.compile(r"\bCAST\s*\(", re.IGNORECASE)
_AS_TYPE: Final = re.compile(r"(?P<what>.*)\bAS\s+(?P<type>[a-z][\w ]*?)\s*(?:\[\s*\]\s*)?", re.I | re.S)
_AS_IT_IS: Final = re.compile(r":\w+|NULL|(?:\w+\.)?[a-z_]\w*", re.IGNORECASE)
_OF_TEXT: Final = re.compile(r"CAST\s*\(.*\bAS\s+text\s*\)", re.IGNORECASE | re.DOTALL)
_CHANGES: Final = re.compile(
    r"\b(?:(?:insert|replace|merge)\s+into|delete\s+from|update\s+\w+(?:\s+as\s+\w+)?\s+set)\b",
    re.IGNORECASE,
)
_RETURNING: Final = re.compile(r"\bRETURNING\b", re.IGNORECASE)
_OUTPUT: Final = re.compile(
    r"(?:(?:MIN|MAX)\s*\(\s*)?(?:\w+\.)?(?P<column>[a-z_]\w*)(?:\s*\))?(?:\s+AS\s+\w+)?", re.IGNORECASE
)
_TIMES: Final = ("date", "timestamptz", "timestamp with time zone")
_LIST_ENDS: Final = ("from", ";")

_TABLE: Final = re.compile(r"\b(?:from|join|into|update)\s+(?P<name>\w+)", re.IGNORECASE)
_TABLES: Final = frozenset(table.name for table in TABLES.values())
_STANDS_FOR: Final[Mapping[Kind, type]] = {"day": date, "moment": datetime}
_DAYS: Final = {
    column.name: _STANDS_FOR[column.kind]
    for table in TABLES.values()
    for column in table.columns
    if column.kind in _STANDS_FOR
}
"""The package's columns that SQLite stores as numbers, each with the Python type it stands for."""


def misuse(sql: str, columns: Sequence[tuple[str, type]], *, answers: bool) -> str | None:
    """What is wrong with a statement, if anything.

    :param columns: the names and types that its rows are declared to have.
    :param answers: whether it is called for its rows.
    """
    text = plain(sql)
    if answers and _CHANGES.search(text) and not _RETURNING.search(text):
        return "it changes rows and returns none: end its name in '!', or say what it returns"
    for what, kind in _casts(text):
        if kind in _TIMES and what and not _AS_IT_IS.fullmatch(what):  # literals are blank by now
            return (
                f"CAST(... AS {kind}) is for a parameter by itself: of text SQLite makes the number it "
                "begins with"
            )
        if kind != "text" and _OF_TEXT.fullmatch(what):
            return f"text cast to {kind} is an error on PostgreSQL where on SQLite it is a number"
    if not {found["name"].lower() for found in _TABLE.finditer(text)} <= _TABLES:
        return None
    for item, (name, declared) in zip(_select_list(text), columns, strict=False):
        found = _OUTPUT.fullmatch(item)
        stands_for = None if found is None else _DAYS.get(found["column"].lower())
        if stands_for is not None and declared is not stands_for:
            return (
                f"the column {name} is declared {declared.__name__}, and {item.split()[0]} is a "
                f"{stands_for.__name__}"
            )
    return None


def _casts(text: str) -> Iterator[tuple[str, str]]:
    """Each cast: the expression and the type."""
    for each in _CAST.finditer(text):
        inside = text[each.end() : _closing(text, each.end())]
        found = _AS_TYPE.fullmatch(inside)
        if found is not None:
            yield found["what"].strip(), " ".join(found["type"].lower().split())


def _closing(text: str, start: int) -> int:
    """The index of the parenthesis that closes the one before ``start``."""
    depth = 1
    for index in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0:
            return index
    return len(text)


def _select_list(text: str) -> list[str]:
    """The items of the outermost SELECT, or of RETURNING."""
    depth = 0
    items: list[str] = []
    item: list[str] = []
    inside = False
    for piece in re.findall(r"\w+|\s+|.", text, re.DOTALL):
        depth += {"(": 1, ")": -1}.get(piece, 0)
        word = piece.lower()
        if depth == 0 and word in ("select", "returning"):
            inside, items, item = True, [], []
        elif inside and depth == 0 and word in _LIST_ENDS:
            inside = False
            items.append("".join(item).strip())
        elif inside and depth == 0 and piece == ",":
            items.append("".join(item).strip())
            item = []
        elif inside:
            item.append(piece)
    if inside:
        items.append("".join(item).strip())
    return items
