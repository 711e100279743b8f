"""Cells of text into values, a column at a time.

A whole column is converted by a few calls in C where one look over its text shows that Python's own
conversion takes no more than this module means to; only a column with something odd in it is
converted cell by cell, to name what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from repo.validation import Field, Refused

__all__ = ["convert"]

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?\d{1,40}", re.ASCII)
_DATE: Final = re.compile(r"\d{4}(-\d\d-\d\d|\d{4})", re.ASCII)
_DATE_LENGTHS: Final = {8, 10}
_DIGITS: Final = 40

_NOT_EMPTY: Final = "must not be empty"


class _Odd(Exception):
    """A column that has to be looked at cell by cell."""


def _plain_number(text: str) -> bool:
    """Whether Python's float() and int() take no liberties: digits of other scripts, 1_000, nan, inf."""
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
        # What a DataFrame makes of a column of integers with a gap in it: 467700.0
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
    # Of what fromisoformat takes, only week dates (2020-W01-1) have these lengths too.
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


def _one_text(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class _Conversion:
    """``many`` raises _Odd or ValueError unless it can vouch for all; ``one`` wants stripped text."""

    many: Callable[[Sequence[str]], list[Any]]
    one: Callable[[str], Any]


_CONVERSIONS: Final[dict[type, _Conversion]] = {
    float: _Conversion(_many_floats, _one_float),
    int: _Conversion(_many_integers, _one_integer),
    date: _Conversion(_many_dates, _one_date),
    str: _Conversion(_many_texts, _one_text),
}


def convert(field: Field, cells: Sequence[str]) -> tuple[list[Any], list[tuple[int, str]]]:
    """A column as values of the field's type, and the places of the cells that are none, with reasons.

    Blanks around a cell do not count. A cell with nothing else is None where the field may be that.
    Where a cell is refused, None stands in its place.
    """
    conversion = _CONVERSIONS[field.type]
    try:
        if not field.nullable or "" not in cells:
            return conversion.many(cells), []
        there = iter(conversion.many([cell for cell in cells if cell]))
        return [next(there) if cell else None for cell in cells], []
    except (_Odd, ValueError):
        return _cell_by_cell(field, conversion, cells)


def _cell_by_cell(
    field: Field, conversion: _Conversion, cells: Sequence[str]
) -> tuple[list[Any], list[tuple[int, str]]]:
    values: list[Any] = []
    refused: list[tuple[int, str]] = []
    for place, cell in enumerate(cells):
        text = cell.strip()
        value = None
        if text:
            try:
                value = conversion.one(text)
            except Refused as refusal:
                refused.append((place, str(refusal)))
        elif not field.nullable:
            refused.append((place, _NOT_EMPTY))
        values.append(value)
    return values, refused
