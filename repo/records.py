"""The rows callers give and get.

A record is a named tuple; the same type goes in and comes out.
"""

from __future__ import annotations

import datetime
from typing import Any, Final, NamedTuple


class Ticker(NamedTuple):
    """A traded security: ``symbol`` in upper case, ``cusip`` (9 characters) if it is known."""

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


class BarOfTicker(NamedTuple):
    """A bar without its symbol, which the database does not send if the caller named the ticker."""

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


OF_TICKER: Final[dict[type[Any], type[Any]]] = {BarOfTicker: Bar}
"""Records without a symbol, each with the record that has it in front.

A query of the package that takes a ``symbol`` and declares the former returns the latter, so that the
database need not send the same symbol in every row.
"""
