"""The rows callers give and get, and what makes one valid.

A record is a named tuple; the same type goes in and comes out. :func:`columns` checks rows a column
at a time, because a few passes in C over 50,000 values cost a fraction of a check per value; only a
column in which something is odd is looked at value by value, to name the row.

What makes a single value valid is in ``repo.checks``.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import ge
from typing import Any, Final, NamedTuple

from repo.checks import (
    CIK_MAX,
    CUSIP,
    INT64_MAX,
    NAME,
    SOURCE,
    SYMBOL,
    Field,
    Refused,
    between_field,
    cik_field,
    count_field,
    date_field,
    one_date,
    one_integer,
    price_field,
    text_field,
)
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
    date: datetime.date
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
    quarter_end: datetime.date
    filing_date: datetime.date
    shares_held: int
    market_value: int
    ownership_percent: float | None = None


class Sentiment(NamedTuple):
    """Retail interest in one ticker on one day, in the unit of its source; score from -1 to 1."""

    symbol: str
    source: str
    date: datetime.date
    interest: int
    score: float | None = None


class Coverage(NamedTuple):
    """The first and last bar of a ticker, and how many there are."""

    symbol: str
    first: datetime.date
    last: datetime.date
    rows: int


class Summary(NamedTuple):
    """A ticker's bars in a range as one row.

    ``open`` and ``close`` are the first and last bar's, ``high`` and ``low`` the extremes, ``volume``
    the sum and ``average_volume`` the mean of the volumes that are there; ``average_close`` is the
    mean of the closes taken as whole 1e-4 dollars.
    """

    symbol: str
    first: datetime.date
    last: datetime.date
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

    date: datetime.date
    close: float
    interest: int | None
    shares_held: int | None


class Divergence(NamedTuple):
    """Where institutions and retail investors disagree about one ticker.

    ``flow``, ``interest_change`` and ``price_return`` are fractions (0.1 is 10 %), the ranks run from
    0 to 1, ``divergence`` from -1 (crowded by retail) to 1 (bought while nobody looks).
    """

    symbol: str
    as_of: datetime.date
    flow: float
    interest_change: float
    price_return: float | None
    institutional_rank: float
    retail_rank: float
    divergence: float


@dataclass(frozen=True, slots=True)
class Spec:
    """What makes a record valid: its fields, and the pair of them that must not be in reverse.

    ``key`` are the fields in which two rows of a table differ.
    ``not_below`` names two fields: the first must not be below the second where both are there.
    """

    record: type[Any]
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    not_below: tuple[str, str] | None = None


_SYMBOL: Final = text_field("symbol", SYMBOL)
_CIK: Final = cik_field()

RECORDS: Final[dict[type[Any], Spec]] = {
    spec.record: spec
    for spec in (
        Spec(
            Ticker,
            (
                _SYMBOL,
                text_field("company_name", NAME),
                text_field("cusip", CUSIP, nullable=True),
            ),
            key=("symbol",),
        ),
        Spec(Institution, (_CIK, text_field("name", NAME)), key=("cik",)),
        Spec(
            Bar,
            (
                _SYMBOL,
                date_field("date"),
                price_field("open", nullable=True),
                price_field("high", nullable=True),
                price_field("low", nullable=True),
                price_field("close"),
                count_field("volume", nullable=True),
            ),
            key=("symbol", "date"),
            not_below=("high", "low"),
        ),
        Spec(
            Holding,
            (
                _SYMBOL,
                _CIK,
                date_field("quarter_end"),
                date_field("filing_date"),
                count_field("shares_held"),
                count_field("market_value"),
                between_field("ownership_percent", 0.0, 100.0),
            ),
            key=("symbol", "quarter_end", "cik", "filing_date"),
            not_below=("filing_date", "quarter_end"),
        ),
        Spec(
            Sentiment,
            (
                _SYMBOL,
                text_field("source", SOURCE),
                date_field("date"),
                count_field("interest"),
                between_field("score", -1.0, 1.0),
            ),
            key=("symbol", "source", "date"),
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
        cleaned = column if field.measure else field.clean(column)
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
        cleaned = field.clean(column) if field.measure else column
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
        except Refused as refused:
            problems.append(Problem(number, field.name, value, str(refused)))
    if spec.not_below is not None:
        upper, lower = (clean.get(name) for name in spec.not_below)
        if upper is not None and lower is not None and upper < lower:
            reason = f"must not be below {spec.not_below[1]} ({lower})"
            problems.append(Problem(number, spec.not_below[0], upper, reason))
    return clean.values()


_ARGUMENTS: Final[dict[str, Callable[[Any], Any]]] = {
    "symbol": SYMBOL,
    "cik": one_integer(1, CIK_MAX),
    "source": SOURCE,
    "date": one_date,
    "days": one_integer(1, INT64_MAX),
    "count": one_integer(0, INT64_MAX),
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
    except Refused as refused:
        raise InvalidRecord([Problem(None, name, value, str(refused))]) from None
