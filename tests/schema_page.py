"""``schema/README.md``: the tables as both engines describe them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import repo
from repo import introspection
from repo.catalogue import load
from repo.schemas import Constraint, Schema, TableSchema
from repo.tables import TABLES
from tests import servers

__all__ = ["PAGE", "page"]

SCHEMA: Final = Path(__file__).parent.parent / "schema"
PAGE: Final = SCHEMA / "README.md"
_REFERS: Final = re.compile(r"FOREIGN KEY \((?P<column>\w+)\) REFERENCES (?P<table>\w+)")
_COLUMNS: Final = re.compile(r"\((?P<columns>[^)]*)\)")
_OTHERWISE: Final = {
    "market_data_date": "market.on_day, of fewer bars that came in day by day (`tests/bench/README.md`)"
}
"""What the indexes are for that no query names."""

_ORDER: Final = ("primary key", "unique", "foreign key", "check")

_HEAD: Final = """\
# The schema

Made from databases of both engines, migrated by the files in this folder: `nox -s pages`. Why a table is
built as it is stands in its file. An index serves the queries whose comments name it, and whose plans
use it at a million bars, which may be fewer than its file says. On PostgreSQL `smdi maintain` adds an
index over the bars of the last 90 days to half a million bars and more:
`repo/backends/postgresql/recent.py`.
"""


def page(sqlite: Schema, postgresql: Schema) -> str:
    """The page, of a migrated database on each engine."""
    parts = [_HEAD, "```mermaid\nerDiagram", *_diagram(postgresql), "```\n"]
    for table in TABLES.values():
        one, other = sqlite.table(table.name), postgresql.table(table.name)
        assert one is not None
        assert other is not None
        about = cleandoc(table.record.__doc__ or "").partition("\n\n")[0].replace("``", "`")
        options = f" On SQLite: {', '.join(one.options)}." if one.options else ""
        parts += [f"## {table.name}\n", f"{about}{options}\n", *_columns(one, other), ""]
        parts += [*_constraints(one, other), ""]
        parts += _indexes(one, other)
    return "\n".join(parts).rstrip("\n") + "\n"


def _diagram(schema: Schema) -> Iterator[str]:
    for table in _in_order(schema):
        keys: dict[str, list[str]] = {}
        for constraint in table.constraints:
            mark = {"primary key": "PK", "unique": "UK", "foreign key": "FK"}.get(constraint.kind)
            for name in _columns_of(constraint) if mark else ():
                keys.setdefault(name, []).append(str(mark))
        yield f"    {table.name} {{"
        for column in table.columns:
            marks = f" {', '.join(keys[column.name])}" if column.name in keys else ""
            kind = column.type.replace(" ", "_")
            yield f"        {kind} {column.name}{marks}"
        yield "    }"
    for table in _in_order(schema):
        for constraint in table.constraints:
            if found := _REFERS.search(constraint.definition):
                yield f"    {found['table']} ||--o{{ {table.name} : {found['column']}"


def _in_order(schema: Schema) -> Iterator[TableSchema]:
    for each in TABLES.values():
        found = schema.table(each.name)
        if found is not None:
            yield found


def _columns_of(constraint: Constraint) -> list[str]:
    found = _COLUMNS.search(constraint.definition)
    return [] if found is None else [name.strip(' "') for name in found["columns"].split(",")]


def _columns(sqlite: TableSchema, postgresql: TableSchema) -> Iterator[str]:
    yield "| column | SQLite | PostgreSQL | NULL | default on SQLite | on PostgreSQL |"
    yield "|---|---|---|---|---|---|"
    for one, other in zip(sqlite.columns, postgresql.columns, strict=True):
        assert (one.name, one.nullable) == (other.name, other.nullable)
        collation = f" COLLATE {other.collation}" if other.collation else ""
        kind = f"`{one.type}` | `{other.type}{collation}`"
        identity = f"identity, {other.identity}" if other.identity else _code(other.default)
        key = "the next" if other.identity else _code(one.default)
        yield f"| {one.name} | {kind} | {'yes' if one.nullable else ''} | {key} | {identity} |"


def _code(text: str | None) -> str:
    return "" if text is None else f"`{text}`"


def _constraints(sqlite: TableSchema, postgresql: TableSchema) -> Iterator[str]:
    yield "| constraint | definition |"
    yield "|---|---|"
    written = {each.name: each.definition for each in sqlite.constraints}
    assert written.keys() == {each.name for each in postgresql.constraints}
    for each in sorted(postgresql.constraints, key=lambda each: (_ORDER.index(each.kind), each.name)):
        # A check in the words of its author, which SQLite keeps; a key with what PostgreSQL includes.
        definition = written[each.name] if each.kind == "check" else each.definition
        yield f"| {each.name} | `{definition}` |"


def _served(index: str, engine: str) -> str:
    """The queries whose comments name an index; ``tests/test_plans.py`` holds their plans to them."""
    catalogue = load()
    queries = [catalogue.query(name, engine) for name in catalogue.names(dialect=engine)]
    found = [each.full_name for each in queries if index in each.comment.rpartition("Index:")[2]]
    return ", ".join(found) or _OTHERWISE[index]


def _indexes(sqlite: TableSchema, postgresql: TableSchema) -> Iterable[str]:
    found = [
        (engine, index)
        for engine, table in (("sqlite", sqlite), ("postgresql", postgresql))
        for index in table.indexes
    ]
    if not found:
        return
    yield "| index | on | definition | serves |"
    yield "|---|---|---|---|"
    for engine, index in sorted(found, key=lambda each: (each[1].name, each[0])):
        title = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[engine]
        serves = _served(index.name, engine)
        yield f"| {index.name} | {title} | `{' '.join(index.definition.split())}` | {serves} |"
    yield ""


def main() -> None:
    """Write the page."""
    with servers.running() as server, TemporaryDirectory() as folder:
        schemas = []
        for url in (f"sqlite:///{folder}/page.db", server.url_of(server.create(), min_size="1")):
            with repo.connect(url) as db:
                db.migrate()
                schemas.append(introspection.describe(db))
    PAGE.write_text(page(*schemas), encoding="utf-8")


if __name__ == "__main__":
    main()
