"""The tables that SQL can refer to, as their CREATE TABLE statements say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import SqlglotError

__all__ = ["GRAMMARS", "UNKNOWN", "ParsedTable", "definition", "kind_of_type", "migrated", "tables_in"]

GRAMMARS: Final = {"sqlite": "sqlite", "postgresql": "postgres"}
"""What sqlglot calls the dialects."""

UNKNOWN: Final = "unknown"

_RENAMED: Final = re.compile(r"\bRENAME\s+(?!TO\b|COLUMN\b|CONSTRAINT\b)", re.IGNORECASE)
_CREATES: Final = re.compile(r"\bcreate\b", re.IGNORECASE)

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
class ParsedTable:
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


def tables_in(script: str, dialect: str) -> dict[str, ParsedTable]:
    """The tables that a script creates, by lower-case name; those that cannot be read are left out."""
    found: dict[str, ParsedTable] = {}
    if _CREATES.search(script):
        with suppress(SqlglotError):
            for statement in _statements(script, GRAMMARS[dialect]):
                _create(found, statement, dialect)
    return found


@lru_cache(maxsize=64)
def migrated(scripts: Sequence[str], dialect: str) -> Mapping[str, ParsedTable]:
    """The tables that migrations leave, by lower-case name; what cannot be read changes nothing."""
    tables: dict[str, ParsedTable] = {}
    for script in scripts:
        with suppress(SqlglotError):
            _migrate(tables, script, dialect)
    return tables


def _migrate(tables: dict[str, ParsedTable], script: str, dialect: str) -> None:
    grammar = GRAMMARS[dialect]
    for statement in _statements(script, grammar):
        with suppress(SqlglotError):
            words = [token.token_type for token in sqlglot.tokenize(statement, dialect=grammar)[:2]]
            if words[:1] == [TokenType.CREATE]:
                _create(tables, statement, dialect)
            elif words == [TokenType.DROP, TokenType.TABLE]:
                for table in sqlglot.parse_one(statement, dialect=grammar).find_all(exp.Table):
                    tables.pop(table.name.lower(), None)
            elif words == [TokenType.ALTER, TokenType.TABLE]:
                text = _RENAMED.sub("RENAME COLUMN ", statement)  # sqlglot knows it with COLUMN only
                _alter(tables, sqlglot.parse_one(text, dialect=grammar), dialect)


def _create(tables: dict[str, ParsedTable], statement: str, dialect: str) -> None:
    grammar = GRAMMARS[dialect]
    tokens = sqlglot.tokenize(statement, dialect=grammar)
    text = definition(statement, tokens)
    if text is not None:
        schema = sqlglot.parse_one(text, dialect=grammar).this
        if isinstance(schema, exp.Schema):
            tables[schema.this.name.lower()] = _table(schema, dialect)
    elif tokens and tokens[0].token_type is TokenType.CREATE:
        made = sqlglot.parse_one(statement, dialect=grammar)
        if isinstance(made, exp.Create) and isinstance(made.expression, exp.Query):
            named = [each.name for each in made.this.expressions] or made.expression.named_selects
            table = made.this.this if isinstance(made.this, exp.Schema) else made.this
            columns = dict.fromkeys(map(str.lower, named), UNKNOWN)
            tables[table.name.lower()] = ParsedTable(columns, frozenset(), (), {})


def _alter(tables: dict[str, ParsedTable], statement: exp.Expr, dialect: str) -> None:
    if not isinstance(statement, exp.Alter) or statement.this.name.lower() not in tables:
        return  # one that sqlglot does not know; it changes no column
    name = statement.this.name.lower()
    for action in statement.args.get("actions") or ():
        table = tables[name]
        columns = dict(table.columns)
        if isinstance(action, exp.ColumnDef):
            added = _table(exp.Schema(expressions=[action.copy()]), dialect)
            tables[name] = replace(
                table, columns={**columns, **added.columns}, required=table.required | added.required
            )
        elif isinstance(action, exp.AlterColumn):
            column = action.this.name.lower()
            if column in columns and (kind := action.args.get("dtype")):
                tables[name] = replace(table, columns={**columns, column: kind_of_type(kind, dialect)})
        elif isinstance(action, exp.RenameColumn):
            tables[name] = _renamed(table, action.this.name.lower(), action.args["to"].name.lower())
        elif isinstance(action, exp.AlterRename):
            tables[action.this.name.lower()] = tables.pop(name)
            return
        elif isinstance(action, exp.Drop) and action.args.get("kind") == "COLUMN":
            gone = {column.name.lower() for column in action.find_all(exp.Column)}
            kept = {column: kind for column, kind in columns.items() if column not in gone}
            tables[name] = replace(table, columns=kept)


def _renamed(table: ParsedTable, old: str, new: str) -> ParsedTable:
    def name(column: str) -> str:
        return new if column == old else column

    return ParsedTable(
        {name(column): kind for column, kind in table.columns.items()},
        frozenset(map(name, table.required)),
        tuple(frozenset(map(name, key)) for key in table.keys),
        {name(column): target for column, target in table.references.items()},
    )


def _table(schema: exp.Schema, dialect: str) -> ParsedTable:
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
    return ParsedTable(columns, frozenset(required), telling, references)


def _names(node: exp.Expr) -> list[str]:
    return [each.name.lower() for each in node.expressions]


def _reference(columns: list[str], reference: exp.Expr | None) -> dict[str, tuple[str, str]]:
    """A foreign key of one column; those of several are left out."""
    if reference is None or not isinstance(reference.this, exp.Schema) or len(columns) != 1:
        return {}
    target = reference.this
    return {columns[0]: (target.this.name.lower(), _names(target)[0])}
