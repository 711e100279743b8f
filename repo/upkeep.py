"""What the upkeep of a database speaks of: sizes, tasks and checks, and what an engine knows of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

_SHOWN: Final = 10

Ask = Callable[..., Any]
"""Gives what a named query answers: its full name, and its parameters by keyword."""


class Relation(NamedTuple):
    """A table or an index; ``owner`` is the index's table.

    ``rows`` and ``free``, bytes that are empty or dead, are estimates on PostgreSQL; None: not known.
    """

    name: str
    owner: str
    kind: str
    rows: int | None
    bytes: int | None
    free: int | None


class Space(NamedTuple):
    """What all of a database takes, and how much of that is free pages; None where that is not known."""

    bytes: int
    free: int | None


class Task(NamedTuple):
    """A statement that there is something to gain by, and why."""

    statement: str
    reason: str


class Status(StrEnum):
    """What a check comes to: ``warn`` is to be looked at, ``fail`` is to be mended."""

    PASS = "pass"  # noqa: S105  # no password
    WARN = "warn"
    FAIL = "fail"


class Check(NamedTuple):
    """A line of a check list: what was looked at, what was found, and what to do about it."""

    status: Status
    check: str
    found: str
    advice: str = ""


def checked(
    check: str,
    found: Iterable[str],
    advice: str,
    *,
    otherwise: str = "none",
    status: Status = Status.WARN,
) -> Check:
    """A check that passes where nothing was found."""
    each = list(found)
    more = len(each) - _SHOWN
    shown = "; ".join(each[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
    return Check(status, check, shown, advice) if each else Check(Status.PASS, check, otherwise)


class Upkeep(Protocol):
    """What only an engine knows of the upkeep of its databases."""

    def place(self) -> str:
        """Which database it is, whoever asks."""

    def space(self, ask: Ask) -> Space:
        """What the database takes."""

    def relations(self, ask: Ask) -> list[Relation]:
        """Every table, each followed by its indexes."""

    def tasks(self, ask: Ask) -> list[Task]:
        """What there is to do, in the order to do it.

        :raises DatabaseUnavailable: where the database is damaged, and is better left as it is.
        """

    def perform(self, ask: Ask, task: Task) -> str:
        """Do a task outside of a transaction; why it was left undone, or nothing.

        It waits for others for some seconds at most, and leaves nothing behind when it fails.
        """

    def checks(self, ask: Ask) -> Iterator[Check]:
        """Whether the database is in health, the gravest first."""

    def deployment(self, ask: Ask) -> Iterator[Check]:
        """Whether the database is set up as one in production should be."""
