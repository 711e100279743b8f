"""Rows on their way to a table: checked, encoded and cut into batches of columns.

A batch is small enough for its values to stay in the processor's cache while they are checked a
column at a time; a larger one is slower per row. However many rows come, only a batch is in memory.
"""

from __future__ import annotations

import marshal
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, groupby, islice, repeat
from operator import itemgetter, lt, sub
from typing import Any, Final, Protocol

from repo.errors import (
    PROBLEM_LIMIT,
    DatabaseUnavailable,
    InvalidRecord,
    Missing,
    Problem,
    RepoError,
)
from repo.tables import Table
from repo.validation import check_ranges, check_types, row_by_row

__all__ = [
    "BATCH_ROWS",
    "EPOCH",
    "Columns",
    "RepeatedKeys",
    "RowEncoder",
    "SeenKeyRanges",
    "Stored",
    "SurrogateKeys",
    "Tally",
    "Unfit",
    "deduplicate",
]

BATCH_ROWS: Final = 1000
_LENGTH_BYTES: Final = 8
EPOCH: Final = date(1970, 1, 1).toordinal()

Columns = Sequence[Sequence[Any]]
"""Values of some rows, a sequence a column, in the order of the table's upsert statement.

Dates are whole days since 1970-01-01, tickers and institutions are their keys.
"""


class RepeatedKeys(RepoError):
    """A key comes more than once in rows in which none may.

    ``places`` are the first rows whose keys come again further on, as ranges, both ends included.
    """

    def __init__(self, places: Sequence[tuple[int, int]]) -> None:
        self.places = tuple(places)
        super().__init__("a key comes more than once")


class Unfit(RepoError):
    """Rows without some columns contradict what the rows that are there have in those.

    ``rows`` are the place, the field, its value and the reason of each.
    """

    def __init__(self, rows: Sequence[tuple[int, str, Any, str]]) -> None:
        self.rows = tuple(rows)
        super().__init__("rows contradict what is there")


@dataclass(slots=True)
class Tally:
    """What a load wants to know of an upsert besides how many rows were written.

    Of the rows that were written ``new`` were not there before, ``repeated`` rows gave way to others of
    their keys further on. Where the tally is ``strict``, those raise :class:`RepeatedKeys`.
    """

    strict: bool = False
    new: int = 0
    repeated: int = 0


@dataclass(slots=True)
class SurrogateKeys:
    """The keys that the database gave to tickers or institutions, fetched as names turn up."""

    fetch: Callable[[list[Any]], Iterable[tuple[Any, int]]]
    unknown: type[Missing]
    known: dict[Any, int] = field(default_factory=dict)
    missing: set[Any] = field(default_factory=set)

    def column(self, names: Sequence[Any]) -> Sequence[int]:
        """The key of each name; empty when one is missing, which ``missing`` then holds."""
        new = set(names) - self.known.keys()
        if new:
            self.known.update(self.fetch(sorted(new)))
            self.missing |= new - self.known.keys()
        if self.missing:
            return ()
        return list(map(self.known.__getitem__, names))


@contextmanager
def _setting_aside() -> Iterator[None]:
    """Tell what is wrong with the folder of temporary files for what it is."""
    try:
        yield
    except OSError as error:
        raise DatabaseUnavailable(
            f"cannot set rows aside: {error.strerror}; TMPDIR says in which folder that is done"
        ) from error


class Stored(Protocol):
    """What a table holds already, as far as it is worth asking."""

    comparing: bool

    def holds(self, batch: Columns) -> bool:
        """Whether these rows are in the table as they are."""


