"""Rules about names: tables and columns that are not there, found without a database."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Final

from sqlglot import exp

from repo.review.findings import Mark, Rule
from repo.review.names import FromItem, output_names
from repo.review.statements import Statement

__all__ = ["RULES"]

_ALIKE: Final = 0.8
_HIDDEN: Final = frozenset(
    {"rowid", "oid", "_rowid_", "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "ordinality"}
)
"""Columns that tables of one engine or the other have without saying so."""


def unknown_table(statement: Statement) -> Iterator[Mark]:
    """A table that is not there, and is spelled nearly as one that is, is a slip of the pen."""
    for table in statement.all(exp.Table):
        name = table.name.lower()
        if not isinstance(table.this, exp.Identifier) or table.db or name in statement.tables:
            continue
        scope = statement.names.scope(table)
        sources = {} if scope is None else statement.names.sources(scope)
        source = sources.get(table.alias_or_name.lower())
        near = _nearest(name, statement.tables)
        if near and (source is None or source.query is None):
            yield Mark(table, f"there is no table {name}; there is {near}")


def unknown_column(statement: Statement) -> Iterator[Mark]:
    """A column that its table does not have fails on one engine when it is run, and on the other too."""
    for column in statement.all(exp.Column):
        name = column.name.lower()
        sources, results = _in_reach(column, statement)
        if isinstance(column.this, exp.Star) or name in _HIDDEN or not sources:
            continue
        if any(source.has("*") for source in sources.values()):
            continue  # a star, or a result without a name: nothing is known of it
        if column.table:
            source = sources.get(column.table.lower())
            if source is not None and source.has(name) is False:
                yield Mark(column, f"{_shown(source)} has no column {name}{_advice(name, [source])}")
            elif source is None and not column.args.get("db"):
                yield Mark(column, f"{column.table} is no table of this statement{_instead(sources)}")
        elif name not in {*sources, *results} and not _may_have(name, sources):
            yield Mark(column, f"there is no column {name}{_advice(name, sources.values())}")


def _in_reach(column: exp.Column, statement: Statement) -> tuple[dict[str, FromItem], set[str]]:
    """The sources that a column may be of, and the names of results around it."""
    sources: dict[str, FromItem] = {}
    results: set[str] = set()
    scope = statement.names.scope(column)
    while scope is not None:
        sources = {**statement.names.sources(scope), **sources}
        if isinstance(scope, exp.Query):
            results |= set(output_names(scope))
        scope = statement.names.scope(scope)
    return sources, results


def _may_have(name: str, sources: dict[str, FromItem]) -> bool:
    return any(source.has(name) is not False for source in sources.values())


def record_columns(statement: Statement) -> Iterator[Mark]:
    """Rows are held to their record when they are read, and fail there where the columns differ."""
    query, tree = statement.query, statement.tree
    if query.record is None or not isinstance(tree, exp.Query) or tree.is_star or query.operator == "$":
        return
    found, wanted = output_names(tree), [column.name for column in query.columns]
    if found != wanted and "*" not in found and "" not in found:
        yield Mark(
            None, f"the columns are {', '.join(found)}; {query.record.__name__} has {', '.join(wanted)}"
        )


def _shown(source: FromItem) -> str:
    return source.table_name or source.name


def _nearest(name: str, there: Collection[str]) -> str:
    return next(iter(get_close_matches(name, there, n=1, cutoff=_ALIKE)), "")


def _advice(name: str, sources: Collection[FromItem]) -> str:
    there = [
        column
        for source in sources
        for column in (
            source.table.columns if source.table else source.columns or _results(source.query)
        )
    ]
    near = _nearest(name, there)
    return f"; there is {near}" if near else f"; there are {', '.join(dict.fromkeys(there))}"


def _results(query: exp.Expr | None) -> list[str]:
    return [] if query is None else output_names(query)


def _instead(sources: Collection[str]) -> str:
    return f"; there are {', '.join(sources)}" if sources else ""


RULES: Final[tuple[Rule, ...]] = (unknown_table, unknown_column, record_columns)
