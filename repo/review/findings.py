"""What a review finds, and what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sqlglot import Token, exp

    from repo.review.statements import Statement

__all__ = ["Finding", "Level", "Mark", "Rule", "name_of", "reason_of"]


class Level(StrEnum):
    """How much a finding weighs: an error fails the review."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Finding(NamedTuple):
    """One thing to mend: where, in which query, which rule it breaks and what to do about it.

    ``query`` is empty where it is about a migration or a file. ``accepted`` is the reason that the SQL
    gives for leaving it as it is; empty where it gives none. ``width`` is how many characters the line
    has, where that was looked at.
    """

    file: Path
    line: int
    query: str
    rule: str
    message: str
    level: Level = Level.ERROR
    accepted: str = ""
    width: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.query}: {self.message} [{self.rule}]"


class Mark(NamedTuple):
    """What a rule says of a statement: at which place in it (None is all of it), and the message."""

    at: exp.Expr | Token | None
    message: str


Rule = Callable[["Statement"], Iterator[Mark]]
"""A rule looks at one statement; its name is the function's, its reason the docstring's first line."""


def name_of(rule: Rule) -> str:
    """The rule's name as findings give it."""
    return rule.__name__.replace("_", "-")


def reason_of(rule: Rule) -> str:
    """Why the rule is there, in one sentence."""
    return (rule.__doc__ or "").strip().partition("\n")[0]
