"""Rows on their way to a table: checked, encoded and cut into batches of columns.

Only one batch is in memory, however many rows there are. A batch is small enough for the processor's
cache, in which its columns are checked one by one; larger ones are slower per row.
"""

from __future__ import annotations

import marshal
import tempfile
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import chain, islice, repeat
from operator import sub
from typing import Any, Final, NamedTuple

from repo.errors import PROBLEM_LIMIT, DatabaseUnavailable, InvalidRecord, Problem, RepoError
from repo.rows import check_ranges, check_types, row_by_row
from repo.tables import Table

BATCH_ROWS: Final = 1000
_LENGTH_BYTES: Final = 8
EPOCH: Final = date(1970, 1, 1).toordinal()

Columns = Sequence[Sequence[Any]]
"""Some rows, as one sequence of values for each column, in the order of the table's upsert statement.

Dates are whole days since 1970-01-01; tickers and institutions are given by their keys.
"""


class RepeatedKeys(RepoError):
    """A key is repeated in rows in which that is not allowed.

    ``rows`` are the numbers of the first rows whose keys come again, as ranges with both ends included.
    """

    def __init__(self, rows: Sequence[tuple[int, int]]) -> None:
        self.rows = tuple(rows)
        super().__init__("a key comes more than once")


class Unfit(RepoError):
    """Rows that lack some columns contradict the stored rows' values of those columns.

    ``rows`` has the row number, the field, its value and the reason for each.
    """

    def __init__(self, rows: Sequence[tuple[int, str, Any, str]]) -> None:
        self.rows = tuple(rows)
        super().__init__("rows contradict the stored ones")


@dataclass(slots=True)
class Tally:
    """What an upsert counts for a load, besides the rows written.

    ``new`` rows were inserted; ``repeated`` rows were replaced by later rows with the same keys. With
    ``strict``, a repeated key raises :class:`RepeatedKeys`.
    """

    strict: bool = False
    new: int = 0
    repeated: int = 0


FindKeys = Callable[[Table, list[Any]], Iterable[tuple[Any, int]]]
"""Looks up the keys of a table's rows by their names; names that are not stored are left out."""


@dataclass(slots=True)
class SurrogateKeys:
    """The keys that the database gave to a table's rows, looked up when a name first comes."""

    table: Table
    known: dict[Any, int] = field(default_factory=dict)
    missing: set[Any] = field(default_factory=set)

    def column(self, names: Sequence[Any], find: FindKeys) -> Sequence[int]:
        """The key of each name; empty once a name was not found, which is then in ``missing``."""
        new = set(names) - self.known.keys()
        if new:
            self.known.update(find(self.table, sorted(new)))
            self.missing |= new - self.known.keys()
        if self.missing:
            return ()
        return list(map(self.known.__getitem__, names))


