"""Delimited text files, plain or gzip, as chunks of rows that know the lines they start on."""

from __future__ import annotations

import csv
import gzip
import io
import math
import os
import re
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from repo.batches import BATCH_ROWS
from repo.delimited.cells import convert
from repo.errors import ConfigurationError, InvalidRecord, Problem
from repo.validation import Field

if TYPE_CHECKING:
    from _csv import Reader

_DELIMITERS: Final = {".csv": ",", ".tsv": "\t", ".txt": None}
PARQUET: Final = ".parquet"
SUFFIXES: Final = ", ".join([*_DELIMITERS, *(f"{suffix}.gz" for suffix in _DELIMITERS), PARQUET])
"""The endings of the names of files that can be read, for messages."""

_NAME: Final = re.compile(
    r"(?P<stem>.+?)(?:(?P<suffix>\.csv|\.tsv|\.txt)(?P<gzip>\.gz)?|(?P<parquet>\.parquet))",
    re.IGNORECASE,
)
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_LINE_END_BYTES: Final = re.compile(rb"[\r\n]")
_SHOWN_OF_A_LINE: Final = 40

ROW_BYTES: Final = 256 * 1024
"""The longest line, and the most characters of a row."""

COLUMNS: Final = 16_384
"""The most columns: a spreadsheet has no more."""

BLANK_ROWS: Final = 2_000_000
"""The most blank lines in succession: a spreadsheet has 1,048,576 lines."""

_TOGETHER: Final = 25
"""Rows read between two checks of their size."""

_CHUNK_BYTES: Final = 1024 * 1024
"""The size at which a chunk ends, even with few rows."""

_TOO_LONG: Final = f"the row is longer than {ROW_BYTES:,} bytes; is the file one of rows?"
_CHANGED: Final = "was changed while it was read; load it when nobody writes to it"


class _TooLong(Exception):
    """A row that does not end within the limit."""


class _Bounded(io.BufferedIOBase):
    """The bytes of a file; raises _TooLong for a line past the limit, and after ``allowed`` bytes.

    Readers of text take a whole line into memory, whatever its length.
    """

    def __init__(self, source: io.BufferedReader | gzip.GzipFile) -> None:
        self._source = source
        self._line = 0
        self.taken = 0
        self.allowed: float = math.inf
        """How many bytes may be taken in all."""

    @property
    def name(self) -> str:
        return str(self._source.name)

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1, /) -> bytes:
        data = self._source.read1(size)
        length = len(data)
        end = max(data.rfind(b"\n"), data.rfind(b"\r"))
        if self._line + length > ROW_BYTES:
            found = _LINE_END_BYTES.search(data)
            if self._line + (found.start() if found else length) > ROW_BYTES:
                raise _TooLong
        self._line = length - 1 - end if end >= 0 else self._line + length
        self.taken += length
        if self.taken > self.allowed:
            raise _TooLong
        return data


def split_name(path: Path) -> tuple[str, str, bool] | None:
    """A file's name without its endings, the ending that says its format, and whether it is gzip.

    None for a name with another ending.
    """
    found = _NAME.fullmatch(path.name)
    if found is None:
        return None
    return found["stem"], (found["suffix"] or found["parquet"]).lower(), bool(found["gzip"])


def _state_of(stat: os.stat_result) -> tuple[int, ...]:
    """A value that changes when a file does: its identity, size and time of writing."""
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def _is_blank(row: list[str]) -> bool:
    return not row or (len(row) == 1 and not row[0].strip())


@dataclass(frozen=True, slots=True)
class FileChunk:
    """Some rows of a file as lists of cells.

    ``read`` are the rows as they were read, with blank lines, ``rows`` those without.
    ``line`` is the physical line, from 1, on which the first of ``read`` starts, ``position`` how many
    bytes of the file have been read.
    """

    read: list[list[Any]]
    rows: list[list[Any]]
    line: int
    position: int

    def lines(self) -> list[int]:
        """The physical line on which each of ``rows`` starts."""
        starts = []
        line = self.line
        for row in self.read:
            if not _is_blank(row):
                starts.append(line)
            line += _height(row)
        return starts


