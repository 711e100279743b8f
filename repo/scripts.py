"""A script of SQL as statements with their lines, and what its first lines declare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_PIECE: Final = re.compile(
    r"(?P<blank>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<literal>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|(?P<dollar>\$(?:[A-Za-z_]\w*)?\$).*?(?P=dollar))"
    r"|(?P<escaped>\b[eE]'(?:[^'\\]|\\.|'')*')"
    r"|(?P<word>\w+)"
    r"|(?P<sign>.)",
    re.DOTALL,
)
_BODIES: Final = frozenset({"TRIGGER", "FUNCTION", "PROCEDURE"})
_HEAD: Final = 4
"""How many of its first words say what a statement creates."""

_MAKES_NOTHING: Final = frozenset({"VACUUM", "ANALYZE", "REINDEX", "CLUSTER", "CHECKPOINT"})
_OUTSIDE: Final = re.compile(r"--\s*transaction\s*:\s*none\s*", re.IGNORECASE)


class ScriptStatement(NamedTuple):
    """One statement: its text without the comments before it, and its line."""

    line: int
    sql: str


def in_transaction(script: str) -> bool:
    """Whether a script runs in a transaction: not if a line before its first statement forbids it."""
    for line in map(str.strip, script.splitlines()):
        if line and not line.startswith("--"):
            break
        if _OUTSIDE.fullmatch(line):
            return False
    return True


def statements(script: str) -> Iterator[ScriptStatement]:
    """The statements of a script, split at semicolons.

    Semicolons do not count in literals, comments and PostgreSQL's dollar quotes, nor between BEGIN and
    END of a trigger or a function.
    """
    begin = end = depth = 0
    first: list[str] = []
    for piece in _PIECE.finditer(script):
        if piece["blank"] is not None or (begin == end and piece["sign"] == ";"):
            continue
        if begin == end:
            begin, depth, first = piece.start(), 0, []
        word = piece["word"]
        if word is not None:
            word = word.upper()
            if depth and word == "END":
                depth -= 1
            elif word == "BEGIN" or (depth and word == "CASE"):
                depth += bool(_BODIES.intersection(first))
            first = [*first, word][:_HEAD]
        if piece["sign"] == ";" and not depth:
            yield ScriptStatement(script.count("\n", 0, begin) + 1, script[begin : piece.end()])
            begin = end = piece.end()
        else:
            end = piece.end()
    if end > begin:
        yield ScriptStatement(script.count("\n", 0, begin) + 1, script[begin:end])


def for_transaction(sql: str) -> str:
    """The statement for use in a transaction: without CONCURRENTLY; empty for VACUUM and the like."""
    pieces = list(_PIECE.finditer(sql))
    words = [piece["word"].upper() for piece in pieces if piece["word"] is not None]
    if words[:1] and words[0] in _MAKES_NOTHING:
        return ""
    return "".join(piece.group() for piece in pieces if (piece["word"] or "").upper() != "CONCURRENTLY")
