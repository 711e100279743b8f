"""A copy under way: tables that readers do not see yet, and the journal of what has arrived in them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any, Final, NamedTuple

from repo.batches import Columns
from repo.binding import BoundQueries
from repo.chunks import Chunk
from repo.errors import QueryContractError, TransferError
from repo.tables import Table

__all__ = ["COPY", "JOURNAL", "Shadow"]

COPY: Final = "smdi_copy"
"""The schema of the tables that are filled, or what the file with them is attached as."""

MEANWHILE: Final = "rows came into the target meanwhile: add --replace if they may go"

JOURNAL: Final = (
    "CREATE TABLE {}copy_state (header text NOT NULL, token text NOT NULL, built bigint NOT NULL)",
    "CREATE TABLE {}copy_journal (name text NOT NULL, chunk bigint NOT NULL, number bigint NOT NULL,"
    " sha256 text NOT NULL, CONSTRAINT copy_journal_pkey PRIMARY KEY (name, chunk))",
)
"""They are here and not in ``schema/``, for readers never see them."""


class _Writing(NamedTuple):
    """A transaction in which rows are written, and what takes them."""

    transaction: ExitStack
    rows: ExitStack
    connection: Any
    take: Callable[[Columns, bytes], object]


class Shadow(ABC):
    """See :class:`repo.engine.Shadow`; an engine adds where the tables are and how they are filled."""

    def __init__(self, queries: BoundQueries) -> None:
        self.queries = queries
        self._token = ""
        self.built = False
        self._writing: _Writing | None = None

    @abstractmethod
    def there(self) -> bool:
        """Whether there is an unfinished copy."""

    @abstractmethod
    def inside(self) -> AbstractContextManager[Any]:
        """A transaction that sees the tables of the copy, as a connection."""

    @abstractmethod
    def filling(
        self, connection: Any, table: Table
    ) -> AbstractContextManager[Callable[[Columns, bytes], object]]:
        """What takes rows of a table, inside a transaction that has begun."""

    @abstractmethod
    def empty(self, connection: Any, table: Table) -> None:
        """Take out all rows of a table, inside a transaction."""

    def begun(self) -> tuple[str, bool] | None:
        """What an unfinished copy was begun with, and whether its indexes are built; None for none."""
        if not self.there():
            return None
        with self.inside() as connection:
            found = self.queries["journal.begun"](connection, {})
        return None if found is None else (found.header, bool(found.built))

    def take_over(self, token: str, *, built: bool) -> None:
        """Make it this process's: another that goes on with it finds that out before it writes."""
        self._token, self.built = token, built
        with self.inside() as connection:
            self.queries["journal.change"](connection, {"token": token, "built": int(built)})

    def arrived(self) -> dict[str, list[Chunk]]:
        """The chunks that have arrived, by table."""
        found = defaultdict(list)
        with self.inside() as connection:
            for each in self.queries["journal.chunks"](connection, {}):
                found[each.name].append(Chunk(*each[1:]))
        return found

    def write(self, table: Table, columns: Columns, data: bytes) -> None:
        """Write rows in the transaction that :meth:`keep` ends, which begins here if it has not yet."""
        if self._writing is None:
            with ExitStack() as opening:
                connection = opening.enter_context(self.inside())
                self.hold(connection)
                rows = ExitStack()
                take = rows.enter_context(self.filling(connection, table))
                opening.push(rows)
                self._writing = _Writing(opening.pop_all(), rows, connection, take)
        self._writing.take(columns, data)

    def hold(self, connection: Any) -> None:
        """Keep the copy this process's until the transaction ends.

        :raises TransferError: where another has taken it over.
        """
        try:
            held = self.queries["journal.hold"](connection, {"token": self._token})
        except QueryContractError as error:
            raise TransferError(
                "another process has removed this copy, or brought it to its end"
            ) from error
        if not held:
            raise TransferError("another process has taken this copy over")

    def keep(self, table: Table, chunks: Sequence[Chunk]) -> None:
        """Commit what was written, with the journal's rows of it."""
        writing, self._writing = self._writing, None
        if writing is not None:
            with writing.transaction:
                writing.rows.close()  # for a COPY has to end before anything else is said
                rows = [(table.name, *chunk) for chunk in chunks]
                self.queries["journal.arrived"](writing.connection, rows)

    def drop(self) -> None:
        """Roll back what was written since it was last kept."""
        writing, self._writing = self._writing, None
        if writing is not None:
            with suppress(Exception), writing.transaction:
                raise TransferError("what was written is not kept")

    def clear(self, table: Table) -> None:
        """Have a table begin anew."""
        with self.inside() as connection:
            self.hold(connection)
            self.queries["journal.clear"](connection, {"name": table.name})
            self.empty(connection, table)
