"""Columns for analysis: query results as Arrow tables, and tables as rows to write.

pandas and polars take an Arrow table without a copy, and hand theirs over by the same protocol
(https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html). pyarrow comes with the
extra ``arrow`` and is imported when a table is asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from importlib import import_module
from itertools import accumulate
from typing import Any, Final, Protocol, runtime_checkable

from repo.errors import ConfigurationError, InvalidRecord, Problem
from repo.queries import ResultColumn, columns_of
from repo.tables import Table

_SLICE_ROWS: Final = 10_000
_CODES: Final[Mapping[type, str]] = {str: "", int: "q", float: "d", date: "i"}


@runtime_checkable
class ArrowTable(Protocol):
    """Anything that hands over columns by the Arrow protocol: pyarrow, pandas and polars tables."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


def pyarrow(what: str = "frames") -> Any:
    """The module pyarrow.

    :param what: needs it, for the message.
    :raises ConfigurationError: when it is not installed.
    """
    try:
        return import_module("pyarrow")
    except ImportError:
        reason = f"{what} need pyarrow: pip install 'smart-money-repo[arrow]'"
        raise ConfigurationError(reason) from None


def schema(columns: Sequence[ResultColumn]) -> Any:
    """The Arrow schema of a query's rows: the same on both engines."""
    arrow = pyarrow()
    types = {
        str: arrow.string(),
        int: arrow.int64(),
        float: arrow.float64(),
        date: arrow.date32(),
        datetime: arrow.timestamp("us", tz="UTC"),
    }
    return arrow.schema(
        [arrow.field(column.name, types[column.type], column.nullable) for column in columns]
    )


def builder(columns: Sequence[ResultColumn]) -> Callable[[Sequence[Any]], Any]:
    """A function from columns of values to a record batch; days are ints since 1970-01-01."""
    arrow = pyarrow()
    made = schema(columns)
    codes = [_CODES.get(column.type) for column in columns]

    def build(values: Sequence[Any]) -> Any:
        arrays = [
            _array(arrow, column, field.type, code)
            for column, field, code in zip(values, made, codes, strict=True)
        ]
        return arrow.RecordBatch.from_arrays(arrays, schema=made)

    return build


def _array(arrow: Any, column: Any, kind: Any, code: str | None) -> Any:
    """A column as ``pyarrow.array`` makes it, which would import pandas, where that is installed: 55 MB.

    :param code: of :mod:`array` for numbers and days, empty for text, None for another type.
    :raises TypeError: for a value of another type.
    """
    if code is None or not isinstance(column, list | tuple):
        return arrow.array(column, arrow.int32() if code == "i" else kind).cast(kind)
    missing = column.count(None)
    valid = None
    if missing:
        there = [value is not None for value in column]
        valid = arrow.py_buffer(import_module("numpy").packbits(there, bitorder="little"))
    if not code:
        texts = [b"" if value is None else str.encode(value) for value in column]
        ends = array("i", accumulate(map(len, texts), initial=0))
        buffers = [valid, arrow.py_buffer(ends), arrow.py_buffer(b"".join(texts))]
    else:
        numbers = array(code, [0 if value is None else value for value in column] if missing else column)
        buffers = [valid, arrow.py_buffer(numbers)]
    return arrow.Array.from_buffers(kind, len(column), buffers, missing)


def to_table(columns: Sequence[ResultColumn], batches: Sequence[Any]) -> Any:
    """One table of record batches, empty without any."""
    return pyarrow().Table.from_batches(batches, schema=schema(columns))


def from_records(record: type[Any], rows: Sequence[Any]) -> Any:
    """A table of records."""
    arrow = pyarrow()
    made = schema(columns_of(record))
    values = zip(*rows, strict=True) if rows else ((),) * len(made)
    arrays = [arrow.array(column, field.type) for column, field in zip(values, made, strict=True)]
    return arrow.Table.from_arrays(arrays, schema=made)


def as_rows(table: Table, rows: Iterable[Any] | ArrowTable) -> Iterable[Any]:
    """Rows as they are; those of a table as records.

    :raises InvalidRecord: see :class:`TableRows`; and if ``rows`` is neither a table nor iterable.
    """
    if isinstance(rows, ArrowTable):
        return TableRows(table, rows)
    if not isinstance(rows, Iterable):
        reason = f"must be records or a table, not {type(rows).__name__}"
        raise InvalidRecord([Problem(None, "rows", rows, reason)])
    return rows


class TableRows:
    """The rows of a table as records; can be iterated over again.

    Columns have the names of the record's fields, in any order. Those that may be NULL can be left out,
    and are in ``absent``. Values are converted if nothing is lost: any integer or float type, dates and
    midnights, any text type.
    """

    rereadable = True

    def __init__(self, target: Table, table: Any) -> None:
        """Convert the columns.

        :raises InvalidRecord: for a column that is missing, unknown, or cannot be converted.
        """
        self._target = target
        self.absent: frozenset[str] = frozenset()
        self._table = self._converted(pyarrow().table(table))

    def _converted(self, table: Any) -> Any:
        arrow = pyarrow()
        record, nullable = self._target.record, frozenset(self._target.nullable)
        fields = {column.name: column for column in columns_of(record)}
        problems = [
            Problem(None, name, "a column", f"is no field of {record.__name__}")
            for name in table.column_names
            if name not in fields
        ]
        arrays = []
        for name, target in zip(fields, schema(list(fields.values())), strict=True):
            found = table.column_names.count(name)
            if found == 0 and name in nullable:
                arrays.append(arrow.nulls(table.num_rows, target.type))
            elif found != 1:
                reason = "is missing" if found == 0 else "is there more than once"
                problems.append(Problem(None, name, "a column", reason))
            else:
                column = table.column(name)
                try:
                    arrays.append(_cast(column, target.type))
                except (arrow.ArrowInvalid, arrow.ArrowNotImplementedError, _Unfit):
                    reason = f"cannot become {target.type} without loss"
                    problems.append(Problem(None, name, str(column.type), reason))
        if problems:
            raise InvalidRecord(problems)
        self.absent = nullable.difference(table.column_names)
        return arrow.table(arrays, names=list(fields))

    def __iter__(self) -> Iterator[Any]:
        make = self._target.record._make
        for start in range(0, self._table.num_rows, _SLICE_ROWS):
            part = self._table.slice(start, _SLICE_ROWS)
            yield from map(make, zip(*(column.to_pylist() for column in part.columns), strict=True))


class _Unfit(Exception):
    """A column that cannot be converted without loss."""


def _cast(column: Any, target: Any) -> Any:
    """A column converted to another type without loss."""
    types = import_module("pyarrow.types")
    source = column.type
    if types.is_dictionary(source):
        source = source.value_type
    fits = (
        types.is_null(source)
        or (types.is_date32(target) and (types.is_date(source) or types.is_timestamp(source)))
        or (types.is_string(target) and (types.is_string(source) or types.is_large_string(source)))
        or (types.is_string(target) and types.is_string_view(source))
        or (
            (types.is_integer(target) or types.is_floating(target))
            and (types.is_integer(source) or types.is_floating(source))
        )
    )
    if not fits or getattr(source, "tz", None) is not None:
        raise _Unfit
    cast = column.cast(target)
    if types.is_timestamp(source) and not cast.cast(source).equals(column):
        raise _Unfit  # a cast to days silently drops the time of day
    return cast
