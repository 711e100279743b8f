"""Cells of text into values, a column at a time.

A few calls in C convert a whole column if its text has nothing that only Python's conversion accepts;
any other column is converted cell by cell, to name what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from repo.validation import Field, Refused

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?\d{1,40}", re.ASCII)
_DATE: Final = re.compile(r"\d{4}(-\d\d-\d\d|\d{4})", re.ASCII)
_DATE_LENGTHS: Final = {8, 10}
_DIGITS: Final = 40

_NOT_EMPTY: Final = "must not be empty"


class _Odd(Exception):
    """A column that has to be converted cell by cell."""


def _plain_number(text: str) -> bool:
    """Whether the text has none of what only Python accepts: other digits, 1_000, nan and inf."""
    return text.isascii() and "_" not in text and "n" not in text and "N" not in text


def _many_floats(cells: Sequence[str]) -> list[float]:
    if not _plain_number("".join(cells)):
        raise _Odd
    return list(map(float, cells))


def _one_float(text: str) -> float:
    if _NUMBER.fullmatch(text) is None:
        raise Refused("must be a number")
    return float(text)


def _many_integers(cells: Sequence[str]) -> list[int]:
    if not _plain_number("".join(cells)):
        raise _Odd
    try:
        return list(map(int, cells))
    except ValueError:
        # A DataFrame writes integers so if one is missing: 467700.0
        return [int(cell.removesuffix(".0")) for cell in cells]


def _one_integer(text: str) -> int:
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) is None:
        raise Refused("must be a whole number")
    try:
        number = Decimal(text)  # exact, where a float has 53 bits
    except InvalidOperation:
        raise Refused("is too large or too small") from None
    if number != number.to_integral_value():
        raise Refused("must be a whole number")
    if number.adjusted() > _DIGITS:
        raise Refused("is too large or too small")
    return int(number)


def _many_dates(cells: Sequence[str]) -> list[date]:
    # Besides dates, fromisoformat accepts only week dates (2020-W01-1) in these lengths.
    if not set(map(len, cells)) <= _DATE_LENGTHS or "W" in "".join(cells):
        raise _Odd
    return list(map(date.fromisoformat, cells))


def _one_date(text: str) -> date:
    if _DATE.fullmatch(text) is None:
        raise Refused("must be a date as YYYY-MM-DD or YYYYMMDD")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused("is no day of the calendar") from None


def _many_texts(cells: Sequence[str]) -> list[str]:
    stripped = list(map(str.strip, cells))
    if "" in stripped:
        raise _Odd
    return stripped


_Many = Callable[[Sequence[str]], list[Any]]
_One = Callable[[str], Any]

_CONVERSIONS: Final[dict[type, tuple[_Many, _One]]] = {
    float: (_many_floats, _one_float),
    int: (_many_integers, _one_integer),
    date: (_many_dates, _one_date),
    str: (_many_texts, str),
}
"""For a column, which raises _Odd or ValueError unless all cells are valid; and for a stripped cell."""


def convert(field: Field, cells: Sequence[str]) -> tuple[list[Any], list[tuple[int, str]]]:
    """A column as values of the field's type, and the index and reason of each cell that is refused.

    Blanks around a cell are ignored. An empty cell is None if the field may be that.
    A refused cell is None.
    """
    many, one = _CONVERSIONS[field.type]
    try:
        if not field.nullable or "" not in cells:
            return many(cells), []
        values = iter(many([cell for cell in cells if cell]))
        return [next(values) if cell else None for cell in cells], []
    except (_Odd, ValueError):
        return _cell_by_cell(field, one, cells)


def _cell_by_cell(
    field: Field, one: _One, cells: Sequence[str]
) -> tuple[list[Any], list[tuple[int, str]]]:
    values: list[Any] = []
    refused: list[tuple[int, str]] = []
    for index, cell in enumerate(cells):
        text = cell.strip()
        value = None
        if text:
            try:
                value = one(text)
            except Refused as refusal:
                refused.append((index, str(refusal)))
        elif not field.nullable:
            refused.append((index, _NOT_EMPTY))
        values.append(value)
    return values, refused
