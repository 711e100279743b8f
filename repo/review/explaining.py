"""What a rule is there for, with SQL that it refuses and SQL that is right."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from textwrap import indent
from typing import Final

from repo.errors import ConfigurationError
from repo.review.codes import CODES
from repo.review.findings import Level
from repo.review.folders import REASONS

__all__ = ["EXAMPLES", "example", "explanation", "said_of"]

_FOLDER: Final = Path(__file__).parent / "examples"

EXAMPLES: Final = _FOLDER / "rules"
"""Laid out as ``queries/``: for each rule of single statements some that break it, and mended."""

_NAME: Final = re.compile(r"^-- name: (\w+).*\n", re.MULTILINE)
_TITLE: Final = re.compile(r"^-- ((?:refused|right): [a-z-]+)\n", re.MULTILINE)


def explanation(code: str) -> str:
    """See :func:`repo.review.explain`."""
    reason, level = said_of(code)
    refused, right = example(code)
    shown = [
        f"{title}:\n\n{indent(sql, '    ')}" for title, sql in (("Refused", refused), ("Right", right))
    ]
    return "\n\n".join([f"{code} ({level}): {reason}", *shown])


def said_of(code: str) -> tuple[str, Level]:
    """Why a rule is there, and how much a finding of it weighs.

    :raises ConfigurationError: for a code that is none's; it names the nearest.
    """
    if code in CODES:
        return CODES[code].reason, CODES[code].level
    if code not in REASONS:
        (near,) = get_close_matches(code, [*REASONS, *CODES], n=1, cutoff=0)
        raise ConfigurationError(f"there is no rule {code!r}; did you mean {near}?")
    return REASONS[code], Level.ERROR


def example(code: str) -> tuple[str, str]:
    """SQL that breaks a rule, and SQL that does not."""
    if code in CODES:
        found = _cut(_FOLDER / "changes.sql", _TITLE)
        return found[f"refused: {code}"], found[f"right: {code}"]
    found = _cut(EXAMPLES / f"{code.replace('-', '_')}.sql", _NAME)
    return found["bad_1"], found["good_1"]


def _cut(file: Path, title: re.Pattern[str]) -> dict[str, str]:
    """The parts of a file, by the titles above them."""
    _, *parts = title.split(file.read_text(encoding="utf-8"))
    return {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}