class RowEncoder:
    """An iterable of records as batches of columns.

    A bad row stops the batches but not the reading: what else is wrong is looked for before the
    error is raised, so that one attempt names all there is to mend.

    Rows may say more of themselves by attributes: ``rereadable``, if they can be iterated over again;
    ``absent``, the fields that they all lack, which an upsert is to leave as they are; ``tally``, a
    :class:`Tally` that is to be filled. ``latest`` has, where
    the table has unique columns besides its key, what is to be written for each key: its place among the
    rows, and its columns.

    After :meth:`ahead` the rows lie in a file of ours, checked, and ``keys`` has the keys of tickers or
    institutions, where they were asked for.
    """

    def __init__(
        self, table: Table, rows: Iterable[Any], identities: Mapping[str, SurrogateKeys]
    ) -> None:
        self._table = table
        self._rows = rows
        self._identities = identities
        # What has a length can be read again, and what says so. Not every other iterable can, even if
        # it is no iterator itself: it may hand out the same iterator each time.
        self._once = not (isinstance(rows, Collection) or getattr(rows, "rereadable", False))
        self.absent: frozenset[str] = frozenset(getattr(rows, "absent", ()))
        self.tally: Tally | None = getattr(rows, "tally", None)
        self.latest: dict[Any, tuple[int, tuple[Any, ...]]] = {}
        self._spool: Any = None
        self._row = 0
        self._ahead = False
        self.keys: set[Any] = set()
        self._encoding = [
            (name, column.kind) for name, column in zip(table.written_fields, table.written, strict=True)
        ]
        self._places = [table.places[name] for name in table.written_fields]

    @property
    def count(self) -> int:
        """How many rows were read so far."""
        return self._row

    def __enter__(self) -> RowEncoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of what was set aside."""
        if self._spool is not None:
            with suppress(OSError):  # of a disk that is full: what could not be written is not wanted
                self._spool.close()

    def ahead(self, *, keys: bool = False) -> None:
        """Read and check all rows now and set them aside, where that takes time and they are many.

        What is to be asked of the database, the keys of tickers and institutions, is left for
        :meth:`read`, which is quick after this. Rows that lie in a list or the like need no reading.

        :param keys: remember the keys of a table in which they are one column; all of them.
        :raises InvalidRecord: with the first problems of all the rows.
        :raises DatabaseUnavailable: when rows cannot be set aside.
        """
        if isinstance(self._rows, list | tuple):
            return
        if self._once:
            rows = iter(self._rows)
            first = list(islice(rows, BATCH_ROWS + 1))
            if len(first) <= BATCH_ROWS:
                self._rows, self._once = first, False
                return
            self._rows = chain(first, rows)
        for batch in self._read(None, by_name=True):
            self._set_aside(batch)
            if keys and len(self._table.key) == 1:
                self.keys.update(batch[0])
        self._ahead, self._once = True, False

    def _set_aside(self, batch: Columns) -> None:
        with _setting_aside():
            if self._spool is None:
                self._spool = tempfile.TemporaryFile()  # noqa: SIM115  # __exit__ closes it
            data = marshal.dumps([list(column) for column in batch])
            self._spool.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)

    def _aside(self) -> Iterator[Columns]:
        """What was set aside, from the first."""
        if self._spool is None:
            return
        with _setting_aside():
            self._spool.seek(0)
        while True:
            with _setting_aside():
                length = int.from_bytes(self._spool.read(_LENGTH_BYTES), "big")
                data = self._spool.read(length)
            if not data:
                break
            # From a file, marshal would read a value at a time.
            yield marshal.loads(data)  # noqa: S302  # our own file, which nobody else sees

    def read(self, *, keep: bool = False, stored: Stored | None = None) -> Iterator[Columns]:
        """The batches, each once.

        :param keep: make :meth:`again` possible; an iterator's rows are then set aside on disk.
        :param stored: tells of a batch whether it is in the table as it is; such a batch is left out,
            and its measures need no check, for the table's constraints hold for them.
        :raises InvalidRecord: with the first problems of all the rows.
        :raises UnknownTicker: naming every symbol that is missing.
        :raises UnknownInstitution: naming every CIK that is missing.
        :raises DatabaseUnavailable: when rows cannot be set aside.
        """
        spool = keep and self._once
        for batch in self._read(stored):
            if spool:
                self._set_aside(batch)
            yield batch

    def again(self) -> Iterator[Columns]:
        """Every batch that is not stored, after :meth:`read` with ``keep`` stopped anywhere."""
        if not self._once:
            yield from self._read(None)
            return
        yield from self._aside()
        yield from self._read(None)

    def _read(self, stored: Stored | None, *, by_name: bool = False) -> Iterator[Columns]:
        """The batches, from where the rows are.

        :param by_name: leave names of tickers and institutions in place of their keys.
        """
        if self._ahead:
            yield from self._read_aside(stored)
            return
        problems: list[Problem] = []
        rows = iter(self._rows)
        if not self._once:
            self._row = 0
        while batch := list(islice(rows, BATCH_ROWS)):
            first_row = self._row
            self._row += len(batch)  # before the batch is given away: the reader may stop there
            try:
                checked = PROBLEM_LIMIT - len(problems)
                encoded = self._checked(batch, first_row, checked, stored, by_name=by_name)
            except InvalidRecord as invalid:
                problems.extend(invalid.problems)
                if len(problems) >= PROBLEM_LIMIT:
                    break
            else:
                if not problems and encoded is not None:
                    self._note(encoded, first_row)
                    yield encoded
        if problems:
            raise InvalidRecord(problems)
        self._refuse_missing()

    def _read_aside(self, stored: Stored | None) -> Iterator[Columns]:
        """The batches that were set aside, with the keys of what they name."""
        for batch in self._aside():
            encoded = self._identified(batch)
            if encoded is None or (stored is not None and stored.comparing and stored.holds(encoded)):
                continue
            yield encoded
        self._refuse_missing()

    def _refuse_missing(self) -> None:
        for identities in self._identities.values():
            if identities.missing:
                raise identities.unknown(identities.missing)

    def _note(self, batch: Columns, first_row: int) -> None:
        if self._table.unique:
            rows = enumerate(zip(*batch, strict=True), first_row)
            self.latest.update((row[0], (place, row)) for place, row in rows)

    def _checked(
        self,
        batch: list[Any],
        first_row: int,
        limit: int,
        stored: Stored | None,
        *,
        by_name: bool,
    ) -> Columns | None:
        """Storage columns of rows; None where there is nothing to write."""
        spec = self._table
        columns = check_types(spec, batch)
        if columns is None or stored is None or not stored.comparing:
            final = None if columns is None else check_ranges(spec, columns)
            if final is None:
                final = row_by_row(spec, batch, first_row, limit)
            return self._dated(final) if by_name else self._encode(final)
        encoded = self._encode(columns)
        if encoded is not None and stored.holds(encoded):
            return None
        final = check_ranges(spec, columns)
        if final is None:
            return self._encode(row_by_row(spec, batch, first_row, limit))
        return None if encoded is None else self._with_measures(encoded, final)

    def _encode(self, checked: Columns) -> list[Sequence[Any]] | None:
        """Storage columns from a record's, or None once a ticker or an institution is missing."""
        return self._identified(self._dated(checked))

    def _dated(self, checked: Columns) -> list[Sequence[Any]]:
        """Storage columns from a record's, but with the names of tickers and institutions."""
        encoded: list[Sequence[Any]] = []
        for (_, kind), place in zip(self._encoding, self._places, strict=True):
            column = checked[place]
            if kind == "day":
                column = list(map(sub, map(date.toordinal, column), repeat(EPOCH)))
            encoded.append(column)
        return encoded

    def _identified(self, dated: Columns) -> list[Sequence[Any]] | None:
        """Storage columns from those with names, or None once a ticker or an institution is missing."""
        encoded = list(dated)
        for place, (name, kind) in enumerate(self._encoding):
            if kind == "id":
                encoded[place] = self._identities[name].column(dated[place])
        if any(identities.missing for identities in self._identities.values()):
            return None
        return encoded

    def _with_measures(self, encoded: list[Sequence[Any]], final: Columns) -> Columns:
        """Storage columns with their measures in range; the others are encoded already."""
        fields = self._table.fields
        return [
            final[place] if fields[place].measure else column
            for place, column in zip(self._places, encoded, strict=True)
        ]


