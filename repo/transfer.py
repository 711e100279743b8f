"""One database copied into another, and two compared, down to the rows in which they differ.

A copy reads one state of its source, whoever writes to it meanwhile, and fills tables that readers of
the target do not see. When all rows are there and what arrived is proven equal, they take the place of
the target's own in one transaction. The rows of some chunks and the journal's note of them are one
transaction each, so that a copy that was cut off goes on where it was.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from repo import migrations
from repo.batches import EPOCH, Columns
from repo.chunks import Chunk, ChunkHashes, combined, encoded, pieces, span
from repo.digests import TableDigest, chunk_digests
from repo.engine import Limits
from repo.errors import ConfigurationError, RepoError, TransferError, UnknownTicker
from repo.introspection import differences
from repo.tables import TABLES, Table

if TYPE_CHECKING:
    from repo.database import Database
    from repo.engine import Connection, Shadow

__all__ = ["Copied", "Difference", "Slice", "Verification", "abandon", "copy", "verify"]

_ROWS_TOGETHER: Final = 50_000
_LIMIT: Final = 20
_MOMENT: Final = datetime(1970, 1, 1, tzinfo=UTC)

Progress = Callable[[str, int, int], None]
"""Told the name of a table, or of what else is done, how many rows of it are done, and of how many.

It is called while the source is read, and does not use it.
"""


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
        return self == Slice()

    @property
    def limits(self) -> Limits:
        """The days as bounds."""
        return Limits(since=self.since or date.min, until=self.until or date.max)


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy came to: the digest of each table, or how many rows of each were new or different.

    ``changed`` are the tables that began anew, for the source had other rows when the copy was resumed.
    """

    tables: dict[str, TableDigest]
    merged: dict[str, int] | None = None
    changed: tuple[str, ...] = ()


