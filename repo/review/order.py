"""Rules about the order of rows, which SQL leaves open unless it is written down to the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sqlglot import exp

from repo.review.findings import Mark, Rule
from repo.review.statements import Statement

__all__ = ["RULES"]

_DECLARED: Final = re.compile(r"\bOrder:\s+total\s+because\s+\S")
_MANY: Final = ""
_ONE: Final = frozenset({"^", "$"})
_OF_A_PLACE: Final = (
    exp.RowNumber,
    exp.Ntile,
    exp.Lag,
    exp.Lead,
    exp.FirstValue,
    exp.LastValue,
    exp.NthValue,
)


def order(statement: Statement) -> Iterator[Mark]:
    """Rows without ORDER BY come in whatever order the plan of the day gives."""
    tree = statement.tree
    if tree is None or statement.query.operator != _MANY:
        return
    if not isinstance(tree, exp.Query):
        yield Mark(None, "the rows of a write have no order: return one with ^, or read them afterwards")
    elif tree.args.get("order") is None:
        yield Mark(None, "rows need ORDER BY; a single row is asked for with ^")


def cut(statement: Statement) -> Iterator[Mark]:
    """Without ORDER BY, the rows that LIMIT or DISTINCT ON keep are any."""
    for query in statement.all(exp.Query):
        distinct = query.args.get("distinct")
        kept = "LIMIT" if _limited(query) else ""
        if isinstance(distinct, exp.Distinct) and distinct.args.get("on") is not None:
            kept = "DISTINCT ON"
        if kept and query.args.get("order") is None:
            yield Mark(query, f"{kept} needs ORDER BY")


def window_order(statement: Statement) -> Iterator[Mark]:
    """Without ORDER BY, the place of a row in its window is any."""
    for window in statement.all(exp.Window):
        named = window.args.get("alias") is not None
        if isinstance(window.this, _OF_A_PLACE) and window.args.get("order") is None and not named:
            yield Mark(window, f"{window.this.sql_name()} needs ORDER BY in its OVER")


def null_order(statement: Statement) -> Iterator[Mark]:
    """NULLs come first in SQLite and last in PostgreSQL unless the order says where."""
    for key in statement.all(exp.Ordered):
        if id(key) not in statement.floating or isinstance(key.parent, exp.OnConflict):
            continue
        if _is_seen(key) and statement.nulls.order_nullable(key):
            yield Mark(key, f"{key.this.sql()} may be NULL: write NULLS FIRST or NULLS LAST")


def _is_seen(key: exp.Ordered) -> bool:
    """Whether it matters where the key puts NULLs: not when only the order of INSERT depends on it."""
    query = key.parent.parent if key.parent is not None else None
    if query is None:
        return True
    if isinstance(query.parent, exp.Insert) and not _limited(query):
        return False
    distinct = query.args.get("distinct")
    on = distinct.args.get("on") if isinstance(distinct, exp.Distinct) else None
    return on is None or key.this not in on.expressions


def _limited(query: exp.Expr) -> bool:
    return query.args.get("limit") is not None or query.args.get("offset") is not None


def total_order(statement: Statement) -> Iterator[Mark]:
    """Rows that agree in all keys of ORDER BY change places, and LIMIT keeps one or another of them."""
    if statement.tree is None or _DECLARED.search(statement.query.comment):
        return
    root = statement.tree if isinstance(statement.tree, exp.Query) else None
    for query in statement.all(exp.Query):
        ordered = query.args.get("order") is not None
        many = query is root and statement.query.operator == _MANY
        first = query is root and statement.query.operator in _ONE
        if ordered and (many or first or _limited(query)):
            if not statement.rows.total(query):
                yield Mark(query.args["order"], f"the order is not known to be total: {_ADVICE}")
        elif first and not statement.rows.total(query):
            yield Mark(None, f"which row comes first is not known: ask by a key, or {_ADVICE}")


_ADVICE: Final = "end ORDER BY in a unique key, or say why in the comment, 'Order: total because ...'"

RULES: Final[tuple[Rule, ...]] = (order, cut, window_order, null_order, total_order)
