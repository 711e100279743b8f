"""The rows callers give and get, and what makes one valid.

A record is a named tuple; the same type goes in and comes out. :func:`columns` checks rows a column
at a time, because a few passes in C over 50,000 values cost a fraction of a check per value; only a
column in which something is odd is looked at value by value, to name the row.

What is refused is what two engines would store differently, or not at all: see ``_one_*`` below.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import repeat
from operator import add, ge
from types import NoneType
from typing import Any, Final, NamedTuple

from repo.errors import PROBLEM_LIMIT, InvalidRecord, Problem

__all__ = [
    "INT64_MAX",
    "RECORDS",
    "Bar",
    "Coverage",
    "Divergence",
    "Field",
    "Holding",
    "Institution",
    "Point",
    "Sentiment",
    "Spec",
    "Summary",
    "Ticker",
    "argument",
    "columns",
    "row_by_row",
    "shaped",
    "verified",
]

INT64_MAX: Final = 2**63 - 1
_INT64_MIN: Final = -(2**63)
_CIK_MAX: Final = 9_999_999_999
_PRICE_END: Final = 1e12
_SYMBOL: Final = re.compile(r"[A-Za-z0-9.\-]{1,16}", re.ASCII)
_CUSIP: Final = re.compile(r"[A-Za-z0-9*@#]{9}", re.ASCII)
_SOURCE_LENGTH: Final = 64
_NAME_LENGTH: Final = 300


class Ticker(NamedTuple):
    """A traded security: ``symbol`` in upper case, ``cusip`` (9 characters) where it is known."""

    symbol: str
    company_name: str
    cusip: str | None = None


class Institution(NamedTuple):
    """A filer of Form 13F, by its SEC Central Index Key."""

    cik: int
    name: str


class Bar(NamedTuple):
    """One day of one ticker: prices in dollars, above 0 and below 1e12; volume in shares."""

    symbol: str
    date: date
    open: float | None
    high: float | None
    low: float | None
    close: float
    volume: int | None


class Holding(NamedTuple):
    """What one institution reported of one ticker at a quarter end, as filed on ``filing_date``.

    ``market_value`` is in whole dollars, ``ownership_percent`` from 0 to 100.
    """

    symbol: str
    cik: int
    quarter_end: date
    filing_date: date
    shares_held: int
    market_value: int
    ownership_percent: float | None = None


class Sentiment(NamedTuple):
    """Retail interest in one ticker on one day, in the unit of its source; score from -1 to 1."""

    symbol: str
    source: str
    date: date
    interest: int
    score: float | None = None


class Coverage(NamedTuple):
    """The first and last bar of a ticker, and how many there are."""

    symbol: str
    first: date
    last: date
    rows: int


class Summary(NamedTuple):
    """A ticker's bars in a range as one row.

    ``open`` and ``close`` are the first and last bar's, ``high`` and ``low`` the extremes, ``volume``
    the sum and ``average_volume`` the mean of the volumes that are there; ``average_close`` is the
    mean of the closes taken as whole 1e-4 dollars.
    """

    symbol: str
    first: date
    last: date
    rows: int
    open: float | None
    high: float | None
    low: float | None
    close: float
    volume: int | None
    average_close: float
    average_volume: float | None


class Point(NamedTuple):
    """One day of a timeline: the close, the interest and the shares known to be held that day."""

    date: date
    close: float
    interest: int | None
    shares_held: int | None


class Divergence(NamedTuple):
    """Where institutions and retail investors disagree about one ticker.

    ``flow``, ``interest_change`` and ``price_return`` are fractions (0.1 is 10 %), the ranks run from
    0 to 1, ``divergence`` from -1 (crowded by retail) to 1 (bought while nobody looks).
    """

    symbol: str
    as_of: date
    flow: float
    interest_change: float
    price_return: float | None
    institutional_rank: float
    retail_rank: float
    divergence: float


class _Refused(Exception):
    """A value that is not stored; the argument is the reason, in words."""


def _plain(value: Any) -> Any:
    """Turn a numpy integer or float, which is what a DataFrame gives, into Python's own."""
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind and kind in "iuf" and getattr(value, "shape", None) == ():
        return value.item()
    return value


