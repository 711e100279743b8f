"""Reads a folder's queries and holds each statement against every rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from repo.catalogue import load
from repo.queries import DIALECTS, Query, shipped
from repo.review import known, notation, numbers, order, shape
from repo.review.allowances import accepted, allowances_in
from repo.review.findings import Finding, Rule, name_of, reason_of
from repo.review.statements import Unreadable, read
from repo.review.tables import ParsedTable, migrated, tables_in

__all__ = ["REASONS", "findings_in", "findings_of", "tables_of"]

_RULES: Final[tuple[Rule, ...]] = (
    *shape.RULES,
    *known.RULES,
    *notation.RULES,
    *numbers.RULES,
    *order.RULES,
)
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
    every = [{each: catalogue.query(name, each) for each in DIALECTS} for name in catalogue.names()]
    asked = [variants for variants in every if whole or variants[DIALECTS[0]].file.is_relative_to(place)]
    found = findings_of(asked, tables_of(every, [shipped("schema")]))
    files = {query.file for variants in asked for query in variants.values()}
    allowances = [each for file in files for each in allowances_in(file)]
    told = accepted(found, allowances, lambda allowance: allowance.rule in REASONS)
    return sorted(each for each in told if not each.accepted)


def findings_of(
    queries: Iterable[Mapping[str, Query]], tables: Mapping[str, Mapping[str, ParsedTable]]
) -> set[Finding]:
    """What the rules find in queries, each given by dialect.

    :param tables: those that there are, by dialect and name.
    """
    return {
        finding
        for variants in queries
        for dialect, query in variants.items()
        for finding in _review(query, dialect, tables[dialect])
    }


def tables_of(
    queries: Sequence[Mapping[str, Query]], schemas: Iterable[Path]
) -> dict[str, dict[str, ParsedTable]]:
    """What the migrations of some folders create, and what queries do, by dialect and name."""
    found: dict[str, dict[str, ParsedTable]] = {dialect: {} for dialect in DIALECTS}
    places = list(schemas)
    for dialect, tables in found.items():
        files = [each for place in places for each in sorted((place / dialect).glob("*.sql"))]
        scripts = [
            each.read_text(encoding="utf-8", errors="replace")
            for each in files
            if ".undo." not in each.name
        ]
        tables.update(migrated(tuple(scripts), dialect))
        for variants in queries:
            if dialect in variants:
                tables.update(tables_in(variants[dialect].sql, dialect))
    return found


def _review(query: Query, dialect: str, tables: Mapping[str, ParsedTable]) -> Iterator[Finding]:
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
