"""A part of a database that refers to nothing outside of it, and its rows as they are at one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from repo.batches import Columns
from repo.chunks import ChunkDigest, ChunkHashes
from repo.engine.transfer import FIRST_KEY, LAST_KEY, Limits
from repo.errors import UnknownTicker
from repo.tables import TABLES, Table

if TYPE_CHECKING:
    from repo.database import Database
    from repo.engine.connection import Connection


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a database that refers to nothing outside of it; None is no bound.

    Tickers are those of ``symbols``, bars and interest those of the days, holdings those filed on them,
    and institutions those with such a holding.
    """

    symbols: tuple[str, ...] | None = None
    since: date | None = None
    until: date | None = None

    @property
    def whole(self) -> bool:
        """Whether it is all there is."""
        return self == EVERYTHING


EVERYTHING: Final = Slice()


class SliceReader:
    """A slice of a database, read on a connection that sees one state of it."""

    def __init__(self, db: Database, connection: Connection, part: Slice = EVERYTHING) -> None:
        self._queries = db._session.executor.queries
        self._transfer = db._backend.transfer()
        self._connection = connection
        self._whole = part.whole
        self._limits = Limits(since=part.since, until=part.until)
        self._keys: dict[str, list[int]] = {}
        if part.symbols is not None:
            keys = ticker_keys(db, part.symbols)
            ticker_id = TABLES["tickers"].surrogate
            self._keys = {
                name: keys for name, table in TABLES.items() if table.primary_key[0] == ticker_id
            }
        if not part.whole:
            held: set[int] = set()
            holdings = TABLES["holdings"]
            place = [column.name for column in holdings.columns].index("institution_id")
            self.read(holdings, lambda columns: held.update(columns[place]))
            self._keys["institutions"] = sorted(held)

    def ask(self, query: str) -> Any:
        """What a query without parameters answers."""
        return self._queries[query](self._connection, {})

    def read(
        self,
        table: Table,
        take: Callable[[Columns], None],
        *,
        first: int = FIRST_KEY,
        last: int = LAST_KEY,
    ) -> None:
        """Give the rows of a table whose keys are in bounds, in the order of the key."""
        keys = self._keys.get(table.aggregate)
        ranges = (
            [(first, last)] if keys is None else [(key, key) for key in keys if first <= key <= last]
        )
        for start, end in ranges:
            limits = self._limits._replace(first=start, last=end)
            self._transfer.read(self._connection, self._queries, table, limits, take)

    def chunks(self, table: Table, *, last: int = LAST_KEY) -> list[ChunkDigest]:
        """The digests of the chunks of a table, up to a key."""
        if self._whole:
            return self._transfer.digest(self._connection, self._queries, table, FIRST_KEY, last)
        hashes = ChunkHashes(table)
        self.read(table, hashes.take, last=last)
        return hashes.end()


def ticker_keys(db: Database, symbols: Iterable[str]) -> list[int]:
    """The keys of tickers.

    :raises UnknownTicker: naming those that are not there.
    """
    wanted = {symbol.upper() for symbol in symbols}
    found = db._session.read("tickers.identify", symbols=sorted(wanted))
    if missing := wanted - {symbol for symbol, _ in found}:
        raise UnknownTicker(missing)
    return sorted(key for _, key in found)
