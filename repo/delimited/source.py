"""The records of one file, and the problems of its bad rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, repeat
from typing import Any, Final, NamedTuple

from repo.batches import Tally
from repo.delimited.files import Chunk, Delimited
from repo.delimited.headers import Layout
from repo.delimited.parquet import Parquet
from repo.delimited.rejects import Rejects
from repo.errors import PROBLEM_LIMIT, InvalidRecord, Problem
from repo.validation import columns

Progress = Callable[[str, int, int, int], None]
"""Called now and then with the kind of rows, the rows and bytes read so far, and the file's bytes."""

_PROGRESS_CHUNKS: Final = 20


class _Trouble(NamedTuple):
    """What is wrong with a row: its offset in its chunk, the field (None for the row), the reason."""

    offset: int
    field: str | None
    reason: str


class _Rows(NamedTuple):
    """Records, and the offset in its chunk of the row of each."""

    records: list[Any]
    offsets: Sequence[int]

    def without(self, troubles: Iterable[_Trouble]) -> _Rows:
        """The same without the rows that have troubles."""
        bad = {trouble.offset for trouble in troubles}
        if not bad:
            return self
        kept = [index for index, offset in enumerate(self.offsets) if offset not in bad]
        return _Rows([self.records[i] for i in kept], [self.offsets[i] for i in kept])


