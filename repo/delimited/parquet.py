"""Parquet files as chunks of rows, read as :class:`repo.delimited.files.Delimited` reads text.

A Parquet file has values instead of cells. A value is converted if nothing of it is lost, and text is
taken as it is, with the blanks around it. The line of a row is its number, from 1.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime, time
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from types import NoneType
from typing import Any, Final

from repo.batches import BATCH_ROWS
from repo.delimited.files import FileChunk, RowFile
from repo.errors import ConfigurationError, InvalidRecord, Problem
from repo.frames import pyarrow
from repo.validation import Field

_MIDNIGHT: Final = time()
_A: Final = {str: "a str", int: "an int", float: "a float", date: "a date"}
_BUFFER_BYTES: Final = 1 << 16
"""For each column."""


class _Numbered(FileChunk):
    """Rows whose lines are their numbers."""

    __slots__ = ()

    def lines(self) -> list[int]:
        return list(range(self.line, self.line + len(self.rows)))


class Parquet(RowFile):
    """A Parquet file; each call of :meth:`chunks` reads it anew.

    :raises ConfigurationError: when it cannot be opened, or pyarrow is not installed.
    :raises InvalidRecord: when it is not a Parquet file, or damaged.
    """

    delimiter = ","

    def __init__(self, path: Path) -> None:
        self._arrow = pyarrow(f"{path}: Parquet files")
        super().__init__(path)
        self.stem = path.stem
        try:
            with self._open() as file:
                self.header: tuple[str, ...] = tuple(file.schema_arrow.names)
        except (self._arrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise self._failure(error) from error

    def chunks(self) -> Iterator[FileChunk]:
        """The rows, :data:`repo.batches.BATCH_ROWS` at a time.

        :raises InvalidRecord: when the file is damaged.
        :raises ConfigurationError: when the file is no longer the one that was opened at first.
        """
        first = 1
        try:
            with self._open() as file:
                total = file.metadata.num_rows
                for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
                    columns = [self._values(column) for column in batch.columns]
                    rows: list[list[Any]] = list(map(list, zip(*columns, strict=True)))
                    if rows:
                        first += len(rows)
                        position = self.size * (first - 1) // total
                        yield _Numbered(rows, rows, first - len(rows), position)
                if first - 1 != total:  # as where a page seems to have no rows
                    raise self._failure(EOFError())
            self.hold(self.path.stat)
        except (self._arrow.ArrowException, OSError) as error:
            raise self._failure(error) from error

    def convert(self, field: Field, values: Sequence[Any]) -> tuple[list[Any], list[tuple[int, str]]]:
        """A column as values of the field's type, and the index and reason of each that is refused."""
        kinds = set(map(type, values))
        if kinds == {field.type} or (field.nullable and kinds <= {field.type, NoneType}):
            return list(values), []
        found: list[Any] = []
        refused: list[tuple[int, str]] = []
        for index, value in enumerate(values):
            fitting = _fitting(field.type, value)
            if value is None and not field.nullable:
                refused.append((index, "must not be empty"))
            elif fitting is None and value is not None:
                refused.append((index, f"must be {_A[field.type]}, not {type(value).__name__}"))
            found.append(fitting)
        return found, refused

    def _values(self, column: Any) -> list[Any]:
        """A column as Python's values; as text or bytes what has none like it, such as nanoseconds."""
        types = import_module("pyarrow.types")
        try:
            if types.is_timestamp(column.type) and column.type.tz is None:
                column = column.cast(self._arrow.timestamp("us"))
            return list(column.to_pylist())
        except (ValueError, OverflowError):
            if len(column) > 1:  # one by one, for the others are as good as any
                return [each for at in range(len(column)) for each in self._values(column.slice(at, 1))]
        for kind in (self._arrow.string(), self._arrow.binary()):
            with suppress(ValueError, NotImplementedError):
                return list(column.cast(kind).to_pylist())
        return [f"a {column.type} that cannot be read"]

    @contextmanager
    def _open(self) -> Iterator[Any]:
        with self.path.open("rb") as stored:
            self.hold(lambda: os.fstat(stored.fileno()))
            # Without a buffer it would hold the row groups that it is in, which may be all of the file.
            how = {
                "pre_buffer": False,
                "buffer_size": _BUFFER_BYTES,
                "page_checksum_verification": True,  # of files that have them, as those of an export do
            }
            with import_module("pyarrow.parquet").ParquetFile(stored, **how) as file:
                yield file

    def _failure(self, error: Exception) -> ConfigurationError | InvalidRecord:
        if isinstance(error, OSError) and error.errno is not None:
            return self.unreadable(error)
        reason = "not a whole Parquet file, or damaged: write or copy it anew"
        return InvalidRecord([Problem(None, "file", self.path.name, reason, str(self.path), 1)])


def _fitting(kind: type, value: Any) -> Any:
    """A value as one of another type; None if that would lose something."""
    if type(value) is kind:
        return value
    if kind is float and type(value) is int and abs(value) <= 2**53:
        return float(value)
    if kind is int and type(value) is float and value.is_integer():  # a column of integers with a gap
        return int(value)
    if type(value) is Decimal and value.is_finite():
        if kind is int and value == value.to_integral_value():
            return int(value)
        if kind is float and Decimal(repr(float(value))) == value:  # it has no more digits than a float
            return float(value)
    if kind is date and isinstance(value, datetime) and value.time() == _MIDNIGHT and not value.tzinfo:
        return value.date()
    return None
