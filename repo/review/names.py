"""Where the columns of a statement come from: tables, derived tables and common table expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlglot import exp

from repo.review.tables import ParsedTable

__all__ = ["FromItem", "Names", "Place", "conjuncts", "origins", "output_names", "projections"]

_SCOPES = (exp.Select, exp.Insert, exp.Update, exp.Delete)


@dataclass(frozen=True, slots=True)
class FromItem:
    """What stands in a FROM or JOIN: a table of the schema, a query, or neither where it is not known.

    ``columns`` are names that the alias gives to a query's columns. ``outer``: its columns are NULL
    where a join found nothing. ``join`` is the join that brings it in.
    """

    name: str
    table_name: str
    table: ParsedTable | None
    query: exp.Expr | None
    columns: tuple[str, ...]
    outer: bool
    join: exp.Join | None

    def has(self, column: str) -> bool | None:
        """Whether it has the column; None where that is not known."""
        if self.table is not None:
            return column in self.table.columns
        if self.query is not None:
            return column in (self.columns or output_names(self.query))
        return None


class Place(NamedTuple):
    """A column of a source of a SELECT (or of the table that a statement changes)."""

    scope: exp.Expr
    source: FromItem
    column: str

    @property
    def key(self) -> tuple[int, str, str]:
        """The same for every mention of the column, and for no other column."""
        return id(self.scope), self.source.name, self.column


def projections(query: exp.Expr) -> list[list[exp.Expr]]:
    """The select lists of a query, one for each branch of its UNIONs."""
    if isinstance(query, exp.SetOperation):
        return [*projections(query.this), *projections(query.expression)]
    if isinstance(query, exp.Subquery):
        return projections(query.this)
    return [query.expressions] if isinstance(query, exp.Select) else []


def output_names(query: exp.Expr) -> list[str]:
    """The lower-case column names of a query, which are those of its first branch."""
    branches = projections(query)
    return [each.alias_or_name.lower() for each in branches[0]] if branches else []


def origins(place: Place) -> list[exp.Expr]:
    """The expressions behind a column of a query, one for each branch of its UNIONs."""
    source = place.source
    if source.query is None:
        return []
    names = list(source.columns) or output_names(source.query)
    if place.column not in names:
        return []
    index = names.index(place.column)
    return [branch[index] for branch in projections(source.query) if index < len(branch)]


def conjuncts(condition: exp.Expr | None) -> Iterator[exp.Expr]:
    """What a condition demands, each part of which must hold."""
    if isinstance(condition, exp.And):
        yield from conjuncts(condition.this)
        yield from conjuncts(condition.expression)
    elif isinstance(condition, exp.Paren):
        yield from conjuncts(condition.this)
    elif condition is not None:
        yield condition


class Names:
    """Finds what columns refer to, given the tables that there are."""

    def __init__(self, tables: Mapping[str, ParsedTable]) -> None:
        self._tables = tables
        self._sources: dict[int, dict[str, FromItem]] = {}

    def scope(self, node: exp.Expr) -> exp.Expr | None:
        """The SELECT or other statement whose sources a node can name."""
        at = node.parent
        while at is not None and not isinstance(at, _SCOPES):
            at = at.parent
        return at

    def sources(self, scope: exp.Expr) -> dict[str, FromItem]:
        """The sources of a SELECT or of another statement, by lower-case name, in their order."""
        found = self._sources.get(id(scope))
        if found is None:
            found = self._sources[id(scope)] = {each.name: each for each in self._read(scope)}
        return found

    def place(self, column: exp.Column) -> Place | None:
        """Where a column comes from; None where that cannot be told."""
        scope = self.scope(column)
        while scope is not None:
            source = self._source_of(column, scope)
            if source is not None:
                return Place(scope, source, column.name.lower())
            scope = self.scope(scope)
        return None

    def _source_of(self, column: exp.Column, scope: exp.Expr) -> FromItem | None:
        sources = self.sources(scope)
        if column.table:
            return sources.get(column.table.lower())
        known = [source for source in sources.values() if source.has(column.name.lower())]
        if known:
            return known[0]  # of several, a USING has made one
        unknown = [source for source in sources.values() if source.has(column.name.lower()) is None]
        return unknown[0] if len(unknown) == 1 else None

    def _read(self, scope: exp.Expr) -> Iterator[FromItem]:
        if isinstance(scope, exp.Insert | exp.Update | exp.Delete):
            target = scope.this.this if isinstance(scope.this, exp.Schema) else scope.this
            yield self._source(target, outer=False, join=None)
            if isinstance(scope, exp.Insert):
                table = self._tables.get(target.name.lower())
                yield FromItem("excluded", target.name.lower(), table, None, (), False, None)
        joins: list[exp.Join] = scope.args.get("joins") or []
        start = scope.args.get("from_")
        if start is not None:
            # A RIGHT or FULL join leaves what came before it without a match.
            outer = any(join.side in {"RIGHT", "FULL"} for join in joins)
            yield self._source(start.this, outer=outer, join=None)
        for number, join in enumerate(joins, 1):
            outer = join.side in {"LEFT", "FULL"} or any(
                later.side in {"RIGHT", "FULL"} for later in joins[number:]
            )
            yield self._source(join.this, outer=outer, join=join)

    def _source(self, node: exp.Expr, *, outer: bool, join: exp.Join | None) -> FromItem:
        alias = node.args.get("alias")
        columns = tuple(each.name.lower() for each in alias.args.get("columns") or ()) if alias else ()
        name = node.alias_or_name.lower()
        if isinstance(node, exp.Lateral):
            node = node.this
        if isinstance(node, exp.Subquery):
            return FromItem(name, "", None, node.this, columns, outer, join)
        if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
            return FromItem(name, "", None, None, columns, outer, join)
        table_name = node.name.lower()
        expression = None if node.db else _common_table(node, table_name)
        if expression is None:
            return FromItem(name, table_name, self._tables.get(table_name), None, columns, outer, join)
        declared = tuple(
            each.name.lower() for each in expression.args["alias"].args.get("columns") or ()
        )
        return FromItem(name, "", None, expression.this, columns or declared, outer, join)


def _common_table(node: exp.Expr, name: str) -> exp.CTE | None:
    """The common table expression of that name which a node can see."""
    inside: exp.Expr | None = None
    at = node.parent
    while at is not None:
        if isinstance(at, exp.CTE):
            inside = at
        clause = at.args.get("with_")
        if isinstance(clause, exp.With):
            expressions: list[exp.CTE] = clause.expressions
            for expression in expressions:
                # Without RECURSIVE, its own name inside it is that of a table.
                visible = expression is not inside or clause.recursive
                if visible and expression.alias.lower() == name:
                    return expression
        at = at.parent
    return None
