"""What plans need of an engine: the steps of a statement, and what they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from repo.binding import BoundQueries
from repo.engine.connection import Connection
from repo.queries import Query


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan, with the steps that it takes its rows from.

    None is what an engine does not tell. SQLite tells no rows of a step, neither expected nor actual,
    and what was read only of the whole plan.
    """

    does: str
    """In the engine's own words: ``Index Only Scan``, ``SEARCH``, ``Hash Join``."""
    table: str | None = None
    index: str | None = None
    """Named for its constraint, on both engines, where it has one."""
    condition: str | None = None
    whole: bool = False
    """Whether it reads its table, or the index of it, from end to end."""
    sorts: bool = False
    on_disk: bool | None = None
    """Whether a sort or a hash did not fit into the memory that it was given."""
    estimated_rows: int | None = None
    """Of one loop."""
    rows: int | None = None
    """Of all loops together."""
    removed: int | None = None
    """How many rows its condition dropped after they were read, in all loops."""
    loops: int | None = None
    pages: int | None = None
    """Read by it and the steps below it, from memory or from disk."""
    steps: tuple[Step, ...] = ()

    def all(self) -> Iterator[Step]:
        """This step and all below it, from above."""
        yield self
        for each in self.steps:
            yield from each.all()


@dataclass(frozen=True, slots=True)
class Plan:
    """How an engine runs a query.

    ``rows``, ``pages`` and ``instructions`` are None unless the query was run for it.
    """

    query: str
    dialect: str
    steps: tuple[Step, ...]
    rows: int | None = None
    """Rows that it returned, or wrote if it returns none."""
    pages: int | None = None
    """On PostgreSQL the pages read, from memory or disk, each time counted; on SQLite those read into an
    empty cache, which only Linux tells, and only of a file."""
    instructions: int | None = None
    """Of SQLite's virtual machine, in hundreds: the same for the same rows on every machine."""

    def all(self) -> Iterator[Step]:
        """Every step, from above."""
        for each in self.steps:
            yield from each.all()

    @property
    def whole(self) -> frozenset[str]:
        """The tables that it reads from end to end."""
        return frozenset(step.table for step in self.all() if step.whole and step.table is not None)

    @property
    def indexes(self) -> frozenset[str]:
        """The indexes that it reads."""
        return frozenset(step.index for step in self.all() if step.index is not None)

    @property
    def sorts(self) -> int:
        """How many steps sort rows, or build a tree to order them."""
        return sum(step.sorts for step in self.all())

    @property
    def on_disk(self) -> bool | None:
        """Whether a step had to use the disk to sort or hash; None if that is not told."""
        known = [step.on_disk for step in self.all() if step.on_disk is not None]
        return any(known) if known or not self.sorts else None

    @property
    def rows_read(self) -> int | None:
        """Rows that it read from tables, those that a condition dropped included; PostgreSQL's only."""
        read = [
            step.rows + (step.removed or 0)
            for step in self.all()
            if step.rows is not None and step.table is not None
        ]
        return sum(read) if read else None


class Planner(Protocol):
    """One engine's way to say how it runs a query."""

    def plan(
        self,
        connection: Connection,
        queries: BoundQueries,
        query: Query,
        arguments: Mapping[str, Any],
        *,
        analyze: bool,
        limit: int | None = None,
    ) -> Plan:
        """How the engine runs a query, inside a transaction.

        :param arguments: of its parameters; those of one row for a query that takes rows.
        :param analyze: run the query and measure it.
        :param limit: stop it after so many instructions, where the engine counts those.
        :raises InvalidRecord: for a value that is not of its parameter's type.
        :raises DatabaseUnavailable: if it was stopped, or took longer than a statement may.
        """
