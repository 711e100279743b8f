"""Rows checked against their table, a column at a time.

A few passes in C over 50,000 values cost a fraction of a check per value; only if a column fails are its
values checked one by one, to name the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import ge
from typing import Any

from repo.errors import PROBLEM_LIMIT, InvalidRecord, Problem
from repo.tables import Table
from repo.validation import Refused


def _in_order(table: Table, cleaned: list[Sequence[Any]]) -> bool:
    """Whether ``not_below`` holds for every row."""
    if table.not_below is None:
        return True
    upper, lower = (cleaned[table.positions[name]] for name in table.not_below)
    try:
        return all(map(ge, upper, lower))
    except TypeError:  # a None on one side
        return all(a >= b for a, b in zip(upper, lower, strict=True) if a is not None and b is not None)


def check_types(table: Table, rows: Sequence[Any]) -> list[Sequence[Any]] | None:
    """The columns of rows whose values have the right types and, of text, the right form.

    None if a value has to be checked by itself. :func:`check_ranges` checks the ranges of numbers.
    """
    if set(map(type, rows)) != {table.record}:
        return None
    found: list[Sequence[Any]] = []
    for field, column in zip(table.fields, zip(*rows, strict=True), strict=True):
        if not field.fits(column):
            return None
        cleaned = column if field.measure else field.clean(column)
        if cleaned is None:
            return None
        found.append(cleaned)
    return found


def check_ranges(table: Table, columns: Sequence[Sequence[Any]]) -> list[Sequence[Any]] | None:
    """The columns of :func:`check_types` as they are stored; None if a number is out of its range.

    A column that needs no change is the same object.
    """
    found: list[Sequence[Any]] = []
    for field, column in zip(table.fields, columns, strict=True):
        cleaned = field.clean(column) if field.measure else column
        if cleaned is None:
            return None
        found.append(cleaned)
    return found if _in_order(table, found) else None


def columns(table: Table, rows: Sequence[Any], first_row: int = 0) -> list[Sequence[Any]]:
    """Check rows and give their columns as they are stored.

    :param rows: at least one row, each of type ``table.record``.
    :param first_row: the number of the first row, for errors.
    :raises InvalidRecord: naming the first problems, in row order, then field order.
    """
    found = check_types(table, rows)
    if found is not None:
        found = check_ranges(table, found)
    return found if found is not None else row_by_row(table, rows, first_row, PROBLEM_LIMIT)


def row_by_row(table: Table, rows: Sequence[Any], first_row: int, limit: int) -> list[Sequence[Any]]:
    """Do what :func:`columns` does, value by value: slower, but it names what is wrong."""
    problems: list[Problem] = []
    cleaned: list[tuple[Any, ...]] = []
    for number, row in enumerate(rows, first_row):
        if len(problems) >= limit:
            break
        cleaned.append(tuple(_clean_row(table, row, number, problems)))
    if problems:
        raise InvalidRecord(problems[:limit])
    return list(zip(*cleaned, strict=True))


def _clean_row(table: Table, row: Any, number: int, problems: list[Problem]) -> Iterable[Any]:
    if not isinstance(row, table.record) or len(row) != len(table.fields):
        wanted = table.record.__name__
        problems.append(Problem(number, wanted, row, f"must be a {wanted}, not {type(row).__name__}"))
        return ()
    clean: dict[str, Any] = {}
    for field, value in zip(table.fields, row, strict=True):
        try:
            clean[field.name] = field.check(value)
        except Refused as refused:
            problems.append(Problem(number, field.name, value, str(refused)))
    if table.not_below is not None:
        upper, lower = (clean.get(name) for name in table.not_below)
        if upper is not None and lower is not None and upper < lower:
            reason = f"must not be below {table.not_below[1]} ({lower})"
            problems.append(Problem(number, table.not_below[0], upper, reason))
    return clean.values()
