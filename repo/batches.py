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
from functools import partial
from itertools import chain, groupby, islice, repeat
from operator import itemgetter, lt, sub
from typing import Any, Final, NamedTuple

from repo.errors import (
    PROBLEM_LIMIT,
    DatabaseUnavailable,
    InvalidRecord,
    Problem,
    RepoError,
)
from repo.tables import Table
from repo.validation import check_ranges, check_types, row_by_row

__all__ = [
    "BATCH_ROWS",
    "EPOCH",
    "Batch",
    "Columns",
    "FindKeys",
    "RepeatedKeys",
    "RowEncoder",
    "SeenKeyRanges",
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


FindKeys = Callable[[Table, list[Any]], Iterable[tuple[Any, int]]]
"""Asks for the keys that the database gave to rows of a table, by their names; gives those there are."""


@dataclass(slots=True)
class SurrogateKeys:
    """The keys that the database gave to rows of a table, fetched as their names turn up."""

    table: Table
    known: dict[Any, int] = field(default_factory=dict)
    missing: set[Any] = field(default_factory=set)

    def column(self, names: Sequence[Any], find: FindKeys) -> Sequence[int]:
        """The key of each name; empty when one is missing, which ``missing`` then holds."""
        new = set(names) - self.known.keys()
        if new:
            self.known.update(find(self.table, sorted(new)))
            self.missing |= new - self.known.keys()
        if self.missing:
            return ()
        return list(map(self.known.__getitem__, names))


class Batch(NamedTuple):
    """Some rows as columns, whose numbers may be out of range until they are checked.

    ``checked`` gives them as they are to be written, or None where one is invalid: the rest of the rows
    are then read without being given out, and the error is raised at their end.
    """

    columns: Columns
    checked: Callable[[], Columns | None]


@contextmanager
def _setting_aside() -> Iterator[None]:
    """Turn an error of the temporary folder into the package's own."""
    try:
        yield
    except OSError as error:
        raise DatabaseUnavailable(
            f"cannot set rows aside: {error.strerror}; TMPDIR says in which folder that is done"
        ) from error


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

    def __init__(self, table: Table, rows: Iterable[Any]) -> None:
        self._table = table
        self._rows = rows
        # A list can be iterated over again, and so can what says so. Other iterables may not, even if
        # they are no iterators: they may hand out the same iterator each time.
        self._once = not (isinstance(rows, Collection) or getattr(rows, "rereadable", False))
        self.absent: frozenset[str] = frozenset(getattr(rows, "absent", ()))
        self.tally: Tally | None = getattr(rows, "tally", None)
        self.latest: dict[Any, tuple[int, tuple[Any, ...]]] = {}
        self._spool: Any = None
        self._row = 0
        self._ahead = False
        self.keys: set[Any] = set()
        self._fields = [table.fields[table.places[name]] for name in table.written_fields]
        self._places = [table.places[name] for name in table.written_fields]
        self._references = [
            (table.written_fields.index(name), SurrogateKeys(referred))
            for name, referred in table.references.items()
        ]

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
        for batch in self._encoded():
            columns = batch.checked()
            if columns is not None:
                self._set_aside(columns)
                if keys and len(self._table.key) == 1:
                    self.keys.update(columns[0])
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

    def batches(self, find: FindKeys, *, keep: bool = False) -> Iterator[Batch]:
        """The batches, each once, to be checked by their writer.

        :param find: asks the database for the keys of tickers and institutions.
        :param keep: make :meth:`again` possible; an iterator's rows are set aside as they are checked.
        :raises InvalidRecord: with the first problems of all the rows.
        :raises UnknownTicker: naming every symbol that is missing.
        :raises UnknownInstitution: naming every CIK that is missing.
        :raises DatabaseUnavailable: when rows cannot be set aside.
        """
        keep = keep and self._once
        for batch in self._encoded():
            keys = {place: each.column(batch.columns[place], find) for place, each in self._references}
            if any(each.missing for _, each in self._references):
                batch.checked()
            else:
                columns = _replaced(batch.columns, keys)
                yield Batch(columns, partial(self._checked, batch, keys, self._row, keep=keep))
        for _, each in self._references:
            if each.missing:
                raise each.table.unknown(each.missing)

    def read(self, find: FindKeys) -> Iterator[Columns]:
        """The batches of :meth:`batches`, checked."""
        for batch in self.batches(find):
            columns = batch.checked()
            if columns is not None:
                yield columns

    def again(self, find: FindKeys) -> Iterator[Columns]:
        """The batches once more, from the first, after :meth:`batches` with ``keep`` stopped anywhere.

        Of an iterator those are left out that were not checked: they are in the table as they are.
        """
        if self._once:
            yield from self._aside()
        yield from self.read(find)

    def _checked(
        self, batch: Batch, keys: Mapping[int, Sequence[int]], end: int, *, keep: bool
    ) -> Columns | None:
        """A batch checked, with keys in place of names; ``end`` is how many rows were read by then."""
        named = batch.checked()
        if named is None:
            return None
        columns = _replaced(named, keys)
        if self._table.unique:
            rows = enumerate(zip(*columns, strict=True), end - len(columns[0]))
            self.latest.update((row[0], (place, row)) for place, row in rows)
        if keep:
            self._set_aside(columns)
        return columns

    def _encoded(self) -> Iterator[Batch]:
        """Batches of the rows given, or of those set aside; tickers and institutions still by name."""
        if self._ahead:
            self._row = 0
            for columns in self._aside():
                self._row += len(columns[0])
                yield Batch(columns, partial(_as_is, columns))
            return
        problems: list[Problem] = []
        rows = iter(self._rows)
        if not self._once:
            self._row = 0
        while len(problems) < PROBLEM_LIMIT and (batch := list(islice(rows, BATCH_ROWS))):
            first_row = self._row
            self._row += len(batch)  # before the batch is given away: the reader may stop there
            typed = check_types(self._table, batch)
            if typed is None:
                found = self._row_by_row(batch, first_row, problems)
                check = partial(_as_is, found)
            else:
                found = self._dated(typed)
                check = partial(self._in_range, batch, typed, found, first_row, problems)
            if problems or found is None:
                check()
            else:
                yield Batch(found, check)
        if problems:
            raise InvalidRecord(problems)

    def _in_range(
        self,
        rows: Sequence[Any],
        typed: Columns,
        encoded: Columns,
        first_row: int,
        problems: list[Problem],
    ) -> Columns | None:
        """Encoded columns with numbers in range; None where there are problems, which are added."""
        final = check_ranges(self._table, typed)
        if final is None:
            return self._row_by_row(rows, first_row, problems)
        return [
            final[place] if each.measure else column
            for each, place, column in zip(self._fields, self._places, encoded, strict=True)
        ]

    def _row_by_row(
        self, rows: Sequence[Any], first_row: int, problems: list[Problem]
    ) -> Columns | None:
        """Rows as columns, checked a value at a time; None where there are problems, which are added."""
        try:
            return self._dated(row_by_row(self._table, rows, first_row, PROBLEM_LIMIT - len(problems)))
        except InvalidRecord as invalid:
            problems.extend(invalid.problems)
            return None

    def _dated(self, columns: Columns) -> Columns:
        """A record's columns in the order they are written, with days as numbers."""
        return [
            list(map(sub, map(date.toordinal, columns[place]), repeat(EPOCH)))
            if each.type is date
            else columns[place]
            for each, place in zip(self._fields, self._places, strict=True)
        ]


def _as_is(columns: Columns | None) -> Columns | None:
    return columns


def _replaced(columns: Columns, others: Mapping[int, Sequence[Any]]) -> Columns:
    """Columns with others in the places of some."""
    return [others.get(place, column) for place, column in enumerate(columns)]


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
