"""Two databases compared, down to the rows in which they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from repo.batches import EPOCH
from repo.chunks import ChunkDigest, span
from repo.digests import TableDigest, combined_digests
from repo.errors import ConfigurationError
from repo.introspection import differences
from repo.showing import listed
from repo.tables import TABLES, Table
from repo.transfer.proof import faults, others
from repo.transfer.slices import SliceReader

if TYPE_CHECKING:
    from repo.database import Database

_LIMIT: Final = 20
_MOMENT: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RowDifference(NamedTuple):
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
    """What a comparison found: the digests of both, the first differences, and the faults of each.

    ``unseen`` is what was not compared: the schema of a standby, and tables that are not the package's.
    """

    first: dict[str, TableDigest]
    second: dict[str, TableDigest]
    differences: tuple[RowDifference, ...]
    faults: tuple[str, ...]
    unseen: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether both hold the same rows, and neither breaks a constraint or lacks one."""
        return self.first == self.second and not self.faults


def verify(first: Database, second: Database, *, limit: int = _LIMIT) -> Verification:
    """Compare two databases, each in one state: rows, keys that are there twice or missing, and schemas.

    :param limit: how many differences to narrow down to their rows.
    """
    with (
        first._session.connection() as one,
        first._backend.transfer().scanning(one),
        second._session.connection() as two,
        second._backend.transfer().scanning(two),
    ):
        sources = SliceReader(first, one), SliceReader(second, two)
        with ThreadPoolExecutor(2) as both:
            (chunks, wrong), (other_chunks, others_wrong) = both.map(_examined, sources)
        found: list[RowDifference] = []
        symbols = _symbols(*sources) if chunks != other_chunks else {}
        for table in TABLES.values():
            differing = {*chunks[table.name]} ^ {*other_chunks[table.name]}
            for chunk in sorted({each.chunk for each in differing}):
                if len(found) < limit:
                    found += _differences(table, chunk, sources, symbols)
    told, unseen = [], []
    for db, faulty in ((first, wrong), (second, others_wrong)):
        if names := others(db):
            unseen.append(
                f"{db._url}: not compared, for they are no tables of this package: {listed(names)}"
            )
        told += [f"{db._url}: {each}" for each in faulty]
        try:
            told += [f"{db._url}: {each}" for each in differences(db)]
        except ConfigurationError as error:
            unseen.append(f"{db._url}: {error}")
    if first.version() != second.version():
        told.append(f"migration {first.version()} and migration {second.version()}")
    return Verification(
        combined_digests(chunks),
        combined_digests(other_chunks),
        tuple(found[:limit]),
        tuple(told),
        tuple(unseen),
    )


def _examined(source: SliceReader) -> tuple[dict[str, list[ChunkDigest]], list[str]]:
    """The chunks of each table, and what breaks its constraints."""
    return {table.name: source.chunks(table) for table in TABLES.values()}, faults(source.ask)


def _symbols(*sources: SliceReader) -> dict[int, str]:
    """The symbols of tickers by their keys, where both have one the first source's."""
    found: dict[int, str] = {}
    for source in reversed(sources):
        source.read(
            TABLES["tickers"], lambda columns: found.update(zip(columns[0], columns[1], strict=True))
        )
    return found


def _differences(
    table: Table, chunk: int, sources: Sequence[SliceReader], symbols: dict[int, str]
) -> Iterator[RowDifference]:
    """The rows in which a chunk differs, in the order of the keys."""
    names = [column.name for column in table.columns]
    places = [names.index(name) for name in table.primary_key]
    by_key = itemgetter(*places)
    sides: list[dict[Any, list[Any]]] = []
    for source in sources:
        rows: list[tuple[Any, ...]] = []
        source.read(
            table,
            lambda columns, rows=rows: rows.extend(zip(*columns, strict=True)),  # type: ignore[misc]  # not inferred
            first=chunk * span(table),
            last=(chunk + 1) * span(table) - 1,
        )
        sides.append({key: [*group] for key, group in groupby(sorted(rows, key=by_key), key=by_key)})
    for key in sorted({*sides[0], *sides[1]}):
        one, two = (side.get(key, []) for side in sides)
        if one == two:
            continue
        row = (one or two)[0]
        shown = " ".join(f"{names[at]}={_shown(table, at, row[at], symbols)}" for at in places)
        if len(one) != len(two):
            yield RowDifference(table.name, shown, None, len(one), len(two))
            continue
        for at, name in enumerate(names):
            values = one[0][at], two[0][at]
            if values[0] != values[1]:
                first, second = (_shown(table, at, value, {}) for value in values)
                yield RowDifference(table.name, shown, name, first, second)


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
