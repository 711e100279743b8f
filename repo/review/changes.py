"""What became of each named query between two revisions, with a diff to read."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Final

import sqlglot
from sqlglot import Token, TokenType
from sqlglot.errors import SqlglotError

from repo.queries import DIALECTS, Query
from repo.review.tables import GRAMMARS

__all__ = ["BOTH", "Change", "Kind", "Variants", "block", "changes", "extent", "words"]

Variants = Mapping[str, Query]
"""A named query by dialect; the same text for each where it is portable."""

BOTH: Final = "both engines"

_ALIKE: Final = 0.8
"""How much of their words two statements share of which one is the other under a new name."""
_AS_WRITTEN: Final = (TokenType.VAR, TokenType.IDENTIFIER, TokenType.STRING)


class Kind(StrEnum):
    """What became of a query."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    CHANGED = "changed"
    FORMATTING = "formatting only"
    COMMENT = "comment only"
    MOVED = "moved only"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Change:
    """One query before and after; either side is empty where it is not there.

    ``diffs`` are of its text with comments, by dialect, or one for both engines where it is portable.
    """

    kind: Kind
    before: Variants
    after: Variants
    diffs: Mapping[str, str]

    @property
    def name(self) -> str:
        """What it is called now, or was."""
        return next(iter((self.after or self.before).values())).full_name

    @property
    def old_name(self) -> str:
        """What it was called, or is."""
        return next(iter((self.before or self.after).values())).full_name

    @property
    def means_the_same(self) -> bool:
        """Whether an engine reads the same."""
        return self.kind in (Kind.FORMATTING, Kind.COMMENT, Kind.MOVED, Kind.UNCHANGED)


def _change(kind: Kind, before: Variants, after: Variants) -> Change:
    """A change with its diffs, for which the files are read while they are there."""
    portable = all(_portable(side) for side in (before, after) if side)
    found = {
        BOTH if portable else dialect: _diff(before.get(dialect), after.get(dialect))
        for dialect in (DIALECTS[:1] if portable else DIALECTS)
    }
    return Change(kind, before, after, {dialect: text for dialect, text in found.items() if text})


def _portable(variants: Variants) -> bool:
    return all(query.dialect is None for query in variants.values())


def block(query: Query) -> list[str]:
    """The lines of the file that are the query's, its name and comments included."""
    lines = query.file.read_text(encoding="utf-8").splitlines()
    start, end = extent(query)
    return lines[start - 1 : end]


def extent(query: Query) -> tuple[int, int]:
    """The numbers of the first and the last of these lines."""
    lines = query.file.read_text(encoding="utf-8").splitlines()
    start = query.line - 1
    end = next(
        (at for at in range(start + 1, len(lines)) if lines[at].startswith("-- name:")), len(lines)
    )
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    return start + 1, end


def _diff(before: Query | None, after: Query | None) -> str:
    old, new = ([] if query is None else block(query) for query in (before, after))
    _, _, *lines = difflib.unified_diff(old, new, n=3, lineterm="") if old != new else ("", "")
    return "\n".join(lines)


@lru_cache(maxsize=4096)
def _words(sql: str, grammar: str) -> tuple[str, ...]:
    try:
        tokens = sqlglot.tokenize(sql, dialect=grammar)
    except SqlglotError:
        return tuple(sql.split())
    found = (f"{each.token_type.name} {_text(each)}" for each in tokens)
    return tuple(each for each in found if each != "SEMICOLON ;")


def _text(token: Token) -> str:
    return token.text if token.token_type in _AS_WRITTEN else token.text.upper()


def words(query: Query, dialect: str) -> tuple[str, ...]:
    """A statement without blanks, lines, comments and the case of keywords.

    Two that have the same are read as the same.
    """
    return _words(query.sql, GRAMMARS[dialect])


def _kind(before: Variants, after: Variants) -> Kind:
    """What became of a query that kept its name."""
    pairs = [(before.get(dialect), after.get(dialect)) for dialect in DIALECTS]
    found = Kind.UNCHANGED
    for dialect, (one, other) in zip(DIALECTS, pairs, strict=True):
        if one is None or other is None:
            if one is not other:
                return Kind.CHANGED
            continue
        if one.contract != other.contract or words(one, dialect) != words(other, dialect):
            return Kind.CHANGED
        if one.sql.strip() != other.sql.strip():
            found = Kind.FORMATTING
        elif found is Kind.UNCHANGED and block(one) != block(other):
            found = Kind.COMMENT
        elif found is Kind.UNCHANGED and (one.dialect is None) is not (other.dialect is None):
            found = Kind.MOVED
    return found


def _alike(one: Variants, other: Variants) -> float:
    """How much of their words two queries share, from 0 to 1; 0 where they are called differently."""
    shares = []
    for dialect in DIALECTS:
        before, after = one.get(dialect), other.get(dialect)
        if before is None and after is None:
            continue  # what one engine alone is asked
        if before is None or after is None or before.operator != after.operator:
            return 0
        was, now = words(before, dialect), words(after, dialect)
        matcher = difflib.SequenceMatcher(None, was, now, autojunk=False)
        if was == now:
            shares.append(1.0)
        elif matcher.real_quick_ratio() < _ALIKE or matcher.quick_ratio() < _ALIKE:
            return 0
        else:
            shares.append(matcher.ratio())
    return min(shares, default=0)


def _same_files(before: Variants, after: Variants, texts: dict[Path, bytes]) -> bool:
    """Whether the files of a query are the same; ``texts`` are those that were read."""
    for query in (*before.values(), *after.values()):
        if query.file not in texts:
            texts[query.file] = query.file.read_bytes()
    old, new = ([(each.dialect, texts[each.file]) for each in side.values()] for side in (before, after))
    return old == new


def changes(before: Mapping[str, Variants], after: Mapping[str, Variants]) -> Iterator[Change]:
    """Every query that is not what it was, by name."""
    texts: dict[Path, bytes] = {}
    gone = [name for name in before if name not in after]
    new = [name for name in after if name not in before]
    renamed: dict[str, str] = {}
    for name in new:
        shares = {old: _alike(before[old], after[name]) for old in gone if old not in renamed.values()}
        nearest = max(shares, key=lambda old: shares[old], default="")
        if nearest and shares[nearest] >= _ALIKE:
            renamed[name] = nearest
    for name in sorted({*before, *after} - set(renamed.values())):
        if name in renamed:
            yield _change(Kind.RENAMED, before[renamed[name]], after[name])
        elif name not in before:
            yield _change(Kind.ADDED, {}, after[name])
        elif name not in after:
            yield _change(Kind.REMOVED, before[name], {})
        elif not _same_files(before[name], after[name], texts):
            kind = _kind(before[name], after[name])
            if kind is not Kind.UNCHANGED:
                yield _change(kind, before[name], after[name])
