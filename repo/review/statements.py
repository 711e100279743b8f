"""A query's SQL as a tree and as tokens, with the way back to lines of its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, TypeVar

import sqlglot
from sqlglot import Token, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from repo.queries import Query
from repo.review.kinds import Kinds
from repo.review.names import Names
from repo.review.nulls import Nulls
from repo.review.rows import Rows
from repo.review.tables import GRAMMARS, ParsedTable, definition

__all__ = ["Statement", "Unreadable", "read"]

_Node = TypeVar("_Node", bound=exp.Expr)

_UNREVIEWED: Final = frozenset(
    {
        "ANALYZE",
        "CHECKPOINT",
        "CLUSTER",
        "COPY",
        "DROP",
        "LISTEN",
        "LOCK",
        "NOTIFY",
        "PRAGMA",
        "REFRESH",
        "REINDEX",
        "RESET",
        "SET",
        "SHOW",
        "TRUNCATE",
        "VACUUM",
    }
)
"""Statements in which nothing is computed; sqlglot does not read all of them."""


class Unreadable(Exception):
    """SQL that a grammar refuses; the message says where and why."""


@dataclass(frozen=True)
class Statement:
    """One query as one dialect reads it.

    ``tree`` is None for one that computes nothing, like the definition of a table; ``floating`` holds
    the ids of the ORDER BY keys without NULLS FIRST or NULLS LAST.
    """

    query: Query
    dialect: str
    tree: exp.Expr | None
    tokens: list[Token]
    floating: frozenset[int]
    tables: Mapping[str, ParsedTable]

    @property
    def portable(self) -> bool:
        """Whether the same text runs on both engines."""
        return self.query.dialect is None

    @cached_property
    def names(self) -> Names:
        """Where its columns come from."""
        return Names(self.tables)

    @cached_property
    def kinds(self) -> Kinds:
        """What its expressions are."""
        return Kinds(self.names, self.dialect)

    @cached_property
    def nulls(self) -> Nulls:
        """Which of its expressions can be NULL."""
        return Nulls(self.names)

    @cached_property
    def rows(self) -> Rows:
        """Which of its rows can be told apart."""
        return Rows(self.names)

    @cached_property
    def selects(self) -> list[exp.Select]:
        """Every SELECT in it, the outermost first."""
        return self.all(exp.Select)

    def all(self, *kinds: type[_Node]) -> list[_Node]:
        """Every part of it that is of one of these kinds."""
        return [] if self.tree is None else list(self.tree.find_all(*kinds))

    def line(self, at: exp.Expr | Token | None) -> int:
        """The line of the file on which a part of the statement stands."""
        within: int = at.line if isinstance(at, Token) else _first_line(at)
        return self._lines[within - 1] if within else self.query.line

    @cached_property
    def _lines(self) -> list[int]:
        """The file's line of each line of the SQL, from which the loader took comments away."""
        in_file = self.query.file.read_text(encoding="utf-8").splitlines()
        number = self.query.line
        found = []
        for line in self.query.sql.splitlines():
            at = number
            while at < len(in_file) and in_file[at].strip() != line.strip():
                at += 1
            if at < len(in_file):
                number = at + 1
            found.append(number)
        return found


def _first_line(node: exp.Expr | None) -> int:
    """The first line of a part of a tree, or of the next greater part that has one; 0 where none has."""
    while node is not None:
        lines: list[int] = [each.meta["line"] for each in node.walk() if "line" in each.meta]
        if lines:
            return min(lines)
        node = node.parent
    return 0


def _grammar(dialect: str, nulls: str) -> Dialect:
    """A grammar that takes NULLs for small or for large where a statement does not say."""
    grammar = Dialect.get_or_raise(GRAMMARS[dialect])
    grammar.NULL_ORDERING = nulls
    return grammar


def read(query: Query, dialect: str, tables: Mapping[str, ParsedTable]) -> Statement:
    """Parse a query by one dialect's grammar.

    :raises Unreadable: when it is no SQL of that dialect, or not one statement.
    """
    return Statement(query, dialect, *_read(query.sql, dialect), tables)


@lru_cache(maxsize=512)
def _read(sql: str, dialect: str) -> tuple[exp.Expr | None, list[Token], frozenset[int]]:
    """A statement's tree, its tokens, and the ids of its ORDER BY keys that do not place NULLs."""
    try:
        tokens = sqlglot.tokenize(sql, dialect=GRAMMARS[dialect])
        defines = definition(sql, tokens) is not None
        if defines or (tokens and tokens[0].text.upper() in _UNREVIEWED):
            return None, tokens, frozenset()
        trees = [sqlglot.parse(sql, dialect=_grammar(dialect, f"nulls_are_{size}")) for size in _SIZES]
    except SqlglotError as error:
        raise Unreadable(_plain(error)) from error
    first, second = ([tree for tree in each if tree is not None] for each in trees)
    if len(first) != 1:
        raise Unreadable(f"{len(first)} statements where there must be one")
    if isinstance(first[0], exp.Command):
        raise Unreadable(f"{tokens[0].text} is not a statement that can be reviewed")
    # An ORDER BY key that the two grammars read differently does not say where its NULLs go.
    floating = frozenset(
        id(one)
        for one, other in zip(
            first[0].find_all(exp.Ordered), second[0].find_all(exp.Ordered), strict=True
        )
        if bool(one.args.get("nulls_first")) != bool(other.args.get("nulls_first"))
    )
    return first[0], tokens, floating


_SIZES: Final = ("small", "large")


def _plain(error: SqlglotError) -> str:
    """The message without the underlining for terminals."""
    details = getattr(error, "errors", None)
    if details:
        first = details[0]
        return f"{first['description']} (line {first['line']} of the statement)"
    return str(error).partition("\n")[0]