def _height(row: Iterable[str]) -> int:
    """How many physical lines a row takes: quoted cells may hold line ends."""
    return 1 + sum(len(_LINE_END.findall(cell)) for cell in row)


def _add_rows(reader: Reader, source: _Bounded, size: int, read: list[list[str]]) -> None:
    """Add up to ``size`` rows to those read, fewer if they are long."""
    end = source.taken + _CHUNK_BYTES
    count = 0
    while count < size and (taken := source.taken) < end:
        source.allowed = taken + _TOGETHER * ROW_BYTES
        read.extend(islice(reader, min(_TOGETHER, size - count)))
        if source.taken - taken > ROW_BYTES:
            for each in range(count, len(read)):
                if sum(map(len, read[each])) > ROW_BYTES:
                    del read[each:]
                    raise _TooLong
        if len(read) == count:
            break
        count = len(read)


class RowFile:
    """A regular file, which must stay as it is while it is read."""

    def __init__(self, path: Path) -> None:
        """Note the state of the file.

        :raises ConfigurationError: if it cannot be read.
        """
        self.path = path
        try:
            if path.exists() and not path.is_file():
                raise ConfigurationError(f"{path} is not a regular file")
            state = path.stat()
        except OSError as error:
            raise self.unreadable(error) from error
        self.size = state.st_size
        self._state = _state_of(state)

    def hold(self, look: Callable[[], os.stat_result]) -> None:
        """Refuse to go on if the file was changed or replaced since it was opened."""
        try:
            same = _state_of(look()) == self._state
        except FileNotFoundError:
            same = False
        except OSError as error:
            raise self.unreadable(error) from error
        if not same:
            raise self.changed()

    def changed(self) -> ConfigurationError:
        """The error for a file that is not what it was."""
        return ConfigurationError(f"{self.path} {_CHANGED}")

    def unreadable(self, error: OSError) -> ConfigurationError:
        """The error for a file that cannot be read."""
        return ConfigurationError(f"cannot read {self.path}: {error.strerror or error}")