class Difference(NamedTuple):
    """One thing in which two databases differ: a value, or a whole row where ``column`` is None.

    ``key`` is the row's, as ``column=value`` with the ticker by its symbol; ``first`` and ``second`` are
    the values, and for rows how often each database has them.
    """

    table: str
    key: str
    column: str | None
    first: Any
    second: Any

    def __str__(self) -> str:
        place = f"{self.table} {self.key}"
        if self.column is not None:
            return f"{place}: {self.column} is {self.first!r} and {self.second!r}"
        if self.first and self.second:
            return f"{place}: there {self.first} times and {self.second} times"
        return f"{place}: only in the {'first' if self.first else 'second'}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What a comparison found: the digests of both, the first differences, and the faults of each."""

    first: dict[str, TableDigest]
    second: dict[str, TableDigest]
    differences: tuple[Difference, ...]
    faults: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether both hold the same rows, and neither breaks a constraint or lacks one."""
        return self.first == self.second and not self.faults


def _nobody(what: str, done: int, of: int) -> None:
    """Takes progress and tells nobody."""


class _Source:
    """A slice of a database in one state."""

    def __init__(self, db: Database, connection: Connection, wanted: Slice) -> None:
        self._queries = db._session.executor.queries
        self._transfer = db._backend.transfer()
        self._connection = connection
        self._limits = wanted.limits
        self._keys: dict[str, list[int]] = {}
        if wanted.symbols is not None:
            keys = _ticker_keys(db, wanted.symbols)
            ticker_id = TABLES["tickers"].surrogate
            self._keys = {
                name: keys for name, table in TABLES.items() if table.primary_key[0] == ticker_id
            }
        if not wanted.whole:
            held: set[int] = set()
            holdings = TABLES["holdings"]
            place = [column.name for column in holdings.columns].index("institution_id")
            self.read(holdings, lambda columns: held.update(columns[place]))
            self._keys["institutions"] = sorted(held)

    def read(
        self, table: Table, take: Callable[[Columns], None], first: int = -(2**63), last: int = 2**63 - 1
    ) -> None:
        """Give the rows of a table whose keys are in bounds."""
        keys = self._keys.get(table.aggregate)
        ranges = (
            [(first, last)] if keys is None else [(key, key) for key in keys if first <= key <= last]
        )
        for start, end in ranges:
            limits = self._limits._replace(first=start, last=end)
            self._transfer.read(self._connection, self._queries, table, limits, take)

    def chunks(self, table: Table) -> list[Chunk]:
        """The digests of the chunks of a table."""
        hashes = ChunkHashes(table)

        def take(columns: Columns) -> None:
            for chunk, piece in pieces(table, columns):
                hashes.add(chunk, len(piece[0]), encoded(table, piece))

        self.read(table, take)
        return hashes.end()


def _ticker_keys(db: Database, symbols: Iterable[str]) -> list[int]:
    """The keys of tickers.

    :raises UnknownTicker: naming those that are not there.
    """
    wanted = {symbol.upper() for symbol in symbols}
    found = db._session.read("tickers.identify", symbols=sorted(wanted))
    if missing := wanted - {symbol for symbol, _ in found}:
        raise UnknownTicker(missing)
    return sorted(key for _, key in found)


def copy(
    source: Database,
    target: Database,
    *,
    replace: bool = False,
    merge: bool = False,
    resume: bool = False,
    part: Slice = Slice(),
    progress: Progress = _nobody,
) -> Copied:
    """Copy a database, or a part of it, with the keys it gave; equal at the end, or as it was.

    An empty target is migrated first. One whose schema differs is refused, and so is one that holds rows
    unless they may be replaced or merged with. Tables that are no part of this package are left alone.

    :param replace: put the copy in the place of all rows that are there.
    :param merge: upsert instead, by symbols and CIKs, in one transaction; keys are the target's own.
    :param resume: go on with a copy of the same source and part that was cut off.
    :param part: what to copy; all of it by default.
    :raises TransferError: where the target cannot take the copy, or it did not arrive as it left.
    :raises MigrationError: for a schema that is not the newest.
    """
    if merge and (replace or resume):
        raise ConfigurationError("a merge is one transaction: it neither replaces nor is resumed")
    migrations.require_newest(source.dialect, source.version())
    _ticker_keys(source, part.symbols or ())
    if target.version() == 0:
        target.migrate()
    migrations.require_newest(target.dialect, target.version())
    if altered := differences(target):
        raise TransferError(
            "the target's schema differs from what the migrations made: "
            + "; ".join(map(str, altered[:_LIMIT]))
        )
    if merge:
        return _merge(source, target, part)
    with closing(target._backend.transfer().shadow(target._session.executor.queries)) as shadow:
        return _Copy(source, target, shadow, part, replace=replace, progress=progress).run(resume=resume)


def abandon(target: Database) -> bool:
    """Remove what a copy into a database that was cut off has left; whether there was any."""
    with closing(target._backend.transfer().shadow(target._session.executor.queries)) as shadow:
        found = shadow.begun() is not None
        shadow.abandon()
    return found


class _Copy:
    """One run of a copy."""

    def __init__(
        self,
        source: Database,
        target: Database,
        shadow: Shadow,
        part: Slice,
        *,
        replace: bool,
        progress: Progress,
    ) -> None:
        self._source = source
        self._target = target
        self._shadow = shadow
        self._part = part
        self._replace = replace
        self._progress = progress
        self._token = uuid.uuid4().hex
        self._changed: list[str] = []
        self._chunks: dict[str, list[Chunk]] = {}

    def run(self, *, resume: bool) -> Copied:
        """Go from wherever it stands to the end."""
        built = self._begin(resume=resume)
        with _advice(self._shadow):
            with self._source._session.connection() as connection:
                self._fill(_Source(self._source, connection, self._part), built=built)
            self._progress("indexes", 0, 0)
            self._shadow.finish()
            self._progress("proof", 0, 0)
            self._shadow.install(replace=self._replace, prove=self._prove)
        self._target._session.schema_changed()
        tables = {name: TableDigest(name, *combined(chunks)) for name, chunks in self._chunks.items()}
        return Copied(tables, changed=tuple(self._changed))

    def _begin(self, *, resume: bool) -> bool:
        """Take up what there is, or begin; whether the indexes are built already."""
        found = self._shadow.begun()
        if found is not None and not resume:
            was = json.loads(found[0])
            raise TransferError(
                f"an unfinished copy of {was['source']} is there, begun at {was['begun']}: "
                "--resume goes on with it, --abandon removes it"
            )
        if resume and found is None:
            raise TransferError("there is no unfinished copy to go on with: leave out --resume")
        holds_rows = any(each.number for each in self._target._session.read("proof.counts"))
        if holds_rows and found is None and not self._replace:
            raise TransferError(
                "the target holds rows: --replace puts the copy in their place, --merge adds to them"
            )
        if obstacles := self._shadow.obstacles():
            raise TransferError(
                f"the target's tables cannot be replaced, for {', '.join(obstacles)} would go with "
                "them: remove these first and make them again after it, or use --merge"
            )
        if found is None:
            self._start()
            return False
        was = json.loads(found[0])
        for name, value in self._header().items():
            if name != "begun" and was[name] != value:
                raise TransferError(
                    f"the unfinished copy was begun with {name} {was[name]}, not {value}: go on with "
                    "what it was begun with, or remove it with --abandon"
                )
        self._shadow.take_over(self._token, built=found[1])
        return found[1]

    def _header(self) -> dict[str, Any]:
        """What a copy is begun with."""
        part = self._part
        return {
            "source": str(self._source._url),
            "version": self._source.version(),
            "symbols": None if part.symbols is None else [*part.symbols],
            "since": None if part.since is None else str(part.since),
            "until": None if part.until is None else str(part.until),
            "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _start(self) -> None:
        self._shadow.begin(json.dumps(self._header()), self._token)

    def _fill(self, source: _Source, *, built: bool) -> None:
        """Have all rows arrive; what the source has other rows of by now begins anew."""
        arrived = self._shadow.arrived()
        if built:
            self._chunks = {table.name: source.chunks(table) for table in TABLES.values()}
            changed = [name for name, there in self._chunks.items() if there != arrived.get(name, [])]
            if not changed:
                return
            self._changed += changed
            self._shadow.abandon()
            self._start()
            arrived = {}
        totals = {each.name: each.number for each in self._source._session.read("proof.counts")}
        for table in TABLES.values():
            chunks = arrived.get(table.name, [])
            if chunks:
                there = [each for each in source.chunks(table) if each.chunk <= chunks[-1].chunk]
                if there != chunks:
                    self._changed.append(table.name)
                    self._shadow.clear(table)
                    chunks = []
            self._fill_table(source, table, chunks, totals[table.name])

    def _fill_table(self, source: _Source, table: Table, arrived: list[Chunk], total: int) -> None:
        """Have the rest of a table's rows arrive: the chunks after the last that has."""
        done = sum(each.rows for each in arrived)
        hashes = ChunkHashes(table)
        kept = waiting = 0
        at: int | None = None

        def keep() -> None:
            nonlocal kept, waiting
            chunks = hashes.end()
            self._shadow.keep(table, chunks[kept:])
            kept, waiting = len(chunks), 0

        def take(columns: Columns) -> None:
            nonlocal at, done, waiting
            for chunk, piece in pieces(table, columns):
                if chunk != at and waiting >= _ROWS_TOGETHER:
                    keep()
                    self._progress(table.name, done, total)
                at = chunk
                data = encoded(table, piece)
                self._shadow.write(table, piece, data)
                hashes.add(chunk, len(piece[0]), data)
                done += len(piece[0])
                waiting += len(piece[0])

        first = -(2**63) if not arrived else (arrived[-1].chunk + 1) * span(table)
        source.read(table, take, first=first)
        keep()
        self._progress(table.name, done, total)
        self._chunks[table.name] = [*arrived, *hashes.end()]

    def _prove(self, connection: Connection) -> None:
        """See that what arrived is what left.

        :raises TransferError: naming the first chunks that differ, and what breaks a constraint.
        """
        queries = self._target._session.executor.queries
        transfer = self._target._backend.transfer()
        wrong = []
        for table in TABLES.values():
            found = {*transfer.digest(connection, queries, table)}
            sent = {*self._chunks[table.name]}
            if found != sent:
                chunks = sorted({each.chunk for each in found ^ sent})
                wrong.append(f"{table.name} differs in {len(chunks)} chunks, the first at {chunks[0]}")
        wrong += _faults(lambda name: queries[name](connection, {}))
        if wrong:
            raise TransferError(f"what arrived is not what left: {'; '.join(wrong)}")