def _one_integer(low: int, high: int) -> Callable[[Any], int]:
    def one(value: Any) -> int:
        value = _plain(value)
        if type(value) is not int:
            raise _Refused(f"must be an int, not {type(value).__name__}")
        if not low <= value <= high:
            raise _Refused(f"must be from {low} to {high}")
        return value

    return one


def _many_integers(low: int, high: int) -> Callable[[Sequence[Any]], Sequence[int] | None]:
    def many(column: Sequence[Any]) -> Sequence[int] | None:
        return column if min(column) >= low and max(column) <= high else None

    return many


def _as_float(value: Any) -> float:
    """A finite Python float; an int is taken where the conversion loses nothing."""
    value = _plain(value)
    if type(value) is int and -(2**1023) < value < 2**1023 and int(float(value)) == value:
        value = float(value)
    if type(value) is not float:
        raise _Refused(f"must be a float, not {type(value).__name__}")
    if not math.isfinite(value):
        raise _Refused("must be finite")
    return value


def _one_price(value: Any) -> float:
    number = _as_float(value)
    if not 0.0 < number < _PRICE_END:
        raise _Refused("must be above 0 and below 1e12")
    return number


def _many_prices(column: Sequence[Any]) -> Sequence[float] | None:
    # A NaN hides from min and max, not from the sum.
    fits = min(column) > 0.0 and max(column) < _PRICE_END and math.isfinite(sum(column))
    return column if fits else None


def _one_between(low: float, high: float) -> Callable[[Any], float]:
    def one(value: Any) -> float:
        number = _as_float(value)
        if not low <= number <= high:
            raise _Refused(f"must be from {low:g} to {high:g}")
        return number + 0.0  # -0.0 becomes 0.0: SQLite would drop the sign, PostgreSQL keep it

    return one


def _many_between(low: float, high: float) -> Callable[[Sequence[Any]], Sequence[float] | None]:
    def many(column: Sequence[Any]) -> Sequence[float] | None:
        if min(column) >= low and max(column) <= high and math.isfinite(sum(column)):
            return list(map(add, column, repeat(0.0)))
        return None

    return many


def _one_date(value: Any) -> date:
    if type(value) is not date:
        raise _Refused(f"must be a datetime.date, not {type(value).__name__}")
    return value


def _many_dates(column: Sequence[Any]) -> Sequence[date] | None:
    return column  # every date that Python has, both engines have


def _one_text(length: int) -> Callable[[Any], str]:
    def one(value: Any) -> str:
        if type(value) is not str:
            raise _Refused(f"must be a str, not {type(value).__name__}")
        if not 1 <= len(value) <= length:
            raise _Refused(f"must have 1 to {length} characters")
        if not value.strip():
            raise _Refused("must not be blank")
        if "\0" in value:
            raise _Refused("must not contain NUL")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _Refused("must not contain a lone surrogate") from None
        return value

    return one


def _one_code(pattern: re.Pattern[str], reason: str) -> Callable[[Any], str]:
    def one(value: Any) -> str:
        if type(value) is not str:
            raise _Refused(f"must be a str, not {type(value).__name__}")
        if pattern.fullmatch(value) is None:
            raise _Refused(reason)
        return value.upper()  # the pattern has let only ASCII through

    return one


def _by_distinct_value(
    one: Callable[[Any], str],
) -> Callable[[Sequence[Any]], Sequence[str] | None]:
    """Check a text column by its distinct values, which are few in all but the smallest tables."""

    def many(column: Sequence[Any]) -> Sequence[str] | None:
        try:
            cleaned = {value: one(value) for value in set(column)}
        except _Refused:
            return None
        if all(value is clean or value == clean for value, clean in cleaned.items()):
            return column
        return list(map(cleaned.__getitem__, column))

    return many


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record: ``one`` cleans a value or refuses it, ``many`` does a whole column.

    ``many`` is handed values of exactly ``type`` and answers None where it cannot vouch for all of
    them; None values reach neither.
    """

    name: str
    type: type
    one: Callable[[Any], Any]
    many: Callable[[Sequence[Any]], Sequence[Any] | None]
    nullable: bool = False

    @property
    def is_number(self) -> bool:
        """Whether its values have a range to keep to; a text's form is part of its shape."""
        return self.type in (int, float)

    def fits(self, column: Sequence[Any]) -> bool:
        """Whether every value has the field's type, or is None where that is allowed."""
        kinds = set(map(type, column))
        return kinds == {self.type} or (self.nullable and kinds <= {self.type, NoneType})

    def clean(self, column: Sequence[Any]) -> Sequence[Any] | None:
        """A column that fits as it is stored, or None where a value has to be looked at."""
        if not self.nullable or None not in column:
            return self.many(column)
        there = [value for value in column if value is not None]
        cleaned = self.many(there) if there else ()
        if cleaned is None:
            return None
        rest = iter(cleaned)
        return [None if value is None else next(rest) for value in column]

    def check(self, value: Any) -> Any:
        """The value as it is stored; raises ``_Refused``."""
        if value is None:
            if self.nullable:
                return None
            raise _Refused("must not be None")
        return self.one(value)


