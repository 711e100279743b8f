"""The findings of sqlfluff on the lines that changed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from repo.review.findings import Finding, Level
from repo.review.tables import GRAMMARS

__all__ = ["changed_lines", "installed", "layout"]

_CODE: Final = "layout"


def installed() -> bool:
    """Whether sqlfluff is there."""
    return find_spec("sqlfluff") is not None


def changed_lines(before: Path, after: Path) -> set[int]:
    """The numbers of the lines of a file that it did not have before."""
    old, new = (
        file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        for file in (before, after)
    )
    found: set[int] = set()
    for tag, _, _, start, end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag in ("replace", "insert"):
            found.update(range(start + 1, end + 1))
    return found


def layout(file: Path, dialects: tuple[str, ...], lines: set[int], query: str) -> Iterator[Finding]:
    """What sqlfluff says of some lines of a file, by each dialect's grammar and the configuration there.

    :param query: which query they belong to; empty for a migration.
    """
    if not lines:
        return
    from sqlfluff.core import FluffConfig, Linter

    found: set[tuple[int, str, str]] = set()
    whole = file.read_text(encoding="utf-8").splitlines(keepends=True)
    first, last = _around(whole, lines) if query else (1, len(whole))
    for dialect in dialects:
        config = FluffConfig.from_path(str(file), overrides={"dialect": GRAMMARS[dialect]})
        part = "".join(whole[first - 1 : last]).rstrip("\n") + "\n"
        for each in Linter(config=config).lint_string(part, fname=str(file)).get_violations():
            found.add((each.line_no + first - 1, each.rule_code(), each.desc()))
    for line, code, words in sorted(found):
        if line in lines:
            yield Finding(file, line, query, _CODE, f"{code}: {words}", Level.WARNING)


def _around(whole: list[str], lines: set[int]) -> tuple[int, int]:
    """The first and last line of the queries that some lines are in."""
    starts = [number for number, line in enumerate(whole, 1) if line.startswith("-- name:")]
    first = max((start for start in starts if start <= min(lines)), default=1)
    last = min((start - 1 for start in starts if start > max(lines)), default=len(whole))
    return first, last
