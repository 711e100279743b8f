"""Delimited text files, plain or gzip, as chunks of rows that know the lines they start on."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, TextIO

from repo.batches import BATCH_ROWS
from repo.errors import ConfigurationError, InvalidRecord, Problem

__all__ = ["SUFFIXES", "Chunk", "Delimited", "split_name"]

_DELIMITERS: Final = {".csv": ",", ".tsv": "\t", ".txt": None}
SUFFIXES: Final = ", ".join([*_DELIMITERS, *(f"{suffix}.gz" for suffix in _DELIMITERS)])
"""The endings of the names of files that can be read, for messages."""

_NAME: Final = re.compile(r"(?P<stem>.+?)(?P<suffix>\.csv|\.tsv|\.txt)(?P<gzip>\.gz)?", re.IGNORECASE)
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_SHOWN_OF_A_LINE: Final = 40


def split_name(path: Path) -> tuple[str, str, bool] | None:
    """A file's name without its endings, the ending that tells its form, and whether it is gzip.

    None for a name with another ending.
    """
    found = _NAME.fullmatch(path.name)
    return None if found is None else (found["stem"], found["suffix"].lower(), bool(found["gzip"]))


def _is_blank(row: list[str]) -> bool:
    return not row or (len(row) == 1 and not row[0].strip())


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a file as lists of cells.

    ``read`` are the rows as they were read, blank lines included, ``rows`` those that say something.
    ``line`` is the physical line, from 1, on which the first of ``read`` starts, ``position`` how many
    bytes of the file have been read.
    """

    read: list[list[str]]
    rows: list[list[str]]
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


class Delimited:
    """A delimited text file whose first row is its header; each call of :meth:`chunks` reads it anew.

    :raises ConfigurationError: when it cannot be opened or its name has an ending that is not known.
    :raises InvalidRecord: when it is empty, not UTF-8, or damaged, as far as the header.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        parts = split_name(path)
        if parts is None:
            raise ConfigurationError(f"{path}: the name must end in one of {SUFFIXES}")
        self.stem, suffix, self._gzip = parts
        try:
            if path.exists() and not path.is_file():
                raise ConfigurationError(f"{path} is not a regular file")
            self.size = path.stat().st_size
        except OSError as error:
            raise self._unreadable(error) from error
        self.delimiter = _DELIMITERS[suffix] or self._sniff()
        with closing(self._parts(1, 0)) as chunks:
            first = next(chunks, None)
        if first is None:
            raise self._damaged(1, "", "the file is empty; its first row must name the columns")
        self.header: tuple[str, ...] = tuple(cell.strip() for cell in first.rows[0])

    def chunks(self) -> Iterator[Chunk]:
        """The rows below the header, :data:`repo.batches.BATCH_ROWS` at a time.

        :raises InvalidRecord: when the file is not UTF-8, its quoting is broken or its gzip is.
        """
        parts = self._parts(1, BATCH_ROWS)
        first = next(parts, None)
        if first is None or tuple(cell.strip() for cell in first.rows[0]) != self.header:
            raise ConfigurationError(f"{self.path} was changed while it was read")
        return parts

    def _parts(self, first: int, rest: int) -> Generator[Chunk, None, None]:
        """Chunks with something in them: one of ``first`` rows, then others of ``rest``."""
        with self._open() as (text, position):
            reader = csv.reader(text, delimiter=self.delimiter, strict=True, skipinitialspace=True)
            size = first
            while size:
                line = reader.line_num + 1
                read: list[list[str]] = []
                failure: InvalidRecord | None = None
                try:
                    read.extend(islice(reader, size))
                except csv.Error as error:
                    # What was read before the row that broke is in the list.
                    broken = line + sum(map(_height, read))
                    failure = self._damaged(broken, "", f"cannot be read as rows of cells ({error})")
                except UnicodeDecodeError as error:
                    raise self._not_utf8() from error
                except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                    raise self._damaged(reader.line_num + 1, "", "not a whole gzip file") from error
                except OSError as error:
                    raise self._unreadable(error) from error
                rows = read
                if read and min(map(len, read)) < 2:
                    rows = [row for row in read if not _is_blank(row)]
                if rows:
                    yield Chunk(read, rows, line, position())
                    size = rest
                if failure is not None:
                    raise failure
                if not read:
                    break

    @contextmanager
    def _open(self, errors: str = "strict") -> Iterator[tuple[TextIO, Callable[[], int]]]:
        """The text of the file, and what tells how many of the file's bytes have been read."""
        try:
            stored = self.path.open("rb")
        except OSError as error:
            raise self._unreadable(error) from error
        with stored:
            binary = gzip.GzipFile(fileobj=stored) if self._gzip else stored
            with io.TextIOWrapper(binary, encoding="utf-8-sig", errors=errors, newline="") as text:
                yield text, stored.tell

    def _sniff(self) -> str:
        """The delimiter that the first line that is not blank has more of."""
        try:
            with self._open("replace") as (text, _):
                first = next((line for line in text if line.strip()), "")
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise self._damaged(1, "", "not a whole gzip file") from error
        return "\t" if first.count("\t") > first.count(",") else ","

    def _unreadable(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(f"cannot read {self.path}: {error.strerror or error}")

    def _damaged(self, line: int, value: object, reason: str) -> InvalidRecord:
        return InvalidRecord([Problem(None, "text", value, reason, str(self.path), line)])

    def _not_utf8(self) -> InvalidRecord:
        """Read once more, to tell the line: the decoder works on blocks."""
        with self._open("surrogateescape") as (text, _):
            for number, line in enumerate(text, 1):
                raw = line.encode("utf-8", "surrogateescape")
                try:
                    raw.decode()
                except UnicodeDecodeError as error:
                    shown = raw[max(0, error.start - _SHOWN_OF_A_LINE // 2) :][:_SHOWN_OF_A_LINE]
                    return self._damaged(number, shown, "not UTF-8; save the file as UTF-8")
        return self._damaged(1, "", "not UTF-8; save the file as UTF-8")
