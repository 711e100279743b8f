"""PostgreSQL's binary arrays as columns, without an object for each value.

An array is sent as five 32-bit integers (dimensions, whether there are NULLs, the type, the length and
the first index), then each element as its length and its bytes, all big-endian. Elements of one length
are a table of fixed width, which numpy reads without a copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib import import_module
from struct import Struct
from typing import Any, Final

from psycopg import pq
from psycopg.adapt import Buffer, Loader
from psycopg.postgres import types
from psycopg.types.array import ArrayBinaryLoader

from repo.batches import EPOCH
from repo.errors import ConfigurationError

_HEADER: Final = Struct(">iiIii")
_DAYS: Final = 730_120 - EPOCH
"""2000-01-01, the day PostgreSQL counts from, in days since 1970-01-01."""

_FORMATS: Final[Mapping[int, str]] = {
    types["int4"].oid: ">i4",
    types["date"].oid: ">i4",
    types["int8"].oid: ">i8",
    types["float8"].oid: ">f8",
}

_CODES: Final = {">i4": "i", ">i8": "q", ">f8": "d"}
_ELEMENTS: Final[Mapping[int, str]] = {oid: f"i{_CODES[form]}" for oid, form in _FORMATS.items()}
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class _Raw(Loader):
    """An array of numbers or dates as its bytes, unless NULLs make its elements differ in length."""

    format = pq.Format.BINARY

    def load(self, data: Buffer) -> Any:
        if _HEADER.unpack_from(data)[1]:
            return ArrayBinaryLoader(self.oid, self.connection).load(data)
        return bytes(data)


def read_raw(cursor: Any) -> None:
    """Have a cursor leave arrays of numbers and dates to :func:`decode`."""
    for name in ("int4", "int8", "float8", "date"):
        cursor.adapters.register_loader(types[name].array_oid, _Raw)


def decode(value: Any) -> Any:
    """A column from what :func:`read_raw` left: a numpy array, a list, or a single value.

    Dates become whole days since 1970-01-01.
    """
    if isinstance(value, list):
        return [day.toordinal() - EPOCH if hasattr(day, "toordinal") else day for day in value]
    if not isinstance(value, bytes):
        return value.toordinal() - EPOCH if type(value) is date else value
    numpy = _numpy()
    oid = _HEADER.unpack_from(value)[2]
    form = _FORMATS[oid]
    cells = numpy.frombuffer(
        value, numpy.dtype([("length", ">i4"), ("value", form)]), offset=_HEADER.size
    )
    column = cells["value"].astype(form.replace(">", "="))
    return column + numpy.int32(_DAYS) if oid == types["date"].oid else column


@lru_cache(maxsize=1024)
def _unpacker(form: str, elements: int) -> Struct:
    return Struct(">" + form * elements)


def as_list(value: Any) -> Any:
    """The same without numpy: a list, or a single value; moments as microseconds since 1970-01-01."""
    if isinstance(value, bytes):
        oid, length = _HEADER.unpack_from(value)[2:4]
        column = list(_unpacker(_ELEMENTS[oid], length).unpack_from(value, _HEADER.size)[1::2])
        return [day + _DAYS for day in column] if oid == types["date"].oid else column
    if isinstance(value, list) and isinstance(value[0], date):  # which are never NULL
        return list(map(_as_number, value))
    return _as_number(value) if isinstance(value, date) else value


def _as_number(value: date) -> int:
    if isinstance(value, datetime):
        return (value - _FIRST) // _MICROSECOND
    return value.toordinal() - EPOCH


def is_single(value: Any) -> bool:
    """Whether this is a value by itself, and not a column of them."""
    return value is None or isinstance(value, str | int | float | datetime)


def _numpy() -> Any:
    try:
        return import_module("numpy")
    except ImportError:
        raise ConfigurationError("frames need numpy: pip install 'smart-money-repo[arrow]'") from None
