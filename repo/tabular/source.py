"""The records of one delimited file, and the problems of the rows that are none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Any, Final, NamedTuple

from repo.errors import PROBLEM_LIMIT, InvalidRecord, Problem
from repo.records import columns
from repo.tabular.cells import convert
from repo.tabular.files import Chunk, Delimited
from repo.tabular.headers import Layout
from repo.tabular.rejects import Rejects

__all__ = ["Progress", "Source"]

Progress = Callable[[str, int, int, int], None]
"""Told now and then: the kind of rows, how many so far, bytes of the file so far, bytes of the file."""

_PROGRESS_CHUNKS: Final = 20
_NOUNS: Final = {"symbol": "ticker", "cik": "institution"}


class _Trouble(NamedTuple):
    """What is wrong with a row: its place in its chunk, and the field, or None for the whole row."""

    place: int
    field: str | None
    reason: str


class _Rows(NamedTuple):
    """Records, and the place in its chunk of the row that each comes from."""

    records: list[Any]
    places: Sequence[int]

    def without(self, troubles: Iterable[_Trouble]) -> _Rows:
        """The same without the rows that are in trouble."""
        bad = {trouble.place for trouble in troubles}
        if not bad:
            return self
        kept = [index for index, place in enumerate(self.places) if place not in bad]
        return _Rows([self.records[i] for i in kept], [self.places[i] for i in kept])


class Source:
    """An iterable of a file's records, which reads it anew each time it is iterated over.

    Being ``rereadable``, it is read again by ``upsert`` where need be, and no rows are set aside.
    A bad row raises InvalidRecord, or is left out and goes to ``rejects`` once :meth:`reject_to` was
    called. ``rows`` and ``rejected`` count those of the last time around.
    """

    rereadable = True

    def __init__(
        self, file: Delimited, layout: Layout, symbol: str | None, progress: Progress | None
    ) -> None:
        self.file = file
        self.layout = layout
        self.rows = 0
        self.rejected = 0
        self.rejects: Rejects | None = None
        self._mark = (0, 0)
        self._known: Mapping[str, set[Any]] = {}
        self._symbol = symbol
        self._progress = progress

    def reject_to(self, rejects: Rejects, known: Mapping[str, set[Any]]) -> None:
        """Leave bad rows out from now on.

        :param known: what there is to refer to, by the field that does: upper-case symbols, CIKs.
        """
        self.rejects = rejects
        self._mark = rejects.mark()
        self._known = known

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self._records())

    def _records(self) -> Iterator[list[Any]]:
        self.rows = self.rejected = 0
        if self.rejects is not None:
            self.rejects.rewind(self._mark)
        for number, chunk in enumerate(self.file.chunks(), 1):
            rows, troubles = self._convert(chunk)
            if self.rejects is not None:
                rows, refused = self._vet(rows)
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
                troubles += self._vet(rows)[1]
                found += (problem for problem, _ in self._problems(chunk, troubles))
                if len(found) >= PROBLEM_LIMIT:
                    break
                self.rows += len(chunk.rows)
        except InvalidRecord as invalid:
            found += invalid.problems
        return found[:PROBLEM_LIMIT]

    def _convert(self, chunk: Chunk) -> tuple[_Rows, list[_Trouble]]:
        """Records of the rows whose cells can be read, and what keeps the others from it."""
        rows = chunk.rows
        places: Sequence[int] = range(len(rows))
        troubles: list[_Trouble] = []
        width = len(self.file.header)
        if set(map(len, rows)) != {width}:
            for place in places:
                if len(rows[place]) != width:
                    reason = f"{len(rows[place])} cells where the header has {width}"
                    troubles.append(_Trouble(place, None, reason))
            places = [place for place in places if len(rows[place]) == width]
            rows = [rows[place] for place in places]
        if not rows:
            return _Rows([], []), troubles
        cells = list(chain.from_iterable(rows))
        values: list[Iterable[Any]] = []
        for field, column in self.layout.columns:
            if column is None:
                values.append(repeat(self._symbol if field.name == "symbol" else None, len(rows)))
                continue
            converted, refused = convert(field, cells[column::width])
            values.append(converted)
            troubles += [_Trouble(places[index], field.name, reason) for index, reason in refused]
        # tuple.__new__ is what a named tuple's _make ends in, without a call of Python's own per row.
        record = self.layout.spec.record
        records = list(map(tuple.__new__, repeat(record), zip(*values, strict=True)))
        return _Rows(records, places).without(troubles), troubles

    def _vet(self, rows: _Rows) -> tuple[_Rows, list[_Trouble]]:
        """The rows that ``upsert`` will take, and what keeps it from taking the others."""
        refused: list[_Trouble] = []
        start = 0
        while start < len(rows.records):
            try:
                columns(self.layout.spec, rows.records[start:], start)
                break
            except InvalidRecord as invalid:
                # They come in the order of the rows: whatever is above the last one is looked at.
                for problem in invalid.problems:
                    start = problem.row or 0
                    refused.append(_Trouble(rows.places[start], problem.field, problem.reason))
                start += 1
        rows = rows.without(refused)
        strangers = self._strangers(rows)
        return rows.without(strangers), refused + strangers

    def _strangers(self, rows: _Rows) -> list[_Trouble]:
        """Rows that name a ticker or an institution that the database does not know."""
        names = [field.name for field in self.layout.spec.fields]
        found = []
        for name, known in self._known.items():
            at = names.index(name)
            for record, place in zip(*rows, strict=True):
                value = record[at]
                if value not in known and (name == "cik" or value.upper() not in known):
                    found.append(_Trouble(place, name, f"unknown {_NOUNS[name]}"))
        return found

    def _problems(
        self, chunk: Chunk, troubles: list[_Trouble]
    ) -> Iterator[tuple[Problem, Sequence[str]]]:
        """Troubles in the order of their rows, with the lines and cells they are in, and the rows."""
        if not troubles:
            return
        lines = chunk.lines()
        for place, field, reason in sorted(troubles, key=lambda trouble: trouble.place):
            cells = chunk.rows[place]
            column = None if field is None else self.layout.place(field)
            # The cell and not its value: it is what can be searched for in the file.
            value = self.file.delimiter.join(cells) if column is None else cells[column]
            header = None if column is None else self.file.header[column]
            row = self.rows + place
            path = str(self.file.path)
            yield Problem(row, field or "row", value, reason, path, lines[place], header), cells

    def _reject(self, chunk: Chunk, troubles: list[_Trouble], rejects: Rejects) -> None:
        for problem, cells in self._problems(chunk, troubles):
            rejects.add(problem, cells, self.file.delimiter)
        self.rejected += len({trouble.place for trouble in troubles})