class Delimited(RowFile):
    """A delimited text file whose first row is its header; each call of :meth:`chunks` reads it anew.

    :raises ConfigurationError: if it cannot be opened, or its name has an unknown ending.
    :raises InvalidRecord: if it is empty, not UTF-8, damaged, or has too many columns or too long lines,
        up to the header.
    """

    def __init__(self, path: Path) -> None:
        parts = split_name(path)
        if parts is None or parts[1] == PARQUET:
            raise ConfigurationError(f"{path}: the name must end in one of {SUFFIXES}")
        super().__init__(path)
        self.stem, suffix, self._gzip = parts
        self.delimiter = _DELIMITERS[suffix] or self._sniff()
        with closing(self._parts(1, 0)) as chunks:
            first = next(chunks, None)
        if first is None:
            raise self._damaged(1, "", "the file is empty; its first row must name the columns")
        if len(first.rows[0]) > COLUMNS:
            reason = f"there are {len(first.rows[0]):,} columns, where {COLUMNS:,} can be read"
            raise self._damaged(first.line, "", reason)
        self.header: tuple[str, ...] = tuple(cell.strip() for cell in first.rows[0])

    def chunks(self) -> Iterator[FileChunk]:
        """The rows below the header, :data:`repo.batches.BATCH_ROWS` at a time.

        :raises InvalidRecord: if the file is not UTF-8, its quoting or its gzip is broken, and for
            a row longer than :data:`ROW_BYTES` or more blank lines in a row than :data:`BLANK_ROWS`.
        :raises ConfigurationError: if the file was changed since it was opened; at the latest after its
            last row.
        """
        parts = self._parts(1, BATCH_ROWS)
        first = next(parts, None)
        if first is None or tuple(cell.strip() for cell in first.rows[0]) != self.header:
            raise self.changed()
        return parts

    def convert(self, field: Field, cells: Sequence[str]) -> tuple[list[Any], list[tuple[int, str]]]:
        """See :func:`repo.delimited.cells.convert`."""
        return convert(field, cells)

    def _parts(self, first: int, rest: int) -> Generator[FileChunk, None, None]:
        """Chunks that are not empty: one of at most ``first`` rows, then others of at most ``rest``."""
        with self._open() as (text, source, position):
            reader = csv.reader(text, delimiter=self.delimiter, strict=True, skipinitialspace=True)
            size = first
            blank = 0
            while size:
                line = reader.line_num + 1
                read, failure = self._take(reader, source, size)
                rows = read
                if read and min(map(len, read)) < 2:
                    rows = [row for row in read if not _is_blank(row)] if any(read) else []
                if rows:
                    yield FileChunk(read, rows, line, position())
                    size = rest
                    blank = 0
                elif (blank := blank + len(read)) > BLANK_ROWS:
                    failure = self._damaged(line, "", f"more than {BLANK_ROWS:,} blank lines in a row")
                if failure is not None:
                    raise failure
                if not read:
                    self.hold(self.path.stat)
                    break

    def _take(
        self, reader: Reader, source: _Bounded, size: int
    ) -> tuple[list[list[str]], InvalidRecord | None]:
        """Up to ``size`` rows, and the error of the row after them, if any."""
        line = reader.line_num + 1
        read: list[list[str]] = []
        try:
            _add_rows(reader, source, size, read)
        except (csv.Error, _TooLong) as error:
            # The rows before the broken one are in the list.
            broken = line + sum(map(_height, read))
            reason = f"cannot be read as rows of cells ({error})"
            return read, self._damaged(broken, "", _TOO_LONG if isinstance(error, _TooLong) else reason)
        except UnicodeDecodeError as error:
            raise self._not_utf8() from error
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise self._damaged(reader.line_num + 1, "", "not a whole gzip file") from error
        except OSError as error:
            raise self.unreadable(error) from error
        return read, None

    @contextmanager
    def _open(self, errors: str = "strict") -> Iterator[tuple[TextIO, _Bounded, Callable[[], int]]]:
        """The text of the file, its bytes, and a function that returns how many were read on disk."""
        try:
            stored = self.path.open("rb")
        except OSError as error:
            raise self.unreadable(error) from error
        with stored:
            self.hold(lambda: os.fstat(stored.fileno()))
            source = _Bounded(gzip.GzipFile(fileobj=stored) if self._gzip else stored)
            with io.TextIOWrapper(source, encoding="utf-8-sig", errors=errors, newline="") as text:
                yield text, source, stored.tell

    def _sniff(self) -> str:
        """The delimiter, tab or comma, that is more frequent in the first line that is not blank."""
        try:
            with self._open("replace") as (text, *_):
                first = next((line for line in islice(text, BLANK_ROWS) if line.strip()), "")
        except _TooLong:
            raise self._damaged(1, "", _TOO_LONG) from None
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise self._damaged(1, "", "not a whole gzip file") from error
        except OSError as error:
            raise self.unreadable(error) from error
        return "\t" if first.count("\t") > first.count(",") else ","

    def _damaged(self, line: int, value: object, reason: str) -> InvalidRecord:
        return InvalidRecord([Problem(None, "text", value, reason, str(self.path), line)])

    def _not_utf8(self) -> InvalidRecord:
        """The error with its line; the file is read again for that, as the decoder works on blocks."""
        number = 0
        # Any other error comes after the line that is looked for.
        with (
            suppress(_TooLong, EOFError, OSError, zlib.error),
            self._open("surrogateescape") as (text, *_),
        ):
            for number, line in enumerate(text, 1):
                raw = line.encode("utf-8", "surrogateescape")
                try:
                    raw.decode()
                except UnicodeDecodeError as error:
                    shown = raw[max(0, error.start - _SHOWN_OF_A_LINE // 2) :][:_SHOWN_OF_A_LINE]
                    return self._damaged(number, shown, "not UTF-8; save the file as UTF-8")
        return self._damaged(number + 1, "", "not UTF-8; save the file as UTF-8")
