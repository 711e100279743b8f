"""Rules about the shape of a statement: names of columns, joins, groups, comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sqlglot import exp

from repo.review.findings import Mark, Rule
from repo.review.kinds import is_aggregate, unwrap
from repo.review.statements import Statement

__all__ = ["RULES"]

_INDEX: Final = re.compile(r"\bIndex:\s*\S")


def index_sentence(statement: Statement) -> Iterator[Mark]:
    """A query says which index serves it, so that whoever changes one of them looks at the other."""
    if not _INDEX.search(statement.query.comment):
        yield Mark(None, "the comment lacks a sentence 'Index: ...' that says what serves the query")


def _answers_exists(select: exp.Select) -> bool:
    parent = select.parent
    while isinstance(parent, exp.Subquery | exp.Paren):
        parent = parent.parent
    return isinstance(parent, exp.Exists)


def _feeds_insert(select: exp.Select) -> bool:
    parent = select.parent
    while isinstance(parent, exp.Subquery | exp.Paren | exp.SetOperation):
        parent = parent.parent
    return isinstance(parent, exp.Insert)


def _is_inner(select: exp.Select) -> bool:
    return select.parent is not None


def alias(statement: Statement) -> Iterator[Mark]:
    """Engines name a column without AS by rules of their own, and rows are read by name.

    EXISTS, the SELECT of an INSERT and one that stands for a value or a list have no names. Inside a
    variant a plain column keeps its own.
    """
    for select in statement.selects:
        if _answers_exists(select) or _feeds_insert(select) or _is_value(select):
            continue
        for projection in select.expressions:
            plain = isinstance(projection, exp.Column) and not statement.portable
            if projection.is_star or (plain and _is_inner(select)):
                continue
            yield from _badly_named(projection)
    for returning in statement.all(exp.Returning):
        for projection in returning.expressions:
            if not isinstance(projection, exp.Column | exp.Star):
                yield from _badly_named(projection)


def _is_value(select: exp.Expr) -> bool:
    around = select.parent
    read_from = exp.From | exp.Join | exp.Lateral | exp.Query
    return isinstance(around, exp.Subquery) and not isinstance(around.parent, read_from)


def _badly_named(projection: exp.Expr) -> Iterator[Mark]:
    if not isinstance(projection, exp.Alias):
        yield Mark(projection, f"{projection.sql()} needs a name: AS lower_case")
    elif projection.alias != projection.alias.lower():
        yield Mark(projection, f"the name {projection.alias} must be in lower case")


def star(statement: Statement) -> Iterator[Mark]:
    """A star gives whatever columns the table has that day, in the order they were added."""
    for select in [*statement.selects, *statement.all(exp.Returning)]:
        if isinstance(select, exp.Select) and _answers_exists(select):
            continue
        for projection in select.expressions:
            if projection.is_star:
                yield Mark(projection, "name the columns instead of *")


def boolean(statement: Statement) -> Iterator[Mark]:
    """A truth value is an integer in SQLite and a bool in PostgreSQL."""
    for select in statement.selects:
        if _answers_exists(select):
            continue
        for projection in select.expressions:
            if statement.kinds.kind(projection) == "boolean":
                yield Mark(projection, "select CASE WHEN ... THEN 1 ELSE 0 END instead of a truth value")


def join(statement: Statement) -> Iterator[Mark]:
    """A join without a condition is a product, meant or not, and NATURAL joins on columns to come."""
    for each in statement.all(exp.Join):
        if each.method == "NATURAL":
            yield Mark(each, "a NATURAL join changes with the tables: say ON or USING")
            continue
        condition = each.args.get("on")
        missing = condition is None or isinstance(condition, exp.Boolean)
        if missing and not each.args.get("using") and each.kind != "CROSS" and not each.side:
            yield Mark(each, "a join needs ON or USING, or the word CROSS")


def conflict_target(statement: Statement) -> Iterator[Mark]:
    """Without its target, ON CONFLICT swallows the violation of any constraint."""
    for conflict in statement.all(exp.OnConflict):
        if not conflict.args.get("conflict_keys") and not conflict.args.get("constraint"):
            yield Mark(conflict, "name the columns of the conflict: ON CONFLICT (...)")


def bare_column(statement: Statement) -> Iterator[Mark]:
    """Beside GROUP BY or an aggregate, SQLite gives a bare column of any row; PostgreSQL refuses it."""
    for select in statement.selects:
        group = select.args.get("group")
        keys = [] if group is None else [unwrap(key) for key in group.expressions]
        parts = [*select.expressions, *filter(None, map(select.args.get, ("having", "order")))]
        grouped = group is not None or any(
            is_aggregate(each) and statement.names.scope(each) is select
            for part in parts
            for each in part.walk()
        )
        if grouped:
            names = {key.name for key in keys} | {each.alias for each in select.expressions}
            for part in parts:
                for column in _bare(part, select, keys, statement):
                    if column.table or isinstance(part, exp.Alias) or column.name not in names:
                        yield Mark(column, f"{column.sql()} is neither grouped by nor aggregated")


def _bare(
    node: exp.Expr, select: exp.Select, keys: list[exp.Expr], statement: Statement
) -> Iterator[exp.Column]:
    """The columns of a grouped SELECT's own sources outside its aggregates and group keys."""
    if node in keys or (is_aggregate(node) and statement.names.scope(node) is select):
        return
    if isinstance(node, exp.Filter) and not isinstance(node.parent, exp.Window):
        return  # what an aggregate leaves out is its own affair
    if isinstance(node, exp.Column):
        place = statement.names.place(node)
        others = [statement.names.place(key) for key in keys if isinstance(key, exp.Column)]
        keyed = {other.key for other in others if other is not None}
        if place is not None and place.scope is select and place.key not in keyed:
            yield node
        return
    for child in node.iter_expressions():
        yield from _bare(child, select, keys, statement)


RULES: Final[tuple[Rule, ...]] = (
    index_sentence,
    alias,
    star,
    boolean,
    join,
    conflict_target,
    bare_column,
)
