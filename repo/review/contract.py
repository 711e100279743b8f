"""What callers of a query rely on, before and after a change, and which of it breaks them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import SqlglotError

from repo.queries import Query, ResultColumn
from repo.review.changes import Change, Kind
from repo.review.tables import GRAMMARS

__all__ = ["ContractChange", "differences", "renamed"]

_OPERATORS: Final = {
    "": "rows",
    "^": "one row or none",
    "$": "one value",
    "!": "a number of rows",
    "*!": "a number of rows, written for many",
    "<!": "the row written",
}


_AFTER_ORDER: Final = (
    TokenType.LIMIT,
    TokenType.OFFSET,
    TokenType.FETCH,
    TokenType.FOR,
    TokenType.SEMICOLON,
)
_OUTER: Final = "LEFT JOIN"


class ContractChange(NamedTuple):
    """One thing that callers rely on: before, after, and why it breaks them; empty where it does not."""

    what: str
    before: str
    after: str
    breaks: str


class _Rows(NamedTuple):
    """What decides which rows of a statement come, and in which order: each as it is written."""

    order: str
    keys: Sequence[object]
    limit: str
    joins: Mapping[str, str]
    """How each table is joined, by the name that it has in the statement."""


def _rows(query: Query, dialect: str) -> _Rows | None:
    """None for a statement that sqlglot cannot read."""
    try:
        tokens = sqlglot.tokenize(query.sql, dialect=GRAMMARS[dialect])
        tree = sqlglot.parse_one(query.sql, dialect=GRAMMARS[dialect])
    except SqlglotError:
        return None
    order, limit = tree.args.get("order"), tree.args.get("limit")
    keys = [] if order is None else order.expressions
    return _Rows(
        _written(query.sql, tokens) if keys else "",
        # Each dialect has its own places for NULLs where none is named; sqlglot knows them.
        [(key.this, bool(key.args.get("desc")), key.args.get("nulls_first")) for key in keys],
        "" if limit is None else limit.expression.sql(dialect=GRAMMARS[dialect]),
        {
            join.alias_or_name: f"{join.side or join.kind or 'INNER'} JOIN".lstrip()
            for join in tree.find_all(exp.Join)
        },
    )


def _written(sql: str, tokens: Sequence[Token]) -> str:
    """The last ORDER BY outside of parentheses, up to what follows it."""
    depth, start, end = 0, 0, len(sql)
    for token in tokens:
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if depth == 0 and token.token_type is TokenType.ORDER_BY:
            start, end = token.end + 1, len(sql)
        elif depth == 0 and token.token_type in _AFTER_ORDER:
            end = min(end, token.start) if token.start > start else end
    return " ".join(re.sub(r"--[^\n]*", "", sql[start:end]).split())


def _of_rows(before: Query, after: Query, dialect: str) -> Iterator[ContractChange]:
    old, new = _rows(before, dialect), _rows(after, dialect)
    if old is None or new is None:
        return
    if old.keys != new.keys:
        what = old.order or "none", new.order or "none"
        yield ContractChange("order", *what, "rows come in another order, or in any")
    if old.limit != new.limit:
        why = "rows beyond it are left out" if new.limit else "more rows come than did"
        yield ContractChange("limit", old.limit or "none", new.limit or "none", why)
    for name, was in old.joins.items():
        now = new.joins.get(name, was)
        if was != now:
            why = "rows that match nothing are left out" if was == _OUTER else "other rows come than did"
            yield ContractChange("join", f"{was} {name}", f"{now} {name}", why)


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
    both = [each for each in change.before if each in change.after]
    found = [_of_rows(change.before[each], change.after[each], each) for each in both]
    yield from dict.fromkeys(chain.from_iterable(found))


def renamed(before: Query, after: Query) -> Mapping[str, str]:
    """The parameters that only got another name, by that, with the one before."""
    if len(before.parameters) != len(after.parameters):
        return {}
    return {
        now: was
        for was, now in zip(before.parameters, after.parameters, strict=True)
        if was not in after.parameters
        and now not in before.parameters
        and before.types.get(was) == after.types.get(now)
    }


def _of_parameters(before: Query, after: Query) -> Iterator[ContractChange]:
    known = renamed(before, after)
    for name, was in known.items():
        both = _parameter(before, was), _parameter(after, name)
        yield ContractChange("parameter", *both, "calls give it by its old name")
    gone = [name for name in before.parameters if name not in {*after.parameters, *known.values()}]
    new = [name for name in after.parameters if name not in {*before.parameters, *known}]
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
