"""Rules about numbers: what must be an integer, what must be a float, and what is neither."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlglot import TokenType, exp

from repo.review.findings import Mark, Rule
from repo.review.kinds import parts_of, unwrap
from repo.review.names import projections
from repo.review.notation import is_inexact_aggregate
from repo.review.statements import Statement

__all__ = ["RULES"]

_COMPARISONS: Final = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)


def float_sum(statement: Statement) -> Iterator[Mark]:
    """A sum of floats depends on the order of the rows, on the engine's version and on its plan."""
    for each in statement.all(exp.Sum):
        inner = each.this
        values = inner.expressions if isinstance(inner, exp.Distinct) else [inner]
        if any(statement.kinds.kind(value) not in {"integer", "null"} for value in values):
            yield Mark(
                each,
                f"{each.sql()} is not known to add up integers: "
                "sum CAST(... AS bigint), or add up in Python",
            )


def uncast_sum(statement: Statement) -> Iterator[Mark]:
    """A sum of bigint is numeric in PostgreSQL, which is a Decimal in Python."""
    for each in statement.all(exp.Sum):
        parent = each.parent
        while isinstance(parent, exp.Window | exp.Filter | exp.Paren):
            parent = parent.parent
        if not (isinstance(parent, exp.Cast) and parent.to.this.name == "BIGINT"):
            yield Mark(each, "write CAST(SUM(...) AS bigint), around OVER too")


def average(statement: Statement) -> Iterator[Mark]:
    """An average or a deviation is a sum of floats inside, or a numeric on one engine."""
    for each in statement.all(exp.Func):
        if is_inexact_aggregate(each):
            yield Mark(each, "divide an exact sum of integers by their count, or compute it in Python")


def float_literal(statement: Statement) -> Iterator[Mark]:
    """PostgreSQL reads 0.1 as numeric and SQLite as a float; a table's definition computes nothing."""
    if statement.tree is None:
        return
    for token in statement.tokens:
        if token.token_type is TokenType.NUMBER and not token.text.isdigit():
            yield Mark(
                token, f"bind {token.text} as a parameter, or divide integers cast to double precision"
            )


def division(statement: Statement) -> Iterator[Mark]:
    """Integers divide to an integer, and what a numeric gives differs: both sides must be floats."""
    for each in statement.all(exp.Div):
        sides = (each.this, each.expression)
        if any(statement.kinds.kind(side) != "float" for side in sides):
            yield Mark(each, "CAST both sides of a division AS double precision")


def mixed_types(statement: Statement) -> Iterator[Mark]:
    """Where an integer meets a float, SQLite keeps the integer and PostgreSQL converts it."""
    for each in statement.all(exp.Coalesce, exp.Case, exp.Lag, exp.Lead, exp.Greatest, exp.Least):
        parent = each.parent
        while isinstance(parent, exp.Paren | exp.Window):
            parent = parent.parent
        if isinstance(parent, exp.Cast):
            continue
        parts = parts_of(each)
        kinds = {statement.kinds.kind(part) for part in parts}
        fallback = isinstance(each, exp.Coalesce) and any(map(_is_integer_literal, parts[1:]))
        if {"integer", "float"} <= kinds or (fallback and "unknown" in kinds):
            yield Mark(
                each, "an integer and a float, or what is not known: CAST all of its values to one type"
            )
    for union in statement.all(exp.SetOperation):
        for column in zip(*projections(union), strict=False):
            if {"integer", "float"} <= {statement.kinds.kind(each) for each in column}:
                yield Mark(union, f"{column[0].alias_or_name}: CAST it to one type in every branch")


def mixed_comparison(statement: Statement) -> Iterator[Mark]:
    """SQLite compares a bigint with a float exactly, PostgreSQL rounds it to a float first."""
    for comparison in statement.all(*_COMPARISONS):
        pair = [unwrap(comparison.this), unwrap(comparison.expression)]
        literal = any(map(_is_integer_literal, pair))
        if {statement.kinds.kind(side) for side in pair} == {"integer", "float"} and not literal:
            yield Mark(comparison, "CAST both sides of a comparison AS double precision")


def returned_float(statement: Statement) -> Iterator[Mark]:
    """What RETURNING gives of a REAL column is an integer in SQLite where the number is whole."""
    for returning in statement.all(exp.Returning):
        for projection in returning.expressions:
            column = unwrap(projection)
            if isinstance(column, exp.Column) and statement.kinds.kind(column) == "float":
                yield Mark(
                    projection, f"return CAST({column.name} AS double precision) AS {column.name}"
                )


def _is_integer_literal(node: exp.Expr) -> bool:
    node = unwrap(node)
    return isinstance(node, exp.Literal) and not node.is_string


RULES: Final[tuple[Rule, ...]] = (
    float_sum,
    uncast_sum,
    average,
    float_literal,
    division,
    mixed_types,
    mixed_comparison,
    returned_float,
)
