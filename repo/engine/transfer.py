"""What copies, exports and digests need of an engine: its tables as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from repo.engine.connection import Connection

if TYPE_CHECKING:
    from repo.batches import Columns
    from repo.binding import BoundQueries
    from repo.chunks import ChunkDigest
    from repo.engine.staging import StagedCopy
    from repo.tables import Table

FIRST_KEY: Final = -(2**63)
LAST_KEY: Final = 2**63 - 1
"""Bounds of the first column of a key that leave nothing out."""


class Limits(NamedTuple):
    """Which rows of a table: bounds of the first column of its key, and days; both are included.

    None leaves out no day, not even one that no calendar has.
    """

    first: int = FIRST_KEY
    last: int = LAST_KEY
    since: date | None = None
    until: date | None = None


class OtherTable(NamedTuple):
    """A table that is not the package's, as SQL names it; ``bookkeeping``: of migrations and copies."""

    quoted: str
    bookkeeping: bool


class Transfer(Protocol):
    """How an engine's tables are read as a whole, with values as in :data:`repo.batches.Columns`."""

    def scanning(self, connection: Connection) -> AbstractContextManager[None]:
        """Keep little of what a connection reads in memory, for the block: nothing is read twice."""

    def digest(
        self, connection: Connection, queries: BoundQueries, table: Table, first: int, last: int
    ) -> list[ChunkDigest]:
        """The digests of a table's chunks, by chunk; the bounds are those of chunks, too."""

    def read(
        self,
        connection: Connection,
        queries: BoundQueries,
        table: Table,
        limits: Limits,
        take: Callable[[Columns], None],
    ) -> None:
        """Give rows in the order of the key to ``take``, some at a time."""

    def others(self, connection: Connection, queries: BoundQueries) -> list[OtherTable]:
        """The tables that are not the package's, by name."""

    def other_rows(
        self, connection: Connection, queries: BoundQueries, table: OtherTable
    ) -> Iterator[bytes]:
        """The rows of one, in no order, as bytes that are the same for the same row on this engine."""

    def staged(self, queries: BoundQueries) -> StagedCopy:
        """The copy that is under way in this database, or is to begin."""
