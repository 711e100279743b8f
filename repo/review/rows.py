"""Which rows a query tells apart: whether an order of its rows is total.

An order is total when rows that agree in its keys agree in all that is selected: then no two rows
that could change places look different. What agrees is followed from column to column: through
equalities in WHERE and ON, through the keys of tables, and into derived tables.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from repo.review.kinds import is_aggregate, unwrap
from repo.review.names import FromItem, Names, conjuncts, output_names

__all__ = ["Rows"]

_Column = tuple[str, str]
"""A source of the SELECT in hand and a column of it."""


class Rows:
    """Tells rows of one statement's queries apart."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._asking: set[int] = set()

    def total(self, query: exp.Expr) -> bool:
        """Whether a query's rows come in one order only: a total one, or there is only one row."""
        order = query.args.get("order")
        keys = [] if order is None else [unwrap(each.this) for each in order.expressions]
        if not isinstance(query, exp.Select):
            return {key.name.lower() for key in keys if isinstance(key, exp.Column)} >= set(
                output_names(query)
            )
        chosen: set[str] = set()
        known: set[_Column] = set()
        for key in keys:
            for projection in query.expressions:
                named = isinstance(key, exp.Column) and not key.table
                if (named and projection.alias_or_name == key.name) or unwrap(projection) == key:
                    chosen.add(projection.alias_or_name.lower())
            if isinstance(key, exp.Column):
                known |= self._local(key, query)
        return self._settled(query, chosen, known)

    def _alike(self, query: exp.Expr, columns: set[str]) -> bool:
        """Whether rows of a query that agree in some columns agree in all."""
        if isinstance(query, exp.Subquery):
            return self._alike(query.this, columns)
        if isinstance(query, exp.SetOperation):
            return columns >= set(output_names(query))
        if not isinstance(query, exp.Select) or id(query) in self._asking:
            return False
        self._asking.add(id(query))
        try:
            return self._settled(query, columns, set())
        finally:
            self._asking.discard(id(query))

    def _settled(self, select: exp.Select, chosen: set[str], known: set[_Column]) -> bool:
        """The same for a SELECT, of which some results and some columns of its sources are given."""
        for projection in select.expressions:
            inner = unwrap(projection)
            if projection.alias_or_name.lower() in chosen and isinstance(inner, exp.Column):
                known = known | self._local(inner, select)
        known, rows = self._closure(select, known)
        group = select.args.get("group")
        if group is not None and all(self._fixed(key, select, known, rows) for key in group.expressions):
            return True
        if group is None and any(
            is_aggregate(each) and self._names.scope(each) is select
            for projection in select.expressions
            for each in projection.walk()
        ):
            return True
        return all(
            projection.alias_or_name.lower() in chosen or self._fixed(projection, select, known, rows)
            for projection in select.expressions
        )

    def _closure(self, select: exp.Select, known: set[_Column]) -> tuple[set[_Column], set[str]]:
        """All columns that agree once some do, and the sources of which the whole row does."""
        sources = self._names.sources(select)
        equal = list(self._equalities(select))
        known, rows = set(known), set[str]()
        while True:
            before = len(known) + len(rows)
            for name, source in sources.items():
                if name not in rows and self._one_row(source, {c for s, c in known if s == name}):
                    rows.add(name)
            known.update(column for column, value in equal if self._agrees(value, select, known, rows))
            if len(known) + len(rows) == before:
                return known, rows

    def _one_row(self, source: FromItem, columns: set[str]) -> bool:
        if source.table is not None:
            return any(key <= columns for key in source.table.keys)
        if source.query is None:
            return False
        if source.columns:
            inner = dict(zip(source.columns, output_names(source.query), strict=False))
            columns = {inner.get(column, column) for column in columns}
        return self._alike(source.query, columns)

    def _agrees(
        self, value: exp.Expr | _Column, select: exp.Select, known: set[_Column], rows: set[str]
    ) -> bool:
        if isinstance(value, tuple):
            return value in known or value[0] in rows
        return self._fixed(value, select, known, rows)

    def _fixed(self, node: exp.Expr, select: exp.Select, known: set[_Column], rows: set[str]) -> bool:
        """Whether an expression is the same for all rows that agree in what is known."""
        for each in node.walk():
            if isinstance(each, exp.Star | exp.Rand):
                return False
            if is_aggregate(each) and self._names.scope(each) is select:
                return False
            if isinstance(each, exp.Window) and self._names.scope(each) is select:
                return rows >= set(self._names.sources(select))
            if isinstance(each, exp.Column):
                place = self._names.place(each)
                if place is None:
                    return False
                local = place.scope is select and place.source.name not in rows
                if local and (place.source.name, place.column) not in known:
                    return False
        return True

    def _local(self, column: exp.Column, select: exp.Select) -> set[_Column]:
        place = self._names.place(column)
        if place is None or place.scope is not select:
            return set()
        return {(place.source.name, place.column)}

    def _equalities(self, select: exp.Select) -> Iterator[tuple[_Column, exp.Expr | _Column]]:
        """Columns, each with what it is equal to in every row."""
        where = select.args.get("where")
        for condition in conjuncts(None if where is None else where.this):
            yield from self._both_ways(condition, select)
        sources = self._names.sources(select).values()
        joins = [(source, source.join) for source in sources if source.join is not None]
        if any(join.side in {"RIGHT", "FULL"} for _, join in joins):
            return  # what they do not find is NULL on the other side, whatever was joined before
        for source, join in joins:
            yield from self._joined(source, join, select)

    def _joined(
        self, source: FromItem, join: exp.Join, select: exp.Select
    ) -> Iterator[tuple[_Column, exp.Expr | _Column]]:
        """The equalities that a join adds; ``source`` is what it brings in."""
        conditions = list(conjuncts(join.args.get("on")))
        for condition in conditions:
            for column, value in self._both_ways(condition, select):
                # What an outer join did not find is NULL, and tells nothing of the other side.
                found = len(conditions) == 1 and self._always_found(source, column, value, select)
                if not join.side or column[0] == source.name or found:
                    yield column, value
        for name in join.args.get("using") or ():
            column = name.name.lower()
            for other in self._names.sources(select).values():
                if other is not source and other.has(column):
                    yield (source.name, column), (other.name, column)
                    if not join.side:
                        yield (other.name, column), (source.name, column)

    def _both_ways(self, condition: exp.Expr, select: exp.Select) -> Iterator[tuple[_Column, exp.Expr]]:
        if not isinstance(condition, exp.EQ):
            return
        left, right = unwrap(condition.this), unwrap(condition.expression)
        for column, value in ((left, right), (right, left)):
            if isinstance(column, exp.Column):
                yield from ((each, value) for each in self._local(column, select))

    def _always_found(
        self, source: FromItem, column: _Column, value: exp.Expr, select: exp.Select
    ) -> bool:
        """Whether a LEFT JOIN finds a row wherever ``column`` is there: a foreign key says so."""
        holder = self._names.sources(select)[column[0]].table
        place = self._names.place(value) if isinstance(value, exp.Column) else None
        if holder is None or place is None or place.source is not source:
            return False
        return column[1] in holder.required and holder.references.get(column[1]) == (
            source.table_name,
            place.column,
        )