def deduplicate(batch: Columns, key_width: int) -> tuple[Columns, list[tuple[Any, ...]]]:
    """The batch with each key once, the last of them, and its keys in order."""
    keys = list(zip(*batch[:key_width], strict=True))
    if all(map(lt, keys, islice(keys, 1, None))):
        return batch, keys
    last = dict(zip(keys, range(len(keys)), strict=True))
    ordered = sorted(last)
    if len(last) < len(keys):
        kept = sorted(last.values())
        batch = [list(map(column.__getitem__, kept)) for column in batch]
    return batch, ordered


class SeenKeyRanges:
    """The keys that went by, as one range for each value of the key's first column.

    It takes no more memory than there are tickers, and is enough to vouch that no key came twice in
    rows that are sorted by ticker and date, by date and ticker, or newest first.
    """

    def __init__(self) -> None:
        self._ranges: dict[Any, tuple[tuple[Any, ...], tuple[Any, ...]]] = {}

    def admit(self, keys: list[tuple[Any, ...]]) -> bool:
        """Whether none of these ordered keys can have come before; remembers them if so."""
        if len(keys[0]) == 1:
            return self._admit(None, keys[0], keys[-1])
        if keys[0][0] == keys[-1][0]:
            return self._admit(keys[0][0], keys[0], keys[-1])
        for first, run in groupby(keys, key=itemgetter(0)):
            group = list(run)
            if not self._admit(first, group[0], group[-1]):
                return False
        return True

    def _admit(self, first: Any, low: tuple[Any, ...], high: tuple[Any, ...]) -> bool:
        seen = self._ranges.get(first)
        if seen is None:
            self._ranges[first] = (low, high)
        elif low > seen[1]:
            self._ranges[first] = (seen[0], high)
        elif high < seen[0]:
            self._ranges[first] = (low, seen[1])
        else:
            return False
        return True
