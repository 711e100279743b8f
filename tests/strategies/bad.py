"""What must be refused: values, rows and arguments that two engines would take differently."""

from __future__ import annotations

import importlib
import importlib.util
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from hypothesis import strategies as st

from repo import Bar, Holding, Institution, Sentiment, Ticker
from tests.strategies.values import INT64_MAX

__all__ = [
    "GOOD",
    "REFUSED_ARGUMENTS",
    "REFUSED_ROWS",
    "REFUSED_VALUES",
    "NumpyLike",
    "OwnDate",
    "OwnFloat",
    "OwnInt",
    "OwnText",
    "refused_rows",
    "refused_values",
]


class _Type:
    """A numpy dtype, as far as its kind: i, u, f, b (bool), U (str), M (datetime64), c, O."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


class NumpyLike:
    """What a DataFrame's cells look like: a dtype, a shape and an item()."""

    def __init__(self, kind: str, value: Any, shape: tuple[int, ...] = ()) -> None:
        self.dtype = _Type(kind)
        self.shape = shape
        self._value = value

    def item(self) -> Any:
        """The value as one of Python's own."""
        return self._value

    def __repr__(self) -> str:
        return f"NumpyLike({self.dtype.kind!r}, {self._value!r}, {self.shape!r})"


class OwnText(str):
    """A str of another class."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"OwnText({str(self)!r})"


class OwnFloat(float):
    """A float of another class."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"OwnFloat({float(self)!r})"


