"""The records of one file, and the problems of its bad rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, repeat
from typing import Any, Final, NamedTuple

from repo.batches import Tally
from repo.delimited.files import Delimited, FileChunk
from repo.delimited.headers import Layout
from repo.delimited.parquet import Parquet
from repo.delimited.rejects import Rejects
from repo.errors import PROBLEM_LIMIT, InvalidRecord, Problem
from repo.rows import columns

LoadProgress = Callable[[str, int, int, int], None]
"""Called now and then with the kind of rows, the rows and bytes read so far, and the file's bytes."""

_PROGRESS_CHUNKS: Final = 20


class _Fault(NamedTuple):
    """What is wrong with a row: its offset in its chunk, the field (None for the row), the reason."""

    offset: int
    field: str | None
    reason: str


class _Rows(NamedTuple):
    """Records, and the offset in its chunk of the row of each."""

    records: list[Any]
    offsets: Sequence[int]

    def without(self, faults: Iterable[_Fault]) -> _Rows:
        """The rows that have no faults."""
        bad = {fault.offset for fault in faults}
        if not bad:
            return self
        kept = [index for index, offset in enumerate(self.offsets) if offset not in bad]
        return _Rows([self.records[i] for i in kept], [self.offsets[i] for i in kept])


class FileSource:
    """An iterable of a file's records, which reads the file anew each time.

    ``rereadable``, ``absent`` and ``tally`` are for :class:`repo.batches.RowEncoder`. A bad row raises
    InvalidRecord, or is left out and goes to ``rejects`` once :meth:`reject_to` was called. ``rows`` and
    ``rejected`` count the rows of the last reading. Rows are numbered from 0 in their file.
    """

    rereadable = True

    def __init__(
        self,
        file: Delimited | Parquet,
        layout: Layout,
        symbol: str | None,
        progress: LoadProgress | None,
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

    def forget_rejects(self) -> None:
        """Forget the rejected rows of this file, and of the files that were read after it."""
        if self.rejects is not None:
            self.rejects.rewind(self._mark)

    def refuse(self, rows: Mapping[int, tuple[str, str]]) -> None:
        """Leave these rows out too: a field and a reason for each number."""
        self._refused = rows

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self._records())

    def _records(self) -> Iterator[list[Any]]:
        self.rows = self.rejected = 0
        self.forget_rejects()
        for number, chunk in enumerate(self.file.chunks(), 1):
            rows, faults = self._convert(chunk)
            if self.rejects is not None:
                rows, refused = self._accept(rows, self.rows)
                faults += refused
                for problem, cells in self._problems(chunk, faults, self.rows):
                    self.rejects.add(problem, cells, self.file.delimiter)
                self.rejected += len({fault.offset for fault in faults})
            elif faults:
                raise InvalidRecord(problem for problem, _ in self._problems(chunk, faults, self.rows))
            self.rows += len(chunk.rows)
            if number % _PROGRESS_CHUNKS == 0:
                self._report(chunk.position)
            yield rows.records
        self._report(self.file.size)

    def _report(self, position: int) -> None:
        if self._progress is not None:
            self._progress(self.layout.kind, self.rows, position, self.file.size)

    def _chunks(self) -> Iterator[tuple[int, FileChunk]]:
        """The chunks of the file, read anew, each with the number of its first row."""
        first = 0
        for chunk in self.file.chunks():
            yield first, chunk
            first += len(chunk.rows)

    def _accepted(self) -> Iterator[tuple[int, FileChunk, _Rows]]:
        """The chunks with the rows of each that are not left out."""
        for first, chunk in self._chunks():
            rows, _ = self._convert(chunk)
            if self.rejects is not None:
                rows, _ = self._accept(rows, first)
            yield first, chunk, rows

    def diagnose(self) -> list[Problem]:
        """The first problems of the file, in the order of its rows; reads it anew to find them."""
        found: list[Problem] = []
        try:
            for first, chunk in self._chunks():
                rows, faults = self._convert(chunk)
                faults += self._accept(rows, first)[1]
                found += (problem for problem, _ in self._problems(chunk, faults, first))
                if len(found) >= PROBLEM_LIMIT:
                    break
        except InvalidRecord as invalid:
            found += invalid.problems
        return found[:PROBLEM_LIMIT]

    def numbered(self) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """The rows that are not left out, as they are stored, with their numbers.

        :raises InvalidRecord: for a bad row, if those are not left out.
        """
        for first, _, rows in self._accepted():
            if rows.records:
                cleaned = columns(self.layout.table, rows.records, first)
                numbers = (first + offset for offset in rows.offsets)
                yield from zip(numbers, zip(*cleaned, strict=True), strict=True)

    def numbers(self, wanted: Collection[int]) -> dict[int, int]:
        """The numbers of rows that are given by their number among those not left out."""
        found: dict[int, int] = {}
        accepted = 0
        for first, _, rows in self._accepted():
            here = [number for number in wanted if accepted <= number < accepted + len(rows.offsets)]
            found.update((number, first + rows.offsets[number - accepted]) for number in here)
            accepted += len(rows.offsets)
        return found

    def located(self, wanted: Mapping[int, tuple[str | None, str]]) -> list[Problem]:
        """Problems with their lines, from a field and a reason for each number of a row."""
        found: list[Problem] = []
        for first, chunk in self._chunks():
            here = [row for row in wanted if first <= row < first + len(chunk.rows)]
            faults = [_Fault(row - first, *wanted[row]) for row in here]
            found += (problem for problem, _ in self._problems(chunk, faults, first))
        return found

    def lines(self, wanted: Iterable[int]) -> dict[int | None, int | None]:
        """The physical lines on which rows start, by their numbers."""
        return {each.row: each.line for each in self.located(dict.fromkeys(wanted, (None, "")))}

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
        for first, chunk, rows in self._accepted():
            if not rows.records:
                continue
            lines = chunk.lines()
            cleaned = columns(table, rows.records, first)
            keys = zip(*(cleaned[position] for position in key_positions), strict=True)
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

    def _convert(self, chunk: FileChunk) -> tuple[_Rows, list[_Fault]]:
        """Records of the rows whose cells can be read, and what is wrong with the others."""
        rows = chunk.rows
        offsets: Sequence[int] = range(len(rows))
        faults: list[_Fault] = []
        width = len(self.file.header)
        if set(map(len, rows)) != {width}:
            faults += [
                _Fault(offset, None, f"{len(row)} cells where the header has {width}")
                for offset, row in enumerate(rows)
                if len(row) != width
            ]
            offsets = [offset for offset in offsets if len(rows[offset]) == width]
            rows = [rows[offset] for offset in offsets]
        if not rows:
            return _Rows([], []), faults
        cells = list(chain.from_iterable(rows))
        values: list[Iterable[Any]] = []
        for field, column in self.layout.columns:
            if column is None:
                values.append(repeat(self._symbol if field.name == "symbol" else None, len(rows)))
                continue
            converted, refused = self.file.convert(field, cells[column::width])
            values.append(converted)
            faults += [_Fault(offsets[index], field.name, reason) for index, reason in refused]
        # tuple.__new__ is what a named tuple's _make calls; this saves a Python call per row.
        record = self.layout.table.record
        records = list(map(tuple.__new__, repeat(record), zip(*values, strict=True)))
        return _Rows(records, offsets).without(faults), faults

    def _accept(self, rows: _Rows, first: int) -> tuple[_Rows, list[_Fault]]:
        """The rows that ``upsert`` will accept, and what is wrong with the others.

        :param first: the number of the chunk's first row.
        """
        refused: list[_Fault] = []
        start = 0
        while start < len(rows.records):
            try:
                columns(self.layout.table, rows.records[start:], start)
                break
            except InvalidRecord as invalid:
                # They are in the order of the rows: all rows before the last of them were checked.
                for problem in invalid.problems:
                    start = problem.row or 0
                    refused.append(_Fault(rows.offsets[start], problem.field, problem.reason))
                start += 1
        rows = rows.without(refused)
        others = self._unknown(rows)
        if self._refused:
            reasons = ((offset, self._refused.get(first + offset)) for offset in rows.offsets)
            others += [_Fault(offset, *each) for offset, each in reasons if each is not None]
        return rows.without(others), refused + others

    def _unknown(self, rows: _Rows) -> list[_Fault]:
        """Rows that name a ticker or an institution that is not stored."""
        table = self.layout.table
        found = []
        for name, known in self._known.items():
            position = table.positions[name]
            reason = f"unknown {table.references[name].unknown.noun}"
            for record, offset in zip(*rows, strict=True):
                value = record[position]
                if value not in known and (name == "cik" or value.upper() not in known):
                    found.append(_Fault(offset, name, reason))
        return found

    def _problems(
        self, chunk: FileChunk, faults: list[_Fault], first: int
    ) -> Iterator[tuple[Problem, Sequence[Any]]]:
        """Faults as problems, in the order of their rows, each with the cells of its row.

        :param first: the number of the chunk's first row.
        """
        if not faults:
            return
        lines = chunk.lines()
        path = str(self.file.path)
        for offset, field, reason in sorted(faults, key=lambda fault: fault.offset):
            cells = chunk.rows[offset]
            column = None if field is None else self.layout.position(field)
            # The cell and not its value, so that it can be found in the file.
            value = self.file.delimiter.join(map(str, cells)) if column is None else cells[column]
            header = None if column is None else self.file.header[column]
            yield (
                Problem(first + offset, field or "row", value, reason, path, lines[offset], header),
                cells,
            )