class Source:
    """An iterable of a file's records, which reads the file anew each time.

    ``rereadable``, ``absent`` and ``tally`` are for :class:`repo.batches.RowEncoder`. A bad row raises
    InvalidRecord, or is left out and goes to ``rejects`` once :meth:`reject_to` was called. ``rows`` and
    ``rejected`` count the rows of the last reading.
    """

    rereadable = True

    def __init__(
        self, file: Delimited | Parquet, layout: Layout, symbol: str | None, progress: Progress | None
    ) -> None:
        self.file = file
        self.layout = layout
        self.rows = 0
        self.rejected = 0
        self.rejects: Rejects | None = None
        self.absent = layout.absent
        self.tally = Tally()
        self._refused: Mapping[int, tuple[str, str]] = {}
        self._mark = (0, 0)
        self._known: Mapping[str, set[Any]] = {}
        self._symbol = symbol
        self._progress = progress

    def reject_to(self, rejects: Rejects, known: Mapping[str, set[Any]]) -> None:
        """Leave bad rows out from now on.

        :param known: the stored keys, by the field that refers to them: upper-case symbols, CIKs.
        """
        self.rejects = rejects
        self._mark = rejects.mark()
        self._known = known

    def take_back(self) -> None:
        """Forget the rejected rows of this file, and of the files that were read after it."""
        if self.rejects is not None:
            self.rejects.rewind(self._mark)

    def refuse(self, rows: Mapping[int, tuple[str, str]]) -> None:
        """Leave these rows out too: a field and a reason for each number of a row in the file."""
        self._refused = rows

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self._records())

    def _records(self) -> Iterator[list[Any]]:
        self.rows = self.rejected = 0
        if self.rejects is not None:
            self.rejects.rewind(self._mark)
        for number, chunk in enumerate(self.file.chunks(), 1):
            rows, troubles = self._convert(chunk)
            if self.rejects is not None:
                rows, refused = self._vet(rows, self.rows)
                self._reject(chunk, troubles + refused, self.rejects)
            elif troubles:
                raise InvalidRecord(problem for problem, _ in self._problems(chunk, troubles))
            self.rows += len(chunk.rows)
            if number % _PROGRESS_CHUNKS == 0:
                self._tell(chunk.position)
            yield rows.records
        self._tell(self.file.size)

    def _tell(self, position: int) -> None:
        if self._progress is not None:
            self._progress(self.layout.kind, self.rows, position, self.file.size)

    def diagnose(self) -> list[Problem]:
        """The first problems of the file, in the order of its rows; reads it anew to find them."""
        found: list[Problem] = []
        self.rows = 0
        try:
            for chunk in self.file.chunks():
                rows, troubles = self._convert(chunk)
                troubles += self._vet(rows, self.rows)[1]
                found += (problem for problem, _ in self._problems(chunk, troubles))
                if len(found) >= PROBLEM_LIMIT:
                    break
                self.rows += len(chunk.rows)
        except InvalidRecord as invalid:
            found += invalid.problems
        return found[:PROBLEM_LIMIT]

    def _taken(self) -> Iterator[tuple[int, Chunk, _Rows]]:
        """The rows not left out, read anew, with their chunk and the number of its first row."""
        first = 0
        for chunk in self.file.chunks():
            rows, _ = self._convert(chunk)
            if self.rejects is not None:
                rows, _ = self._vet(rows, first)
            yield first, chunk, rows
            first += len(chunk.rows)

    def numbered(self) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """The rows that are not left out, as they are stored, with their numbers in the file.

        :raises InvalidRecord: for a bad row, if those are not left out.
        """
        for first, _, rows in self._taken():
            if rows.records:
                cleaned = columns(self.layout.table, rows.records, first)
                numbers = (first + offset for offset in rows.offsets)
                yield from zip(numbers, zip(*cleaned, strict=True), strict=True)

    def numbers(self, offsets: Collection[int]) -> dict[int, int]:
        """The numbers in the file of rows that are given by their number among those not left out."""
        found: dict[int, int] = {}
        taken = 0
        for first, _, rows in self._taken():
            here = [offset for offset in offsets if taken <= offset < taken + len(rows.offsets)]
            found.update((offset, first + rows.offsets[offset - taken]) for offset in here)
            taken += len(rows.offsets)
        return found

    def located(self, wanted: Mapping[int, tuple[str, str]]) -> list[Problem]:
        """Problems with their lines, from a field and a reason for each number of a row in the file."""
        found: list[Problem] = []
        self.rows = 0
        for chunk in self.file.chunks():
            end = self.rows + len(chunk.rows)
            here = [row for row in wanted if self.rows <= row < end]
            troubles = [_Trouble(row - self.rows, *wanted[row]) for row in here]
            found += (problem for problem, _ in self._problems(chunk, troubles))
            self.rows = end
        return found

    def lines(self, wanted: Collection[int]) -> dict[int, int]:
        """The physical lines on which rows start, by their numbers in the file; reads it anew."""
        found: dict[int, int] = {}
        first = 0
        for chunk in self.file.chunks():
            here = [row for row in wanted if first <= row < first + len(chunk.rows)]
            if here:
                lines = chunk.lines()
                found.update((row, lines[row - first]) for row in here)
            first += len(chunk.rows)
        return found

    def repeated(self, ranges: Iterable[tuple[int, int]]) -> list[Problem]:
        """The first problems of repeated keys; reads the file anew.

        :param ranges: of rows whose keys come again, by their numbers among those not left out.
        """
        table = self.layout.table
        key_positions = [table.positions[name] for name in table.key]
        wanted = islice(chain.from_iterable(range(low, high + 1) for low, high in ranges), PROBLEM_LIMIT)
        ahead = deque(wanted)
        found: list[Problem] = []
        waiting: dict[tuple[Any, ...], list[int]] = {}
        number = 0
        for first, chunk, rows in self._taken():
            if not rows.records:
                continue
            lines = chunk.lines()
            cleaned = columns(table, rows.records, first)
            keys = zip(*(cleaned[offset] for offset in key_positions), strict=True)
            for key, offset in zip(keys, rows.offsets, strict=True):
                for index in waiting.pop(key, ()):
                    reason = f"the key comes again on line {lines[offset]}"
                    found[index] = found[index]._replace(reason=reason)
                if ahead and number == ahead[0]:
                    ahead.popleft()
                    waiting.setdefault(key, []).append(len(found))
                    fields, value = ", ".join(table.key), ", ".join(map(str, key))
                    path = str(self.file.path)
                    found.append(Problem(first + offset, fields, value, "", path, lines[offset]))
                number += 1
            if not ahead and not waiting:
                break
        return found

    def _convert(self, chunk: Chunk) -> tuple[_Rows, list[_Trouble]]:
        """Records of the rows whose cells can be read, and what is wrong with the others."""
        rows = chunk.rows
        offsets: Sequence[int] = range(len(rows))
        troubles: list[_Trouble] = []
        width = len(self.file.header)
        if set(map(len, rows)) != {width}:
            for offset in offsets:
                if len(rows[offset]) != width:
                    reason = f"{len(rows[offset])} cells where the header has {width}"
                    troubles.append(_Trouble(offset, None, reason))
            offsets = [offset for offset in offsets if len(rows[offset]) == width]
            rows = [rows[offset] for offset in offsets]
        if not rows:
            return _Rows([], []), troubles
        cells = list(chain.from_iterable(rows))
        values: list[Iterable[Any]] = []
        for field, column in self.layout.columns:
            if column is None:
                values.append(repeat(self._symbol if field.name == "symbol" else None, len(rows)))
                continue
            converted, refused = self.file.convert(field, cells[column::width])
            values.append(converted)
            troubles += [_Trouble(offsets[index], field.name, reason) for index, reason in refused]
        # tuple.__new__ is what a named tuple's _make calls; this saves a Python call per row.
        record = self.layout.table.record
        records = list(map(tuple.__new__, repeat(record), zip(*values, strict=True)))
        return _Rows(records, offsets).without(troubles), troubles

    def _vet(self, rows: _Rows, first: int) -> tuple[_Rows, list[_Trouble]]:
        """The rows that ``upsert`` will accept, and what is wrong with the others.

        :param first: the number of the chunk's first row.
        """
        refused: list[_Trouble] = []
        start = 0
        while start < len(rows.records):
            try:
                columns(self.layout.table, rows.records[start:], start)
                break
            except InvalidRecord as invalid:
                # They are in the order of the rows: all rows before the last of them were checked.
                for problem in invalid.problems:
                    start = problem.row or 0
                    refused.append(_Trouble(rows.offsets[start], problem.field, problem.reason))
                start += 1
        rows = rows.without(refused)
        strangers = self._strangers(rows)
        if self._refused:
            told = ((offset, self._refused.get(first + offset)) for offset in rows.offsets)
            strangers += [_Trouble(offset, *each) for offset, each in told if each is not None]
        return rows.without(strangers), refused + strangers

    def _strangers(self, rows: _Rows) -> list[_Trouble]:
        """Rows that name a ticker or an institution that the database does not know."""
        table = self.layout.table
        found = []
        for name, known in self._known.items():
            at = table.positions[name]
            reason = f"unknown {table.references[name].unknown.noun}"
            for record, offset in zip(*rows, strict=True):
                value = record[at]
                if value not in known and (name == "cik" or value.upper() not in known):
                    found.append(_Trouble(offset, name, reason))
        return found

    def _problems(
        self, chunk: Chunk, troubles: list[_Trouble]
    ) -> Iterator[tuple[Problem, Sequence[Any]]]:
        """Troubles as problems, in the order of their rows, each with the cells of its row."""
        if not troubles:
            return
        lines = chunk.lines()
        for offset, field, reason in sorted(troubles, key=lambda trouble: trouble.offset):
            cells = chunk.rows[offset]
            column = None if field is None else self.layout.position(field)
            # The cell and not its value, so that it can be found in the file.
            value = self.file.delimiter.join(map(str, cells)) if column is None else cells[column]
            header = None if column is None else self.file.header[column]
            row = self.rows + offset
            path = str(self.file.path)
            yield Problem(row, field or "row", value, reason, path, lines[offset], header), cells

    def _reject(self, chunk: Chunk, troubles: list[_Trouble], rejects: Rejects) -> None:
        for problem, cells in self._problems(chunk, troubles):
            rejects.add(problem, cells, self.file.delimiter)
        self.rejected += len({trouble.offset for trouble in troubles})
