"""The schema of a SQLite database, and a scratch database to build the expected one in."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

from repo.binding import BoundQueries
from repo.schemas import ColumnSchema, Constraint, Index, Schema, TableSchema, Trigger

_TOKEN: Final = re.compile(
    r"\s+|--[^\n]*|/\*.*?(?:\*/|\Z)"
    r"|(?P<literal>[xX]?'(?:[^']|'')*')"
    r'|(?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])'
    r"|(?P<word>\w+(?:\.\d\w*)?)"
    r"|(?P<sign>\|\||<=|>=|<>|!=|==|<<|>>|->>|->|.)",
    re.DOTALL,
)
_PLAIN: Final = re.compile(r"[A-Za-z_]\w*")
_KEYWORDS: Final = frozenset(
    """
    action after always and as asc autoincrement before begin between by cascade case cast check collate
    conflict constraint create default deferrable deferred delete desc do each else end escape exists for
    foreign from generated glob if immediate in index initially insert instead into is key like no not
    null of on or primary references restrict row select set stored strict table temp temporary then
    trigger unique update using values view virtual when where without
    """.split()  # noqa: SIM905  # words are easier to read than quotes and commas
)
_TABLE_CONSTRAINTS: Final = ("CONSTRAINT", "CHECK", "PRIMARY", "UNIQUE", "FOREIGN")
_KINDS: Final = {
    "PRIMARY": "primary key",
    "UNIQUE": "unique",
    "FOREIGN": "foreign key",
    "REFERENCES": "foreign key",
    "CHECK": "check",
}
_COLUMN_CLAUSES: Final = (*_KINDS, "CONSTRAINT", "NOT", "NULL", "DEFAULT", "COLLATE", "GENERATED", "AS")
_NO_BLANK_BEFORE: Final = frozenset({",", ")", ".", ";"})
_NO_BLANK_AFTER: Final = frozenset({"(", "."})


class SQLiteIntrospection:
    """See :class:`repo.engine.introspection.Introspection`."""

    def describe(self, connection: sqlite3.Connection, queries: BoundQueries) -> Schema:
        columns: dict[str, list[Any]] = {}
        for row in queries["introspection.table_columns"](connection, {}):
            columns.setdefault(row.relation, []).append(row)
        relations = queries["introspection.definitions"](connection, {})
        indexes: dict[str, list[Index]] = {}
        triggers: dict[str, list[Trigger]] = {}
        for each in relations:
            tokens = _tokens(each.definition)
            if each.kind == "index":
                indexes.setdefault(each.relation, []).append(_index(each.name, tokens))
            elif each.kind == "trigger":
                triggers.setdefault(each.relation, []).append(Trigger(each.name, _text(tokens)))
        return Schema(
            tuple(
                _table(
                    each,
                    columns.get(each.name, []),
                    tuple(indexes.get(each.name, ())),
                    tuple(triggers.get(each.name, ())),
                )
                for each in relations
                if each.kind in ("table", "view")
            )
        )

    @contextmanager
    def scratch(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            yield connection


def _tokens(sql: str) -> list[str]:
    """The words and signs of a definition: keywords in capitals, names in lower case and unquoted."""
    found = []
    for each in _TOKEN.finditer(sql):
        text = each.group()
        if each["quoted"] is not None:
            name = text[1:-1]
            found.append(name.lower() if _PLAIN.fullmatch(name) else text)
        elif each["word"] is not None:
            found.append(text.upper() if text.lower() in _KEYWORDS else text.lower())
        elif each["literal"] is not None or each["sign"] is not None:
            found.append(text)
    return found


def _text(tokens: list[str]) -> str:
    """Words and signs as one text, the same for the same definition."""
    parts: list[str] = []
    for index, word in enumerate(tokens):
        before = tokens[index - 1] if index else "("
        called = before == "CAST" or (_PLAIN.fullmatch(before) and not before.isupper())
        joined = word in _NO_BLANK_BEFORE or before in _NO_BLANK_AFTER or (word == "(" and called)
        parts += [word] if joined or not index else [" ", word]
    return "".join(parts)


def _inside(tokens: list[str]) -> tuple[int, int]:
    """The indexes after the first parenthesis, and of the one that closes it."""
    opening = tokens.index("(")
    depth = 0
    for index in range(opening, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[index], 0)
        if depth == 0:
            return opening + 1, index
    return opening + 1, len(tokens)


def _items(tokens: list[str]) -> list[list[str]]:
    """The parts between commas that are in no parentheses."""
    items: list[list[str]] = [[]]
    depth = 0
    for word in tokens:
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word == "," and depth == 0:
            items.append([])
        else:
            items[-1].append(word)
    return items


def _index(name: str, tokens: list[str]) -> Index:
    start, end = _inside(tokens)
    rest = tokens[end + 1 :]
    return Index(
        name,
        tuple(_text(item) for item in _items(tokens[start:end])),
        _text([each for each in tokens if each not in ("IF", "EXISTS")]),
        unique="UNIQUE" in tokens[:3],
        predicate=_text(rest[1:]) if rest[:1] == ["WHERE"] else None,
    )


def _table(
    relation: Any, rows: list[Any], indexes: tuple[Index, ...], triggers: tuple[Trigger, ...]
) -> TableSchema:
    tokens = _tokens(relation.definition)
    if relation.kind == "view":
        columns = tuple(ColumnSchema(row.name, row.type, nullable=True) for row in rows)
        query = _text(tokens[tokens.index("AS") + 1 :])
        return TableSchema(relation.name, "view", (), columns, (), (), triggers, query)
    if "VIRTUAL" in tokens[:2]:
        columns = tuple(ColumnSchema(row.name, row.type, nullable=True) for row in rows)
        return TableSchema(relation.name, "virtual table", (), columns, definition=_text(tokens))
    start, end = _inside(tokens)
    items = _items(tokens[start:end])
    constraints: list[Constraint] = []
    clauses: dict[str, list[str]] = {}
    for item in items:
        if item[0] in _TABLE_CONSTRAINTS:
            constraints += _constraints(item, None)
        else:
            clauses[item[0]] = item
            constraints += _constraints(item[1:], item[0])
    columns = tuple(_column(row, clauses.get(row.name.lower(), [])) for row in rows)
    return TableSchema(
        relation.name,
        "table",
        () if relation.options is None else tuple(relation.options.split(", ")),
        columns,
        tuple(sorted(constraints, key=lambda each: (each.name, each.definition))),
        indexes,
        triggers,
    )


def _clauses(tokens: list[str]) -> Iterator[list[str]]:
    """The clauses of a column or a constraint, each from the keyword that begins it."""
    depth = 0
    clause: list[str] = []
    for token in tokens:
        joined = clause[-1:] == ["NOT"] or clause[-1:] in (["SET"], ["GENERATED"], ["ALWAYS"])
        if depth == 0 and token in _COLUMN_CLAUSES and not joined and clause[:1] != ["FOREIGN"]:
            if clause:
                yield clause
            clause = []
        depth += {"(": 1, ")": -1}.get(token, 0)
        clause.append(token)
    if clause:
        yield clause


def _constraints(tokens: list[str], column: str | None) -> Iterator[Constraint]:
    name = ""
    for clause in _clauses(tokens):
        if clause[0] == "CONSTRAINT":
            name = clause[1]
        elif clause[0] in _KINDS:
            # A constraint of a column means the same as one of the table that names the column.
            if column is not None and clause[0] in ("PRIMARY", "UNIQUE"):
                width = 2 if clause[0] == "PRIMARY" else 1
                clause = [*clause[:width], "(", column, ")", *clause[width:]]
            elif column is not None and clause[0] == "REFERENCES":
                clause = ["FOREIGN", "KEY", "(", column, ")", *clause]
            yield Constraint(name, _KINDS[clause[0]], _text(clause))
            name = ""
        else:
            name = ""


def _column(row: Any, tokens: list[str]) -> ColumnSchema:
    collation = generated = None
    for clause in _clauses(tokens[1:]):
        if clause[0] == "COLLATE":
            collation = clause[1]
        elif clause[0] in ("GENERATED", "AS"):
            generated = _text(clause[clause.index("AS") + 1 :])
    default = None if row.filling is None else _text(_tokens(row.filling))
    return ColumnSchema(
        row.name, row.type, bool(row.nullable), default, generated=generated, collation=collation
    )