@dataclass(frozen=True, slots=True)
class Spec:
    """What makes a record valid: its fields, and the pair of them that must not be in reverse.

    ``not_below`` names two fields: the first must not be below the second where both are there.
    """

    record: type[Any]
    fields: tuple[Field, ...]
    not_below: tuple[str, str] | None = None


_symbol = _one_code(_SYMBOL, "must have 1 to 16 characters from A-Z, 0-9, '.' and '-'")
_cusip = _one_code(_CUSIP, "must have 9 characters from A-Z, 0-9, '*', '@' and '#'")
_name = _one_text(_NAME_LENGTH)
_source = _one_text(_SOURCE_LENGTH)

_SYMBOL_FIELD = Field("symbol", str, _symbol, _by_distinct_value(_symbol))
_CIK_FIELD = Field("cik", int, _one_integer(1, _CIK_MAX), _many_integers(1, _CIK_MAX))


def _count(name: str, *, nullable: bool = False) -> Field:
    return Field(name, int, _one_integer(0, INT64_MAX), _many_integers(0, INT64_MAX), nullable)


def _price(name: str, *, nullable: bool = False) -> Field:
    return Field(name, float, _one_price, _many_prices, nullable)


def _day(name: str) -> Field:
    return Field(name, date, _one_date, _many_dates)


RECORDS: Final[dict[type[Any], Spec]] = {
    spec.record: spec
    for spec in (
        Spec(
            Ticker,
            (
                _SYMBOL_FIELD,
                Field("company_name", str, _name, _by_distinct_value(_name)),
                Field("cusip", str, _cusip, _by_distinct_value(_cusip), nullable=True),
            ),
        ),
        Spec(Institution, (_CIK_FIELD, Field("name", str, _name, _by_distinct_value(_name)))),
        Spec(
            Bar,
            (
                _SYMBOL_FIELD,
                _day("date"),
                _price("open", nullable=True),
                _price("high", nullable=True),
                _price("low", nullable=True),
                _price("close"),
                _count("volume", nullable=True),
            ),
            not_below=("high", "low"),
        ),
        Spec(
            Holding,
            (
                _SYMBOL_FIELD,
                _CIK_FIELD,
                _day("quarter_end"),
                _day("filing_date"),
                _count("shares_held"),
                _count("market_value"),
                Field(
                    "ownership_percent",
                    float,
                    _one_between(0.0, 100.0),
                    _many_between(0.0, 100.0),
                    nullable=True,
                ),
            ),
            not_below=("filing_date", "quarter_end"),
        ),
        Spec(
            Sentiment,
            (
                _SYMBOL_FIELD,
                Field("source", str, _source, _by_distinct_value(_source)),
                _day("date"),
                _count("interest"),
                Field("score", float, _one_between(-1.0, 1.0), _many_between(-1.0, 1.0), nullable=True),
            ),
        ),
    )
}
"""The records that can be written, and what makes each valid."""


def _in_order(spec: Spec, cleaned: list[Sequence[Any]]) -> bool:
    """Whether ``not_below`` holds for every row."""
    if spec.not_below is None:
        return True
    names = [field.name for field in spec.fields]
    upper, lower = (cleaned[names.index(name)] for name in spec.not_below)
    try:
        return all(map(ge, upper, lower))
    except TypeError:  # a None on one side
        return all(a >= b for a, b in zip(upper, lower, strict=True) if a is not None and b is not None)


