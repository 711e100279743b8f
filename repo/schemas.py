"""A schema as a database describes it, and how two of them differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True)
class ColumnSchema:
    """A column: its type as the engine writes it, its default, and its collation if it declares one.

    ``identity`` is ``always`` or ``by default``; ``generated`` is the expression that computes it.
    """

    name: str
    type: str
    nullable: bool
    default: str | None = None
    identity: str | None = None
    generated: str | None = None
    collation: str | None = None


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint: ``primary key``, ``unique``, ``foreign key``, ``check`` or ``exclusion``."""

    name: str
    kind: str
    definition: str


@dataclass(frozen=True, slots=True)
class Index:
    """An index that belongs to no constraint: its keys in order (``filing_date DESC``), its definition.

    ``valid`` is False for what a failed build left behind.
    """

    name: str
    columns: tuple[str, ...]
    definition: str
    included: tuple[str, ...] = ()
    unique: bool = False
    predicate: str | None = None
    method: str = "btree"
    valid: bool = True


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger."""

    name: str
    definition: str


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table with its parts, or a view (``definition`` is its query).

    ``options`` are STRICT, WITHOUT ROWID, UNLOGGED and the like. Columns are in order, the rest by name.
    """

    name: str
    kind: str
    options: tuple[str, ...] = ()
    columns: tuple[ColumnSchema, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    definition: str | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables and views of a database by name, without the record of migrations."""

    tables: tuple[TableSchema, ...]

    def table(self, name: str) -> TableSchema | None:
        """The table or view of a name."""
        return next((each for each in self.tables if each.name == name), None)

    def only(self, names: Iterable[str]) -> Schema:
        """The schema with only these tables."""
        kept = frozenset(names)
        return Schema(tuple(each for each in self.tables if each.name in kept))


@dataclass(frozen=True, slots=True)
class SchemaDifference:
    """One difference; as text, one line.

    ``kind`` is ``table``, ``column``, ``constraint``, ``index`` or ``trigger``, ``name`` the name of
    that part, ``what`` the property that differs. ``expected`` is None for an unexpected part, and
    ``found`` for a missing one.
    """

    table: str
    kind: str
    name: str
    what: str
    expected: str | None
    found: str | None

    def __str__(self) -> str:
        subject = f"{self.kind} {self.table}"
        if self.kind != "table":
            subject = f"table {self.table}: {self.kind} {self.name}"
        if self.found is None:
            return f"{subject} is missing; expected: {self.expected}"
        if self.expected is None:
            return f"{subject} is unexpected; found: {self.found}"
        return f"{subject}: {self.what} is {self.found}; expected: {self.expected}"


_PARTS: Final = {
    "columns": "column",
    "constraints": "constraint",
    "indexes": "index",
    "triggers": "trigger",
}

_Part = ColumnSchema | Constraint | Index | Trigger


def compare(expected: Schema, found: Schema) -> list[SchemaDifference]:
    """The differences, by table: what is missing, unexpected or different."""
    wanted = {each.name: each for each in expected.tables}
    there = {each.name: each for each in found.tables}
    differences: list[SchemaDifference] = []
    for name in sorted(wanted.keys() | there.keys()):
        one, other = wanted.get(name), there.get(name)
        if one is not None and other is not None:
            differences += _tables(one, other)
        else:
            shown = [None if each is None else _summary(each) for each in (one, other)]
            differences.append(SchemaDifference(name, "table", name, "definition", *shown))
    return differences


def _summary(table: TableSchema) -> str:
    return f"{table.kind} of {', '.join(each.name for each in table.columns)}"


def _tables(expected: TableSchema, found: TableSchema) -> Iterator[SchemaDifference]:
    name = expected.name
    for what in ("kind", "options", "definition"):
        one, other = getattr(expected, what), getattr(found, what)
        if one != other:
            yield SchemaDifference(name, "table", name, what, _text(one), _text(other))
    for part, noun in _PARTS.items():
        wanted = {_key(each): each for each in getattr(expected, part)}
        there = {_key(each): each for each in getattr(found, part)}
        for key in dict.fromkeys([*wanted, *there]):
            yield from _parts(name, noun, wanted.get(key), there.get(key))
    order = [[each.name for each in table.columns] for table in (expected, found)]
    if order[0] != order[1] and sorted(order[0]) == sorted(order[1]):
        one, other = map(", ".join, order)
        yield SchemaDifference(name, "table", name, "order of columns", one, other)


def _key(part: _Part) -> str:
    """What identifies a part: its name, or the definition of a constraint without one."""
    return part.name or getattr(part, "definition", "")


def _parts(
    table: str, kind: str, expected: _Part | None, found: _Part | None
) -> Iterator[SchemaDifference]:
    part = expected or found
    assert part is not None
    name = part.name or "without a name"
    if expected is None or found is None:
        shown = [None if each is None else _described(each) for each in (expected, found)]
        yield SchemaDifference(table, kind, name, "definition", *shown)
        return
    differing = [
        field.name
        for field in fields(expected)
        if getattr(expected, field.name) != getattr(found, field.name)
    ]
    if "definition" in differing:  # which includes everything but whether it is valid
        differing = [each for each in ("definition", "valid") if each in differing]
    for what in differing:
        one, other = (_text(getattr(each, what)) for each in (expected, found))
        yield SchemaDifference(table, kind, name, what, one, other)


def _described(part: _Part) -> str:
    if not isinstance(part, ColumnSchema):
        return part.definition
    words = [part.type]
    if part.collation is not None:
        words.append(f"COLLATE {part.collation}")
    if not part.nullable:
        words.append("NOT NULL")
    for title, value in (
        ("DEFAULT", part.default),
        ("identity", part.identity),
        ("generated as", part.generated),
    ):
        if value is not None:
            words.append(f"{title} {value}")
    return " ".join(words)


def _text(value: object) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple) else str(value)