@contextmanager
def _advice(shadow: Shadow) -> Iterator[None]:
    """Say with an error what became of the copy and how to go on."""
    try:
        yield
    except BaseException as error:
        shadow.drop()
        if not isinstance(error, RepoError):
            raise
        raise TransferError(
            f"{error}\nthe target's readers have what they had; --resume goes on, --abandon clears up"
        ) from error


def _merge(source: Database, target: Database, part: Slice) -> Copied:
    """Upsert what a source has, and see by doing it again that nothing differs."""
    since, until = part.since, part.until
    with source.transaction(read_only=True, isolation="repeatable read") as old:
        tickers = old.tickers.all()
        if part.symbols is not None:
            tickers = [old.tickers.get(symbol) for symbol in dict.fromkeys(part.symbols)]
        symbols = [each.symbol for each in tickers]

        def held() -> Iterator[Any]:
            for symbol in symbols:
                for each in old.holdings.history(symbol):
                    if (since or date.min) <= each.filing_date <= (until or date.max):
                        yield each

        institutions = old.institutions.all()
        if not part.whole:
            ciks = {each.cik for each in held()}
            institutions = [each for each in institutions if each.cik in ciks]

        def merged(new: Database) -> dict[str, int]:
            return {
                "tickers": new.tickers.upsert(tickers),
                "institutions": new.institutions.upsert(institutions),
                "market_data": new.market.upsert(
                    each for symbol in symbols for each in old.market.history(symbol, since, until)
                ),
                "institutional_holdings": new.holdings.upsert(held()),
                "retail_sentiment": new.sentiment.upsert(
                    each for symbol in symbols for each in old.sentiment.history(symbol, since, until)
                ),
            }

        with target.transaction(isolation="read committed") as new:
            written = merged(new)
            if any(again := merged(new).values()):
                raise TransferError(f"{sum(again)} rows differ after they were merged")
    return Copied({}, merged=written)


