"""Whole databases: rows of all five tables whose references hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from hypothesis import strategies as st

import repo
from repo import Bar, Holding, Institution, Sentiment, Ticker
from tests.oracle import fold
from tests.strategies import rows as strategies
from tests.strategies import values

__all__ = ["Content", "calendar", "contents", "within"]

_ANCHORS: Final = (
    date(2020, 1, 15),
    date(2000, 2, 20),
    date(1969, 12, 20),
    date.min,
    date.fromordinal(date.max.toordinal() - 40),
)
_CALENDAR_DAYS: Final = 41


@dataclass(frozen=True)
class Content:
    """Rows in the order in which they are written; of two with one key the later stays.

    What happens, happens in the forty days from ``first_day`` on.
    """

    tickers: Sequence[Ticker] = ()
    institutions: Sequence[Institution] = ()
    bars: Sequence[Bar] = ()
    holdings: Sequence[Holding] = ()
    sentiment: Sequence[Sentiment] = ()
    first_day: date = date(2020, 1, 15)

    def write(self, db: repo.Database) -> None:
        """Put the rows into a database."""
        db.tickers.upsert(self.tickers)
        db.institutions.upsert(self.institutions)
        db.market.upsert(self.bars)
        db.holdings.upsert(self.holdings)
        db.sentiment.upsert(self.sentiment)

    @property
    def days(self) -> list[date]:
        """The days at which something may have happened: what to ask about."""
        return calendar(self.first_day)

    def known_symbols(self) -> list[str]:
        """The symbols of the tickers, in upper case."""
        return sorted({fold(row.symbol) for row in self.tickers})


def calendar(first: date) -> list[date]:
    """Forty-one days from one on."""
    return [date.fromordinal(first.toordinal() + day) for day in range(_CALENDAR_DAYS)]


def within(days: Sequence[date]) -> st.SearchStrategy[date]:
    """One of the days, rarely another."""
    return st.integers(0, 7).flatmap(
        lambda roll: st.sampled_from(values.EDGE_DAYS if roll == 7 else days)
    )


@st.composite
def contents(draw: st.DrawFn, tickers: int = 4, rows: int = 24) -> Content:
    """Databases small enough to read and, as a rule, thick enough to rank.

    :param tickers: how many there are at the most.
    :param rows: how many bars there are at the most, and how many holdings and sentiment rows beside
        those that a ranking needs.
    """
    first_day = draw(st.sampled_from(_ANCHORS))
    palette = draw(strategies.palettes(tickers, calendar(first_day)))
    known = bool(palette.symbols)
    filed = known and bool(palette.ciks)
    bars = draw(strategies.bars(palette, most=rows)) if known else []
    holdings = draw(strategies.holdings(palette, most=rows)) if filed else []
    sentiment = draw(strategies.sentiment_rows(palette, most=rows)) if known else []
    # 0: as it is; 1: without a table, for what an engine does not look at it does not refuse.
    shape = draw(st.sampled_from((0, 1, *6 * (2,))))
    if shape:
        holdings = [*draw(strategies.thick_holdings(palette)), *holdings]
        sentiment = [*draw(strategies.thick_sentiment(palette)), *sentiment]
    without = draw(st.sampled_from(("bars", "holdings", "sentiment"))) if shape == 1 else None
    return Content(
        tickers=draw(strategies.tickers(palette.symbols)),
        institutions=draw(strategies.institutions(palette.ciks)),
        bars=[] if without == "bars" else bars,
        holdings=[] if without == "holdings" else holdings,
        sentiment=[] if without == "sentiment" else sentiment,
        first_day=first_day,
    )
