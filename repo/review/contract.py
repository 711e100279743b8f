"""What callers of a query rely on, before and after a change, and which of it breaks them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import sqlglot
from sqlglot.errors import SqlglotError

from repo.queries import Query, ResultColumn
from repo.review.changes import Change, Kind
from repo.review.tables import GRAMMARS

__all__ = ["ContractChange", "differences", "order_of"]

_OPERATORS: Final = {
    "": "rows",
    "^": "one row or none",
    "$": "one value",
    "!": "a number of rows",
    "*!": "a number of rows, written for many",
    "<!": "the row written",
}


class ContractChange(NamedTuple):
    """One thing that callers rely on: before, after, and why it breaks them; empty where it does not."""

    what: str
    before: str
    after: str
    breaks: str


def order_of(query: Query, dialect: str) -> str:
    """The ORDER BY of a query as a dialect writes it; empty where there is none."""
    try:
        tree = sqlglot.parse_one(query.sql, dialect=GRAMMARS[dialect])
    except SqlglotError:
        return ""
    order = tree.args.get("order")
    keys = [] if order is None else order.expressions
    return ", ".join(key.sql(dialect=GRAMMARS[dialect]) for key in keys)


def differences(change: Change) -> Iterator[ContractChange]:
    """What callers notice of a change; nothing for a query that was not there or is no longer."""
    if not change.before or not change.after or change.means_the_same:
        return
    if change.kind is Kind.RENAMED:
        yield ContractChange("name", change.old_name, change.name, "it is asked for by its old name")
    dialect = next(each for each in change.before if each in change.after)
    before, after = change.before[dialect], change.after[dialect]
    yield from _of_parameters(before, after)
    if before.operator != after.operator:
        old, new = (_OPERATORS[each.operator] for each in (before, after))
        yield ContractChange("operator", old, new, "a call returns something else")
    yield from _of_columns(before, after)
    old, new = (each.record.__name__ if each.record else "none" for each in (before, after))
    if old != new:
        yield ContractChange("record", old, new, "")
    old, new = (order_of(each, dialect) or "none" for each in (before, after))
    if old != new:
        yield ContractChange("order", old, new, "rows come in another order, or in any")


def _of_parameters(before: Query, after: Query) -> Iterator[ContractChange]:
    gone = [name for name in before.parameters if name not in after.parameters]
    new = [name for name in after.parameters if name not in before.parameters]
    for name in gone:
        yield ContractChange("parameter", _parameter(before, name), "none", "calls give it")
    for name in new:
        yield ContractChange("parameter", "none", _parameter(after, name), "calls do not give it")
    for name in before.parameters:
        if name in after.parameters and _parameter(before, name) != _parameter(after, name):
            both = _parameter(before, name), _parameter(after, name)
            yield ContractChange("parameter", *both, "calls give a value of the old type")


def _parameter(query: Query, name: str) -> str:
    kind = query.types.get(name)
    return name if kind is None else f"{name}: {kind}"


def _of_columns(before: Query, after: Query) -> Iterator[ContractChange]:
    old, new = ({each.name: each for each in query.columns} for query in (before, after))
    for name, column in old.items():
        if name not in new:
            yield ContractChange("column", _column(column), "none", "callers read it")
        elif new[name].type is not column.type:
            yield ContractChange("column", _column(column), _column(new[name]), "it is of another type")
        elif new[name].nullable != column.nullable:
            breaks = "" if column.nullable else "it can be None"
            yield ContractChange("column", _column(column), _column(new[name]), breaks)
    for name, column in new.items():
        if name not in old:
            breaks = "" if not old else "rows are tuples, and one that is unpacked is longer"
            yield ContractChange("column", "none", _column(column), breaks)
    kept, moved = (", ".join(name for name in side if name in {*old} & {*new}) for side in (old, new))
    if kept != moved:
        yield ContractChange("columns", kept, moved, "rows are tuples, and their fields moved")


def _column(column: ResultColumn) -> str:
    return f"{column.name}: {column.type.__name__}{' | None' if column.nullable else ''}"