class OwnInt(int):
    """An int of another class."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"OwnInt({int(self)!r})"


class OwnDate(date):
    """A date of another class."""

    def __repr__(self) -> str:
        return f"OwnDate({self.year}, {self.month}, {self.day})"


_NEVER: Final[tuple[Any, ...]] = (
    *(True, False, b"1", bytearray(b"A"), (), [], [1], {}, {1}, ..., 1j),
    *(Decimal(1), Decimal("0.1"), Decimal("NaN"), Fraction(1, 2), timedelta(1)),
    *(NumpyLike("b", True), NumpyLike("U", "AAPL"), NumpyLike("M", date(2020, 1, 1))),
    *(NumpyLike("c", 1j), NumpyLike("O", 1), NumpyLike("i", 1, (1,)), NumpyLike("f", 1.0, (2, 2))),
    *(NumpyLike("f", Decimal(1)), NumpyLike("i", True)),
)
"""Refused in any field."""

_NOT_TEXT: Final[tuple[Any, ...]] = (
    *(0, 1, 1.0, date(2020, 1, 1), OwnText("AAPL"), NumpyLike("i", 1), NumpyLike("f", 1.0)),
)
_NOT_STORED_TEXT: Final[tuple[Any, ...]] = (
    *("", " ", "\t\n", "\u3000\u2003", "\0", "A\0", "\0A", "A\0B", "\ud800", "A\udfff", "\udc80x"),
    *("\ud83d\udcc8", "\ud800\udc00"),
)
_NOT_A_NUMBER: Final[tuple[Any, ...]] = (
    *("1", "1.5", "", "NaN", "abc", date(2020, 1, 1), datetime(2020, 1, 1)),
)
_NOT_INTEGER: Final[tuple[Any, ...]] = (
    *(*_NOT_A_NUMBER, 0.0, 1.0, 1.5, math.nan, math.inf, OwnInt(1), OwnFloat(1)),
    *(2**63, -(2**63) - 1, 2**64, 10**30, -1, NumpyLike("u", 2**64 - 1), NumpyLike("f", 1.0)),
)
_NOT_FINITE: Final[tuple[Any, ...]] = (
    *(*_NOT_A_NUMBER, math.nan, -math.nan, math.inf, -math.inf, OwnFloat(1.0)),
    *(2**53 + 1, -(2**63) - 1, 10**400, NumpyLike("f", math.nan), NumpyLike("f", math.inf)),
)
_NOT_PRICE: Final[tuple[Any, ...]] = (
    *(*_NOT_FINITE, 0.0, -0.0, 0, -1, -5e-324, -1.0, 1e12, 1000000000000.0001, 10**12, 1e300),
    *(1.7976931348623157e308, NumpyLike("f", 0.0), NumpyLike("i", 10**12)),
)
_NOT_DAY: Final[tuple[Any, ...]] = (
    *("2020-01-01", "today", "infinity", "-infinity", "epoch", "01/02/2020", "", 0, 18262, 1.0),
    *(datetime(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC), OwnDate(2020, 1, 1)),
    datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    *(NumpyLike("i", 18262), NumpyLike("f", math.nan)),
)
_NOT_SYMBOL: Final[tuple[Any, ...]] = (
    *(*_NOT_TEXT, *_NOT_STORED_TEXT, "A B", " A", "A ", "A\n", "A_B", "A/B", "^GSPC", "ＡＡＰＬ"),
    *("é", "ſ", "ı", "\u212a", "K\u0301", "٣", "A'; --", "A" * 17, "%", ":A", "\U0001f4c8"),
)
_NOT_CUSIP: Final[tuple[Any, ...]] = (
    *(*_NOT_TEXT, *_NOT_STORED_TEXT, "12345678", "1234567890", "12345678 ", "12345678\n", "1234-5678"),
    *("03783310٠", "ſ37833100", 37833100),
)

REFUSED_VALUES: Final[dict[type[Any], dict[str, tuple[Any, ...]]]] = {
    Ticker: {
        "symbol": (*_NOT_SYMBOL, None),
        "company_name": (*_NOT_TEXT, *_NOT_STORED_TEXT, "x" * 301, None),
        "cusip": _NOT_CUSIP,
    },
    Institution: {
        "cik": (*_NOT_INTEGER, 0, 10_000_000_000, INT64_MAX, NumpyLike("i", 0), None),
        "name": (*_NOT_TEXT, *_NOT_STORED_TEXT, "é" * 301, None),
    },
    Bar: {
        "symbol": (*_NOT_SYMBOL, None),
        "date": (*_NOT_DAY, None),
        "open": _NOT_PRICE,
        "high": _NOT_PRICE,
        "low": _NOT_PRICE,
        "close": (*_NOT_PRICE, None),
        "volume": _NOT_INTEGER,
    },
    Holding: {
        "symbol": (*_NOT_SYMBOL, None),
        "cik": (*_NOT_INTEGER, 0, 10_000_000_000, None),
        "quarter_end": (*_NOT_DAY, None),
        "filing_date": (*_NOT_DAY, None),
        "shares_held": (*_NOT_INTEGER, None),
        "market_value": (*_NOT_INTEGER, None),
        "ownership_percent": (*_NOT_FINITE, -5e-324, -1, 100.00000000000001, 101, 1e308),
    },
    Sentiment: {
        "symbol": (*_NOT_SYMBOL, None),
        "source": (*_NOT_TEXT, *_NOT_STORED_TEXT, "x" * 65, None),
        "date": (*_NOT_DAY, None),
        "interest": (*_NOT_INTEGER, None),
        "score": (*_NOT_FINITE, 1.0000000000000002, -1.0000000000000002, 2, -2, 1e308),
    },
}
"""For each field of each record, values that must not reach a driver."""

_DAY: Final = date(2020, 3, 31)
GOOD: Final[dict[type[Any], Any]] = {
    Ticker: Ticker("NEW", "New", None),
    Institution: Institution(7, "Seven"),
    Bar: Bar("A", _DAY, 1.0, 2.0, 0.5, 1.5, 100),
    Holding: Holding("A", 1, _DAY, _DAY, 10, 20, 0.5),
    Sentiment: Sentiment("A", "s", _DAY, 5, 0.5),
}
"""A row of each table that nothing is wrong with."""

REFUSED_ROWS: Final[dict[type[Any], tuple[Any, ...]]] = {
    record: (
        *(None, 1, "A", tuple(good), list(good), good._asdict(), ()),
        *(other for kind, other in GOOD.items() if kind is not record),
        *(
            {
                Bar: (
                    Bar("A", _DAY, None, 1.0, 1.0000000000000002, 1.0, None),
                    Bar("A", _DAY, None, 5e-324, 1e-323, 1.0, 0),
                ),
                Holding: (
                    Holding("A", 1, _DAY, date(2020, 3, 30), 1, 1),
                    Holding("A", 1, date.max, date.min, 0, 0),
                ),
            }.get(record, ())
        ),
    )
    for record, good in GOOD.items()
}
"""Rows that are wrong as a whole: of another type, or two fields in the wrong order."""

REFUSED_ARGUMENTS: Final[dict[str, tuple[Any, ...]]] = {
    "symbol": (*_NEVER, *_NOT_SYMBOL, None),
    "symbols": ("AAPL", "", *([value] for value in (*_NEVER, *_NOT_SYMBOL, None))),
    "cik": (*_NEVER, *_NOT_INTEGER, 0, 10_000_000_000, None),
    "source": (*_NEVER, *_NOT_TEXT, *_NOT_STORED_TEXT, "x" * 65),
    "day": (*_NEVER, *_NOT_DAY, None),
    "bound": (*_NEVER, *_NOT_DAY),
    "window_days": (*_NEVER, *_NOT_INTEGER, 0, None),
    "limit": (*_NEVER, *_NOT_INTEGER),
}
"""For each kind of argument, values that must not reach a driver; None where it means nothing."""


def _numpy_values() -> dict[str, tuple[Any, ...]]:
    """Real numpy scalars where numpy is there: refused as text, as numbers, and as days."""
    if importlib.util.find_spec("numpy") is None:
        return {}
    numpy: Any = importlib.import_module("numpy")
    return {
        "text": (numpy.str_("AAPL"), numpy.bytes_(b"A")),
        "integer": (numpy.bool_(True), numpy.float64(1), numpy.uint64(2**64 - 1), numpy.int64(-1)),
        "float": (numpy.bool_(False), numpy.float64("nan"), numpy.float32("inf"), numpy.complex128(1)),
        "date": (numpy.datetime64("2020-01-01"), numpy.int64(1), numpy.timedelta64(1, "D")),
    }


_NUMPY: Final = _numpy_values()
_KINDS: Final[dict[type[Any], dict[str, str]]] = {
    record: {
        name: {str: "text", int: "integer", float: "float", date: "date"}.get(type(value), "text")
        for name, value in good._asdict().items()
    }
    for record, good in GOOD.items()
}


def refused_values(record: type[Any], field: str) -> st.SearchStrategy[Any]:
    """A value that a field of a record must refuse."""
    numpy = _NUMPY.get(_KINDS[record][field], ())
    return st.sampled_from((*_NEVER, *REFUSED_VALUES[record][field], *numpy))


def refused_rows(record: type[Any]) -> st.SearchStrategy[Any]:
    """A row that is wrong as a whole."""
    return st.sampled_from(REFUSED_ROWS[record])
