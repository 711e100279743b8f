"""What the expressions of a statement are: integers, floats, dates, and whether they can be NULL.

Only what can be proven is said: a column of a table that is not known is ``unknown``, and may be NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from sqlglot import exp

from repo.review.names import Names, Place, conjuncts, output_names, projections
from repo.review.tables import UNKNOWN, kind_of_type

__all__ = ["Kinds", "is_aggregate", "unwrap"]

_T = TypeVar("_T")

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
_ARITHMETIC: Final = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
_TRUTHS: Final = (exp.Predicate, exp.Connector, exp.Not, exp.Boolean)
_OF_A_ROW: Final = (exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue)
_NEVER_NULL: Final = (
    exp.Literal,
    exp.Boolean,
    exp.Exists,
    exp.Count,
    exp.RowNumber,
    exp.Rank,
    exp.DenseRank,
    exp.Ntile,
    exp.PercentRank,
    exp.CumeDist,
)
_KINDS: Final[tuple[tuple[tuple[type, ...], str], ...]] = (
    ((exp.Null,), "null"),
    (_TRUTHS, "boolean"),
    (_INTEGERS, "integer"),
    (_FLOATS, "float"),
    ((exp.Sum,), "numeric"),  # what PostgreSQL makes of a sum of bigint
)
_COMPARISONS: Final = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
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


class Kinds:
    """What the expressions of one statement are."""

    def __init__(self, names: Names, dialect: str) -> None:
        self._names = names
        self._dialect = dialect
        self._asking: set[tuple[int, str, str]] = set()

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
        if isinstance(node, _ARITHMETIC):
            return self._of_arithmetic(node)
        if isinstance(node, exp.Floor):  # of an integer, the engines disagree
            return "float" if self.kind(node.this) == "float" else UNKNOWN
        if isinstance(node, exp.Subquery):
            return _combined(self.kind(branch[0]) for branch in projections(node))
        parts = self.parts(node)
        return _combined(map(self.kind, parts)) if parts else UNKNOWN

    def parts(self, node: exp.Expr) -> list[exp.Expr]:
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
        return self._behind(place, "kind", self._combined_kind, "null")

    def _combined_kind(self, origins: list[exp.Expr]) -> str:
        return _combined(map(self.kind, origins)) if origins else UNKNOWN

    def _behind(
        self, place: Place, question: str, ask: Callable[[list[exp.Expr]], _T], meanwhile: _T
    ) -> _T:
        """Ask of the expressions behind a query's column.

        A recursive query asks about itself on the way: the answer is ``meanwhile`` then, which adds
        nothing to what its other branches say.
        """
        key = (id(place.source.query), place.column, question)
        if key in self._asking:
            return meanwhile
        self._asking.add(key)
        try:
            return ask(_origins(place))
        finally:
            self._asking.discard(key)

    def nullable(self, node: exp.Expr) -> bool:
        """Whether a value may be NULL, as far as can be told.

        A quotient counts as there where both of its sides are: who divides by what may be 0 has to
        write NULLIF, for PostgreSQL makes an error of it.
        """
        node = unwrap(node)
        if isinstance(node, exp.Column):
            return self._column_nullable(node)
        if isinstance(node, _NEVER_NULL):
            return False
        if isinstance(node, exp.Cast | exp.Neg | exp.Abs | exp.Floor | exp.Length):
            return self.nullable(node.this)
        if isinstance(node, exp.Case):
            return node.args.get("default") is None or any(map(self.nullable, self.parts(node)))
        if isinstance(node, exp.Coalesce):
            return all(map(self.nullable, self.parts(node)))
        if isinstance(node, exp.Lag | exp.Lead):
            return node.args.get("default") is None or any(map(self.nullable, self.parts(node)))
        if isinstance(node, exp.Window):
            # A frame that is written out may be empty, a FILTER may let nothing through.
            plain = node.args.get("spec") is None and isinstance(node.this, exp.Func)
            return not plain or self._of_rows_nullable(node.this)
        if isinstance(node, exp.Sum | exp.Min | exp.Max):
            scope = self._names.scope(node)
            return scope is None or scope.args.get("group") is None or self.nullable(node.this)
        if isinstance(node, _ARITHMETIC):
            return self.nullable(node.this) or self.nullable(node.expression)
        return True

    def order_nullable(self, key: exp.Ordered) -> bool:
        """The same for a key of ORDER BY, which may be the name of a result."""
        query = key.parent.parent if key.parent is not None else None
        node = unwrap(key.this)
        if isinstance(query, exp.Query) and isinstance(node, exp.Column) and not node.table:
            for branches in zip(*projections(query), strict=False):
                if branches[0].alias_or_name.lower() == node.name.lower():
                    return any(map(self.nullable, branches))
        return self.nullable(node)

    def _of_rows_nullable(self, function: exp.Expr) -> bool:
        """The same for a window function, whose rows are at least the one it is computed for."""
        if isinstance(function, exp.Sum | exp.Min | exp.Max | exp.FirstValue | exp.LastValue):
            return self.nullable(function.this)
        return self.nullable(function)

    def _column_nullable(self, column: exp.Column) -> bool:
        place = self._names.place(column)
        if place is None:
            return True
        if self._proven(place):
            return False
        if place.source.outer:
            return True
        if place.source.table is not None:
            return place.column not in place.source.table.required
        return self._behind(place, "nullable", self._any_nullable, False)

    def _any_nullable(self, origins: list[exp.Expr]) -> bool:
        return not origins or any(map(self.nullable, origins))

    def _proven(self, place: Place) -> bool:
        """Whether the conditions of its SELECT let no NULL of a column through."""
        conditions = [*conjuncts(_condition(place.scope.args.get("where")))]
        for join in place.scope.args.get("joins") or ():
            if not join.side:
                conditions.extend(conjuncts(join.args.get("on")))
        return any(
            isinstance(side, exp.Column) and self._key(side) == place.key
            for condition in conditions
            for side in _not_null_in(condition)
        )

    def _key(self, column: exp.Column) -> object:
        place = self._names.place(column)
        return None if place is None else place.key


def _condition(where: exp.Expr | None) -> exp.Expr | None:
    return None if where is None else where.this


def _not_null_in(condition: exp.Expr) -> list[exp.Expr]:
    """The expressions that cannot be NULL where a condition holds."""
    if isinstance(condition, _COMPARISONS):
        return [unwrap(condition.this), unwrap(condition.expression)]
    negated = isinstance(condition, exp.Is) and condition.args.get("negate")
    if isinstance(condition, exp.Not) and isinstance(condition.this, exp.Is):
        condition, negated = condition.this, True
    if isinstance(condition, exp.Is) and negated and isinstance(condition.expression, exp.Null):
        return [unwrap(condition.this)]
    return []


def _origins(place: Place) -> list[exp.Expr]:
    """The expressions behind a column of a query, one for each branch of its UNIONs."""
    source = place.source
    if source.query is None:
        return []
    names = list(source.columns) or output_names(source.query)
    if place.column not in names:
        return []
    index = names.index(place.column)
    return [branch[index] for branch in projections(source.query) if index < len(branch)]