class Batch(NamedTuple):
    """Some rows as columns; their numbers may be out of range until ``checked`` was called.

    ``checked`` returns the columns to be written, or None if a row is invalid: then the remaining
    rows are read only to find more problems, and the error is raised at their end.
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

    A bad row stops the batches but not the reading, so that one error names further problems too.

    The iterable may have attributes: ``rereadable``, whether it can be iterated over again; ``absent``,
    the fields that all its rows lack, which an upsert leaves as they are; ``tally``, a :class:`Tally` to
    fill. For a table with unique columns besides its key, ``latest`` has the last row of each key: its
    number and its values.

    After :meth:`ahead` the rows are checked and in a temporary file, and ``keys`` has the keys of
    tickers or institutions if they were asked for.
    """

    def __init__(self, table: Table, rows: Iterable[Any]) -> None:
        self._table = table
        self._rows = rows
        # An iterable that is no collection may return the same iterator each time.
        self._once = not (isinstance(rows, Collection) or getattr(rows, "rereadable", False))
        self.absent: frozenset[str] = frozenset(getattr(rows, "absent", ()))
        self.tally: Tally | None = getattr(rows, "tally", None)
        self.latest: dict[Any, tuple[int, tuple[Any, ...]]] = {}
        self._spool: Any = None
        self._row = 0
        self._ahead = False
        self.keys: set[Any] = set()
        self._fields = [table.fields[table.positions[name]] for name in table.written_fields]
        self._positions = [table.positions[name] for name in table.written_fields]
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
        """Delete the rows that were set aside."""
        if self._spool is not None:
            with suppress(OSError):  # a full disk: the data that could not be written is not needed
                self._spool.close()

    def ahead(self, *, keys: bool = False) -> None:
        """Read and check all rows now, and set them aside if they are more than a batch.

        Rows in a list or tuple are left there. Surrogate keys are looked up later, by :meth:`read`.

        :param keys: collect the keys of the rows, if a key is one column.
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
        """The batches that were set aside, from the first."""
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
            # marshal reads from a file value by value.
            yield marshal.loads(data)  # noqa: S302  # our own temporary file

    def batches(self, find: FindKeys, *, keep: bool = False) -> Iterator[Batch]:
        """The batches, each once; the caller checks them.

        :param find: looks up the keys of tickers and institutions in the database.
        :param keep: make :meth:`again` possible; an iterator's rows are set aside as they are checked.
        :raises InvalidRecord: with the first problems of all the rows.
        :raises UnknownTicker: naming every symbol that is missing.
        :raises UnknownInstitution: naming every CIK that is missing.
        :raises DatabaseUnavailable: when rows cannot be set aside.
        """
        keep = keep and self._once
        encoded = self._encoded()
        for batch in encoded:
            try:
                keys = {
                    index: each.column(batch.columns[index], find) for index, each in self._references
                }
            except RepoError:
                if batch.checked() is None:  # what is wrong with the rows comes first: encoded raises it
                    deque(encoded, maxlen=0)
                raise
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

        An iterator's batches that were never checked are left out, as their rows are stored already.
        """
        if self._once:
            yield from self._aside()
        yield from self.read(find)

    def _checked(
        self, batch: Batch, keys: Mapping[int, Sequence[int]], end: int, *, keep: bool
    ) -> Columns | None:
        """A batch, checked, with keys for names; ``end`` is the number of rows read up to its end."""
        named = batch.checked()
        if named is None:
            return None
        columns = _replaced(named, keys)
        if self._table.unique:
            rows = enumerate(zip(*columns, strict=True), end - len(columns[0]))
            self.latest.update((row[0], (number, row)) for number, row in rows)
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
            self._row += len(batch)  # before the yield: the caller may stop there
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
        """The encoded columns, their numbers checked; None if there are problems, which are added."""
        final = check_ranges(self._table, typed)
        if final is None:
            return self._row_by_row(rows, first_row, problems)
        return [
            final[position] if each.measure else column
            for each, position, column in zip(self._fields, self._positions, encoded, strict=True)
        ]

    def _row_by_row(
        self, rows: Sequence[Any], first_row: int, problems: list[Problem]
    ) -> Columns | None:
        """Rows as columns, checked a value at a time; None if there are problems, which are added."""
        try:
            return self._dated(row_by_row(self._table, rows, first_row, PROBLEM_LIMIT - len(problems)))
        except InvalidRecord as invalid:
            problems.extend(invalid.problems)
            return None

    def _dated(self, columns: Columns) -> Columns:
        """A record's columns in the order they are written, with days as numbers."""
        return [
            list(map(sub, map(date.toordinal, columns[position]), repeat(EPOCH)))
            if each.type is date
            else columns[position]
            for each, position in zip(self._fields, self._positions, strict=True)
        ]


def _as_is(columns: Columns | None) -> Columns | None:
    return columns


def _replaced(columns: Columns, others: Mapping[int, Sequence[Any]]) -> Columns:
    """Columns, some of them replaced, by their index."""
    return [others.get(index, column) for index, column in enumerate(columns)]
