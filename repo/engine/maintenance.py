"""What maintenance needs of an engine: sizes, tasks and checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

_SHOWN: Final = 10


class Relation(NamedTuple):
    """A table or an index; ``owner`` is the index's table.

    ``rows`` and ``free`` (bytes that are empty or dead) are estimates on PostgreSQL; None is not known.
    """

    name: str
    owner: str
    kind: str
    rows: int | None
    bytes: int | None
    free: int | None


class Space(NamedTuple):
    """The size of a database, and how much of it is free pages; None is not known."""

    bytes: int
    free: int | None


class Task(NamedTuple):
    """A statement that is worth running, and why."""

    statement: str
    reason: str


class Status(StrEnum):
    """The result of a check: ``warn`` is to be looked at, ``fail`` to be mended."""

    PASS = "pass"  # noqa: S105  # no password
    WARN = "warn"
    FAIL = "fail"


class Check(NamedTuple):
    """A line of a check list: what was checked, what was found, and what to do about it."""

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


class Maintenance(Protocol):
    """One engine's part of maintenance."""

    def identity(self) -> str:
        """Which database it is, for every user alike."""

    def space(self) -> Space:
        """The size of the database."""

    def relations(self) -> list[Relation]:
        """Every table, each followed by its indexes."""

    def tasks(self) -> list[Task]:
        """The tasks that are worth doing, in order.

        :raises DatabaseUnavailable: when the database is damaged, and better left as it is.
        """

    def perform(self, task: Task) -> str:
        """Do a task outside of a transaction; why it was not done, or an empty text.

        It waits for others for a few seconds at most, and leaves nothing behind when it fails.
        """

    def checks(self) -> Iterator[Check]:
        """The checks of a database's health, the gravest first."""

    def deployment(self) -> Iterator[Check]:
        """The checks of how a database is set up for production."""
