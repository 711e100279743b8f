"""What the expressions of a statement are: integers, floats, dates.

Only what can be proven is said: a column of a table that is not known is ``unknown``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlglot import exp

from repo.review.names import Names, origins, projections
from repo.review.tables import UNKNOWN, kind_of_type

__all__ = ["ARITHMETIC", "Kinds", "is_aggregate", "parts_of", "unwrap"]

_INTEGERS: Final = (exp.Count, exp.RowNumber, exp.Rank, exp.DenseRank, exp.Ntile, exp.Length)
_FLOATS: Final = (exp.PercentRank, exp.CumeDist, exp.Sqrt)
_SAME: Final = (
    exp.Abs,
    exp.Max,
    exp.Min,
    exp.FirstValue,
    exp.LastValue,
    exp.NthValue,
    exp.Neg,
    exp.Window,
    exp.Filter,
    exp.Nullif,
)
ARITHMETIC: Final = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
_TRUTHS: Final = (exp.Predicate, exp.Connector, exp.Not, exp.Boolean)
_OF_A_ROW: Final = (exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue)
_KINDS: Final[tuple[tuple[tuple[type, ...], str], ...]] = (
    ((exp.Null,), "null"),
    (_TRUTHS, "boolean"),
    (_INTEGERS, "integer"),
    (_FLOATS, "float"),
    ((exp.Sum,), "numeric"),  # what PostgreSQL makes of a sum of bigint
)
_NUMBERS: Final = frozenset({"integer", "float", "numeric"})


def unwrap(node: exp.Expr) -> exp.Expr:
    """An expression without its parentheses and its alias."""
    while isinstance(node, exp.Paren | exp.Alias):
        node = node.this
    return node


def is_aggregate(node: exp.Expr) -> bool:
    """Whether it makes one value of many rows, and not one for each row."""
    if not isinstance(node, exp.AggFunc) or isinstance(node, _OF_A_ROW):
        return False
    parent = node.parent
    while isinstance(parent, exp.Filter | exp.IgnoreNulls | exp.RespectNulls | exp.WithinGroup):
        node, parent = parent, parent.parent
    return not (isinstance(parent, exp.Window) and parent.this is node)


def _combined(kinds: Iterable[str]) -> str:
    """The kind of a value that is one of several; ``null`` says nothing."""
    found = set(kinds) - {"null"}
    if len(found) == 1:
        return found.pop()
    return "null" if not found else UNKNOWN


def parts_of(node: exp.Expr) -> list[exp.Expr]:
    """The values of which an expression is one: branches, fallbacks, defaults."""
    if isinstance(node, exp.Case):
        default = node.args.get("default")
        branches = [each.args["true"] for each in node.args["ifs"]]
        return [*branches, default] if default is not None else branches
    if isinstance(node, exp.Coalesce | exp.Greatest | exp.Least):
        return [node.this, *node.expressions]
    if isinstance(node, exp.Lag | exp.Lead):
        default = node.args.get("default")
        return [node.this, default] if default is not None else [node.this]
    return []


class Kinds:
    """What the expressions of one statement are."""

    def __init__(self, names: Names, dialect: str) -> None:
        self._names = names
        self._dialect = dialect
        self._asking: set[tuple[int, str]] = set()

    def kind(self, node: exp.Expr) -> str:
        """One of the kinds of :func:`repo.review.tables.kind_of_type`, or ``null``."""
        node = unwrap(node)
        if isinstance(node, exp.Column):
            return self._of_column(node)
        if isinstance(node, exp.Literal):
            return "text" if node.is_string else "integer" if node.name.isdigit() else "numeric"
        if isinstance(node, exp.Cast):
            return kind_of_type(node.args.get("to"), self._dialect)
        for classes, kind in _KINDS:
            if isinstance(node, classes):
                return kind
        if isinstance(node, _SAME):
            return self.kind(node.this)
        if isinstance(node, ARITHMETIC):
            return self._of_arithmetic(node)
        if isinstance(node, exp.Floor):  # of an integer, the engines disagree
            return "float" if self.kind(node.this) == "float" else UNKNOWN
        if isinstance(node, exp.Subquery):
            return _combined(self.kind(branch[0]) for branch in projections(node))
        parts = parts_of(node)
        return _combined(map(self.kind, parts)) if parts else UNKNOWN

    def _of_arithmetic(self, node: exp.Expr) -> str:
        left, right = self.kind(node.this), self.kind(node.expression)
        both = {left, right}
        if both == {"integer"}:
            return "integer"
        if both == {"date"}:
            return "integer" if isinstance(node, exp.Sub) else UNKNOWN
        if both == {"date", "integer"}:
            return "date"
        if "float" in both:
            return "float" if both <= _NUMBERS else UNKNOWN
        return "numeric" if both <= _NUMBERS else UNKNOWN

    def _of_column(self, column: exp.Column) -> str:
        place = self._names.place(column)
        if place is None:
            return UNKNOWN
        if place.source.table is not None:
            return place.source.table.columns.get(place.column, UNKNOWN)
        key = (id(place.source.query), place.column)
        if key in self._asking:
            return "null"  # a recursive query asks about itself; its other branches tell
        self._asking.add(key)
        try:
            behind = origins(place)
            return _combined(map(self.kind, behind)) if behind else UNKNOWN
        finally:
            self._asking.discard(key)
