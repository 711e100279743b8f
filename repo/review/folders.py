"""Reads a folder's queries and holds each statement against every rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from repo.queries import DIALECTS, Query, load, shipped
from repo.review import notation, numbers, order, shape
from repo.review.findings import Finding, Rule, name_of, reason_of
from repo.review.statements import Unreadable, read
from repo.review.tables import Table, tables_in

__all__ = ["REASONS", "findings_in"]

_RULES: Final[tuple[Rule, ...]] = (*shape.RULES, *notation.RULES, *numbers.RULES, *order.RULES)
_GRAMMAR: Final = "grammar"

REASONS: Final[Mapping[str, str]] = {
    _GRAMMAR: "A portable statement is one that both engines can read, a variant one that its own can.",
    **{name_of(rule): reason_of(rule) for rule in _RULES},
}
"""The rules by name, each with its reason."""


def findings_in(folder: Path | str | None) -> list[Finding]:
    """See :func:`repo.review.check`."""
    own = shipped("queries")
    place = own if folder is None else Path(folder)
    whole = place.resolve() == own.resolve()
    catalogue = load() if whole else load([place])
    found: set[Finding] = set()
    for dialect in DIALECTS:
        queries = [catalogue.query(name, dialect) for name in catalogue.names()]
        tables = _tables(queries, dialect)
        for query in queries:
            if whole or query.file.is_relative_to(place):
                found.update(_review(query, dialect, tables))
    return sorted(found)


def _tables(queries: list[Query], dialect: str) -> Mapping[str, Table]:
    """What the schema creates, and what the queries do."""
    scripts = [
        path.read_text(encoding="utf-8")
        for path in sorted((shipped("schema") / dialect).glob("*.sql"))
        if not path.name.endswith(".undo.sql")
    ]
    found: dict[str, Table] = {}
    for script in [*scripts, *(query.sql for query in queries)]:
        found.update(tables_in(script, dialect))
    return found


def _review(query: Query, dialect: str, tables: Mapping[str, Table]) -> Iterator[Finding]:
    try:
        statement = read(query, dialect, tables)
    except Unreadable as error:
        message = f"not {dialect} SQL: {error}"
        yield Finding(query.file, query.line, query.full_name, _GRAMMAR, message)
        return
    for rule in _RULES:
        for mark in rule(statement):
            line = statement.line(mark.at)
            yield Finding(query.file, line, query.full_name, name_of(rule), mark.message)
