"""A query's SQL as a tree and as tokens, with the way back to lines of its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType

from repo.queries import Query
from repo.review.kinds import Kinds
from repo.review.names import Names
from repo.review.tables import GRAMMARS, Table, definition

__all__ = ["Statement", "Unreadable", "read"]

_UNREVIEWED: Final = ("COPY",)
"""Statements that sqlglot does not read in full, and in which there is nothing to compute."""


class Unreadable(Exception):
    """SQL that a grammar refuses; the message says where and why."""


@dataclass(frozen=True)
class Statement:
    """One query as one dialect reads it.

    ``tree`` is None for a statement that has nothing to compute; ``floating`` holds the ids of the
    ORDER BY keys without NULLS FIRST or NULLS LAST.
    """

    query: Query
    dialect: str
    tree: exp.Expr | None
    tokens: list[Token]
    tables: Mapping[str, Table]
    floating: frozenset[int] = field(default=frozenset())

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
    def selects(self) -> list[exp.Select]:
        """Every SELECT in it, the outermost first."""
        return [] if self.tree is None else list(self.tree.find_all(exp.Select))

    def line(self, at: exp.Expr | Token | None) -> int:
        """The line of the file on which a part of the statement stands."""
        within = at.line if isinstance(at, Token) else _first_line(at)
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
    """The first line that a part of a tree has, 0 where none is known."""
    if node is None:
        return 0
    lines = [each.meta["line"] for each in node.walk() if "line" in each.meta]
    return min(lines, default=0)


def _grammar(dialect: str, nulls: str) -> Dialect:
    """A grammar that takes NULLs for small or for large where a statement does not say."""
    grammar = Dialect.get_or_raise(GRAMMARS[dialect])
    grammar.NULL_ORDERING = nulls
    return grammar


def read(query: Query, dialect: str, tables: Mapping[str, Table]) -> Statement:
    """Parse a query by one dialect's grammar.

    :raises Unreadable: when it is no SQL of that dialect, or not one statement.
    """
    try:
        tokens = sqlglot.tokenize(query.sql, dialect=GRAMMARS[dialect])
        if tokens and tokens[0].text.upper() in _UNREVIEWED:
            return Statement(query, dialect, None, tokens, tables)
        text = definition(query.sql, tokens) or query.sql
        trees = [sqlglot.parse(text, dialect=_grammar(dialect, f"nulls_are_{size}")) for size in _SIZES]
    except SqlglotError as error:
        raise Unreadable(_plain(error)) from error
    first, second = ([tree for tree in each if tree is not None] for each in trees)
    if len(first) != 1:
        raise Unreadable(f"{len(first)} statements where there must be one")
    if isinstance(first[0], exp.Command) and tokens[0].token_type is not TokenType.CREATE:
        raise Unreadable(f"{tokens[0].text} is not a statement that can be reviewed")
    # An ORDER BY key that the two grammars read differently does not say where its NULLs go.
    floating = frozenset(
        id(one)
        for one, other in zip(
            first[0].find_all(exp.Ordered), second[0].find_all(exp.Ordered), strict=True
        )
        if bool(one.args.get("nulls_first")) != bool(other.args.get("nulls_first"))
    )
    return Statement(query, dialect, first[0], tokens, tables, floating)


_SIZES: Final = ("small", "large")


def _plain(error: SqlglotError) -> str:
    """The message without the underlining for terminals."""
    details = getattr(error, "errors", None)
    if details:
        first = details[0]
        return f"{first['description']} (line {first['line']} of the statement)"
    return str(error).partition("\n")[0]
