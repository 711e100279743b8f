"""The tables that SQL can refer to, as their CREATE TABLE statements say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import SqlglotError

__all__ = ["GRAMMARS", "UNKNOWN", "Table", "definition", "kind_of_type", "tables_in"]

GRAMMARS: Final = {"sqlite": "sqlite", "postgresql": "postgres"}
"""What sqlglot calls the dialects."""

UNKNOWN: Final = "unknown"

_POSTGRESQL: Final = {
    "INT": "integer",
    "BIGINT": "integer",
    "SMALLINT": "integer",
    "DOUBLE": "float",
    "FLOAT": "float",
    "TEXT": "text",
    "VARCHAR": "text",
    "CHAR": "text",
    "DATE": "date",
    "TIMESTAMPTZ": "timestamp",
    "BOOLEAN": "boolean",
    "DECIMAL": "numeric",
}
_KINDS: Final = {
    "postgresql": _POSTGRESQL,
    # Dates and time stamps are numbers there, and NUMERIC may be of either kind.
    "sqlite": {**_POSTGRESQL, "DATE": "integer", "TIMESTAMPTZ": "integer", "DECIMAL": UNKNOWN},
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table's columns with their kinds, those that are NOT NULL, and its keys.

    ``keys`` are sets of columns of which no two rows have the same; ``references`` are the foreign
    keys of one column, with the table and the column that each refers to.
    """

    columns: Mapping[str, str]
    required: frozenset[str]
    keys: tuple[frozenset[str], ...]
    references: Mapping[str, tuple[str, str]]


def kind_of_type(data_type: exp.Expr | None, dialect: str) -> str:
    """What a type holds: one of the kinds above, or ``unknown``."""
    if not isinstance(data_type, exp.DataType):
        return UNKNOWN
    return _KINDS[dialect].get(data_type.this.name, UNKNOWN)


def definition(sql: str, tokens: list[Token]) -> str | None:
    """A CREATE TABLE up to its last column or constraint; None for anything else.

    What follows the closing parenthesis (STRICT, WITHOUT ROWID, ON COMMIT DROP) is not a column's
    business, and sqlglot does not read all of it.
    """
    if not tokens or tokens[0].token_type is not TokenType.CREATE:
        return None
    words = [token.token_type for token in tokens]
    if TokenType.TABLE not in words[:4]:
        return None
    depth = 0
    for token in tokens:
        if token.token_type is TokenType.ALIAS and depth == 0:
            return None  # CREATE TABLE ... AS SELECT
        if token.token_type is TokenType.L_PAREN:
            depth += 1
        if token.token_type is TokenType.R_PAREN:
            depth -= 1
            if depth == 0:
                return sql[: token.end + 1]
    return None


def _statements(script: str, grammar: str) -> Iterator[str]:
    """The statements of a script, one by one."""
    start = 0
    for token in sqlglot.tokenize(script, dialect=grammar):
        if token.token_type is TokenType.SEMICOLON:
            yield script[start : token.start]
            start = token.end + 1
    yield script[start:]


def tables_in(script: str, dialect: str) -> dict[str, Table]:
    """The tables that a script creates, by lower-case name; those that cannot be read are left out."""
    grammar = GRAMMARS[dialect]
    found: dict[str, Table] = {}
    if "create" not in script.lower():
        return found
    with suppress(SqlglotError):
        for statement in _statements(script, grammar):
            text = definition(statement, sqlglot.tokenize(statement, dialect=grammar))
            if text is not None:
                schema = sqlglot.parse_one(text, dialect=grammar).this
                if isinstance(schema, exp.Schema):
                    found[schema.this.name.lower()] = _table(schema, dialect)
    return found


def _table(schema: exp.Schema, dialect: str) -> Table:
    columns: dict[str, str] = {}
    required: set[str] = set()
    keys: list[frozenset[str]] = []
    references: dict[str, tuple[str, str]] = {}
    for column in schema.find_all(exp.ColumnDef):
        name = column.name.lower()
        columns[name] = kind_of_type(column.args.get("kind"), dialect)
        constraints = [each.args["kind"] for each in column.find_all(exp.ColumnConstraint)]
        kinds = [each for each in constraints if not each.args.get("allow_null")]
        for kind in kinds:
            if isinstance(kind, exp.NotNullColumnConstraint | exp.PrimaryKeyColumnConstraint):
                required.add(name)
            if isinstance(kind, exp.PrimaryKeyColumnConstraint | exp.UniqueColumnConstraint):
                keys.append(frozenset([name]))
            if isinstance(kind, exp.Reference):
                references.update(_reference([name], kind))
    for key in schema.find_all(exp.PrimaryKey):
        required.update(_names(key))
        keys.append(frozenset(_names(key)))
    uniques = [each.this for each in schema.find_all(exp.UniqueColumnConstraint)]
    keys.extend(frozenset(_names(each)) for each in uniques if isinstance(each, exp.Schema))
    for foreign in schema.find_all(exp.ForeignKey):
        references.update(_reference(_names(foreign), foreign.args.get("reference")))
    # NULL is never equal to NULL, so a key that may hold one does not tell rows apart.
    telling = tuple(key for key in keys if key <= required)
    return Table(columns, frozenset(required), telling, references)


def _names(node: exp.Expr) -> list[str]:
    return [each.name.lower() for each in node.expressions]


def _reference(columns: list[str], reference: exp.Expr | None) -> dict[str, tuple[str, str]]:
    """A foreign key of one column; those of several are left out."""
    if reference is None or not isinstance(reference.this, exp.Schema) or len(columns) != 1:
        return {}
    target = reference.this
    return {columns[0]: (target.this.name.lower(), _names(target)[0])}
