"""A copy under way: tables that readers do not see yet, and the journal of what has arrived in them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from repo.chunks import ChunkDigest
from repo.engine.connection import Connection
from repo.errors import QueryContractError, TransferError

if TYPE_CHECKING:
    from repo.batches import Columns
    from repo.binding import BoundQueries
    from repo.tables import Table

_T = TypeVar("_T")

MEANWHILE: Final = "rows came into the target meanwhile: add --replace if they may go"


class RunAll(Protocol):
    """Runs functions on connections that see the same rows, several at once where the engine can."""

    def __call__(self, functions: Iterable[Callable[[Connection], _T]], /) -> Iterator[_T]:
        """What the functions return, in their order."""


class _Writing(NamedTuple):
    """A transaction in which rows are written, and what takes them."""

    transaction: ExitStack
    rows: ExitStack
    connection: Connection
    take: Callable[[Columns, bytes], object]


class StagedCopy(ABC):
    """A copy under way in a target, which its readers do not see; one transaction for each :meth:`keep`.

    An engine adds where the tables are, how they are filled, and how they take the place of others.
    """

    def __init__(self, queries: BoundQueries) -> None:
        self.queries = queries
        self._token = ""
        self.built = False
        self._writing: _Writing | None = None

    @abstractmethod
    def lacking(self) -> list[str]:
        """The rights that are needed and not there."""

    @abstractmethod
    def obstacles(self) -> list[str]:
        """What depends on the target's tables and keeps others from taking their place."""

    @abstractmethod
    def begin(self, header: str, token: str) -> None:
        """Make the tables, and note what the copy is begun with and whose it is."""

    @abstractmethod
    def finish(self) -> None:
        """Build indexes and constraints, and gather statistics."""

    @abstractmethod
    def install(self, *, replace: bool, prove: Callable[[RunAll], None]) -> None:
        """Put the tables where readers see them, all at once, if ``prove`` does not raise.

        :param prove: may run functions on connections that see the copy by the tables' own names.
        :param replace: whether there may be rows, which are then gone.
        :raises TransferError: if there are rows that may not be replaced.
        """

    @abstractmethod
    def abandon(self) -> None:
        """Remove what an unfinished copy has left."""

    @abstractmethod
    def close(self) -> None:
        """Give the connection back."""

    @abstractmethod
    def there(self) -> bool:
        """Whether there is an unfinished copy."""

    @abstractmethod
    def inside(self) -> AbstractContextManager[Connection]:
        """A transaction that sees the tables of the copy, as a connection."""

    @abstractmethod
    def filling(
        self, connection: Connection, table: Table
    ) -> AbstractContextManager[Callable[[Columns, bytes], object]]:
        """What takes rows of a table, inside a transaction that has begun."""

    @abstractmethod
    def empty(self, connection: Connection, table: Table) -> None:
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

    def arrived(self) -> dict[str, list[ChunkDigest]]:
        """The chunks that have arrived, by table."""
        found = defaultdict(list)
        with self.inside() as connection:
            for each in self.queries["journal.chunks"](connection, {}):
                found[each.name].append(ChunkDigest(*each[1:]))
        return found

    def write(self, table: Table, columns: Columns, data: bytes) -> None:
        """Write rows in the transaction that :meth:`keep` ends, which begins here if it has not yet.

        :param data: the same rows as :func:`repo.chunks.encoded` has them.
        """
        if self._writing is None:
            with ExitStack() as opening:
                connection = opening.enter_context(self.inside())
                self.hold(connection)
                rows = ExitStack()
                take = rows.enter_context(self.filling(connection, table))
                opening.push(rows)
                self._writing = _Writing(opening.pop_all(), rows, connection, take)
        self._writing.take(columns, data)

    def hold(self, connection: Connection) -> None:
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

    def keep(self, table: Table, chunks: Sequence[ChunkDigest]) -> None:
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
        """Take out what has arrived of a table, so that it begins anew."""
        with self.inside() as connection:
            self.hold(connection)
            self.queries["journal.clear"](connection, {"name": table.name})
            self.empty(connection, table)