def shaped(spec: Spec, rows: Sequence[Any]) -> list[Sequence[Any]] | None:
    """The columns of rows whose values have the right types and, of text, the right form.

    None where that is not so, or has to be found out value by value. What is left to check is the
    range of numbers: :func:`verified`.
    """
    if set(map(type, rows)) != {spec.record}:
        return None
    found: list[Sequence[Any]] = []
    for field, column in zip(spec.fields, zip(*rows, strict=True), strict=True):
        if not field.fits(column):
            return None
        cleaned = column if field.is_number else field.clean(column)
        if cleaned is None:
            return None
        found.append(cleaned)
    return found


def verified(spec: Spec, columns: Sequence[Sequence[Any]]) -> list[Sequence[Any]] | None:
    """The columns of :func:`shaped` as they are stored; None where a number is out of its range.

    A column that needs no change is the same object.
    """
    found: list[Sequence[Any]] = []
    for field, column in zip(spec.fields, columns, strict=True):
        cleaned = field.clean(column) if field.is_number else column
        if cleaned is None:
            return None
        found.append(cleaned)
    return found if _in_order(spec, found) else None


def columns(
    spec: Spec, rows: Sequence[Any], first_row: int = 0, limit: int = PROBLEM_LIMIT
) -> list[Sequence[Any]]:
    """Check rows and give their columns as they are stored.

    :param rows: at least one row, each of type ``spec.record``.
    :param first_row: the number that the first row goes by in an error.
    :param limit: how many problems to name at the most.
    :raises InvalidRecord: naming the first problems, in row order, then field order.
    """
    found = shaped(spec, rows)
    if found is not None:
        found = verified(spec, found)
    return found if found is not None else row_by_row(spec, rows, first_row, limit)


def row_by_row(spec: Spec, rows: Sequence[Any], first_row: int, limit: int) -> list[Sequence[Any]]:
    """The same as :func:`columns`, a value at a time: slower, and able to say which one is wrong."""
    problems: list[Problem] = []
    cleaned: list[tuple[Any, ...]] = []
    for number, row in enumerate(rows, first_row):
        if len(problems) >= limit:
            break
        cleaned.append(tuple(_clean_row(spec, row, number, problems)))
    if problems:
        raise InvalidRecord(problems[:limit])
    return list(zip(*cleaned, strict=True))


def _clean_row(spec: Spec, row: Any, number: int, problems: list[Problem]) -> Iterable[Any]:
    if not isinstance(row, spec.record) or len(row) != len(spec.fields):
        wanted = spec.record.__name__
        problems.append(Problem(number, wanted, row, f"must be a {wanted}, not {type(row).__name__}"))
        return ()
    clean: dict[str, Any] = {}
    for field, value in zip(spec.fields, row, strict=True):
        try:
            clean[field.name] = field.check(value)
        except _Refused as refused:
            problems.append(Problem(number, field.name, value, str(refused)))
    if spec.not_below is not None:
        upper, lower = (clean.get(name) for name in spec.not_below)
        if upper is not None and lower is not None and upper < lower:
            reason = f"must not be below {spec.not_below[1]} ({lower})"
            problems.append(Problem(number, spec.not_below[0], upper, reason))
    return clean.values()


_ARGUMENTS: Final[dict[str, Callable[[Any], Any]]] = {
    "symbol": _symbol,
    "cik": _one_integer(1, _CIK_MAX),
    "source": _source,
    "date": _one_date,
    "days": _one_integer(1, INT64_MAX),
    "count": _one_integer(0, INT64_MAX),
}


def argument(kind: str, name: str, value: Any, *, optional: bool = False) -> Any:
    """Check one argument of a call as strictly as a stored value, and clean it alike.

    :param kind: ``symbol``, ``cik``, ``source``, ``date``, ``days`` (from 1) or ``count`` (from 0).
    :param name: what the argument is called, for the message.
    :raises InvalidRecord: with one problem, whose row is None.
    """
    if value is None and optional:
        return None
    try:
        return _ARGUMENTS[kind](value)
    except _Refused as refused:
        raise InvalidRecord([Problem(None, name, value, str(refused))]) from None
