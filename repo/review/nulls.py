"""Whether the expressions of a statement can be NULL, as far as can be proven."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlglot import exp

from repo.review.kinds import ARITHMETIC, parts_of, unwrap
from repo.review.names import Names, Place, conjuncts, origins, projections

__all__ = ["Nulls"]

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
_COMPARISONS: Final = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)

_Source = tuple[int, str]
"""A SELECT and the name of one of its sources."""


class Nulls:
    """Which expressions of one statement can be NULL."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._asking: set[tuple[int, str]] = set()
        self._found: frozenset[_Source] = frozenset()

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
            return node.args.get("default") is None or any(map(self.nullable, parts_of(node)))
        if isinstance(node, exp.Coalesce):
            return all(map(self.nullable, parts_of(node)))
        if isinstance(node, exp.Lag | exp.Lead):
            return node.args.get("default") is None or any(map(self.nullable, parts_of(node)))
        if isinstance(node, exp.Window):
            # A frame that is written out may be empty, a FILTER may let nothing through.
            plain = node.args.get("spec") is None and isinstance(node.this, exp.Func)
            return not plain or self._of_rows_nullable(node.this)
        if isinstance(node, exp.Sum | exp.Min | exp.Max):
            scope = self._names.scope(node)
            return scope is None or scope.args.get("group") is None or self.nullable(node.this)
        if isinstance(node, ARITHMETIC):
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
        there = list(self._not_null_columns(place.scope))
        if place.key in {each.key for each in there}:
            return False
        source = (id(place.scope), place.source.name)
        if place.source.outer and source not in {*self._found, *(each.key[:2] for each in there)}:
            return True
        if place.source.table is not None:
            return place.column not in place.source.table.required
        return self._behind(place, [each for each in there if each.key[:2] == source])

    def _behind(self, place: Place, there: list[Place]) -> bool:
        """The same for a column of a query, of which other columns are known to be there.

        Where one of these comes from an outer join inside the query, the join has found its row, and
        so the row's other columns are there too. A recursive query asks about itself on the way; what
        it says then adds nothing to what its other branches say.
        """
        key = (id(place.source.query), place.column)
        if key in self._asking:
            return False
        inner = [self._names.place(each) for one in there for each in _columns(origins(one))]
        before = self._found
        self._asking.add(key)
        self._found |= {each.key[:2] for each in inner if each is not None}
        try:
            behind = origins(place)
            return not behind or any(map(self.nullable, behind))
        finally:
            self._asking.discard(key)
            self._found = before

    def _not_null_columns(self, scope: exp.Expr) -> Iterator[Place]:
        """The columns of which the conditions of a SELECT let no NULL through."""
        where = scope.args.get("where")
        conditions = list(conjuncts(None if where is None else where.this))
        joins: list[exp.Join] = scope.args.get("joins") or []
        if not any(join.side in {"RIGHT", "FULL"} for join in joins):
            for join in joins:
                conditions.extend(() if join.side else conjuncts(join.args.get("on")))
        for condition in conditions:
            for column in _columns(_not_null_in(condition)):
                place = self._names.place(column)
                if place is not None:
                    yield place


def _columns(nodes: list[exp.Expr]) -> list[exp.Column]:
    """Those that are plain columns."""
    return [each for each in map(unwrap, nodes) if isinstance(each, exp.Column)]


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