def verify(first: Database, second: Database, *, limit: int = _LIMIT) -> Verification:
    """Compare two databases, each in one state: rows, keys that are there twice or missing, and schemas.

    :param limit: how many differences to narrow down to their rows.
    """
    with first._session.connection() as one, second._session.connection() as two:
        chunks = chunk_digests(first), chunk_digests(second)
        found: list[Difference] = []
        names = _symbols(first, second)
        sources = _Source(first, one, Slice()), _Source(second, two, Slice())
        for table in TABLES.values():
            differing = {*chunks[0][table.name]} ^ {*chunks[1][table.name]}
            for chunk in sorted({each.chunk for each in differing}):
                if len(found) < limit:
                    found += _differences(table, chunk, sources, names)
        faults = [f"{db._url}: {fault}" for db in (first, second) for fault in _faults(db._session.read)]
    faults += [f"{db._url}: {each}" for db in (first, second) for each in differences(db)]
    if first.version() != second.version():
        faults.append(f"migration {first.version()} and migration {second.version()}")
    tables = [
        {name: TableDigest(name, *combined(each)) for name, each in side.items()} for side in chunks
    ]
    return Verification(tables[0], tables[1], tuple(found[:limit]), tuple(faults))


def _faults(ask: Callable[[str], Any]) -> list[str]:
    """Keys that are there more than once, and keys that are referred to and not there."""
    found = []
    for each in ask("proof.duplicates"):
        key = ", ".join(str(value) for value in each[1:-1] if value is not None)
        found.append(f"{each.name}: {key} is there {each.number} times")
    return found + [
        f"{each.name}: {each.id} is not there, and {each.number:,} rows refer to it"
        for each in ask("proof.orphans")
    ]


def _symbols(*databases: Database) -> dict[int, str]:
    """The symbols of tickers by their keys."""
    found: dict[int, str] = {}
    for db in reversed(databases):
        with db._session.connection() as connection:
            _Source(db, connection, Slice()).read(
                TABLES["tickers"], lambda columns: found.update(zip(columns[0], columns[1], strict=True))
            )
    return found


def _differences(
    table: Table, chunk: int, sources: Sequence[_Source], symbols: dict[int, str]
) -> Iterator[Difference]:
    """In which rows a chunk differs, in the order of the keys."""
    names = [column.name for column in table.columns]
    places = [names.index(name) for name in table.primary_key]
    sides: list[dict[Any, list[Any]]] = []
    for source in sources:
        rows: list[tuple[Any, ...]] = []
        source.read(
            table,
            lambda columns, rows=rows: rows.extend(zip(*columns, strict=True)),  # type: ignore[misc]  # not inferred
            first=chunk * span(table),
            last=(chunk + 1) * span(table) - 1,
        )
        by_key = itemgetter(*places)
        sides.append({key: [*group] for key, group in groupby(sorted(rows, key=by_key), key=by_key)})
    for key in sorted({*sides[0], *sides[1]}):
        one, two = (side.get(key, []) for side in sides)
        if one == two:
            continue
        row = (one or two)[0]
        shown = " ".join(f"{names[at]}={_shown(table, at, row[at], symbols)}" for at in places)
        if len(one) != len(two):
            yield Difference(table.name, shown, None, len(one), len(two))
            continue
        for at, name in enumerate(names):
            values = one[0][at], two[0][at]
            if values[0] != values[1]:
                first, second = (_shown(table, at, value, {}) for value in values)
                yield Difference(table.name, shown, name, first, second)


def _shown(table: Table, place: int, value: Any, symbols: dict[int, str]) -> Any:
    """A stored value as it is meant: a day, a moment, a ticker's symbol."""
    column = table.columns[place]
    if value is None:
        return None
    if column.kind == "day":
        return str(date.fromordinal(value + EPOCH))
    if column.kind == "moment":
        return str(_MOMENT + timedelta(microseconds=value))
    return symbols.get(value, value) if column.name == "ticker_id" else value
