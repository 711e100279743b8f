"""Rows of every kind, by the lot: a few bytes choose each from a palette of values.

A value of its own for every field of every row would cost Hypothesis more time than the databases
need; a row here is one draw, and still shrinks to the first of everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Any, TypeVar

from hypothesis import strategies as st

from repo import Bar, Holding, Institution, Sentiment, Ticker
from tests.strategies import values

__all__ = [
    "Palette",
    "bars",
    "holdings",
    "institutions",
    "palettes",
    "sentiment_rows",
    "thick_holdings",
    "thick_sentiment",
    "tickers",
]

_T = TypeVar("_T")

_ROW_BYTES = 9
_FILED_AFTER = (0, 1, 0, 1, 2, 3, 10, 45, 20_000)


@dataclass(frozen=True)
class Palette:
    """The values that rows are made of; the first of each is the simplest."""

    symbols: Sequence[str]
    ciks: Sequence[int]
    sources: Sequence[str]
    days: Sequence[date]
    quarters: Sequence[date]
    counts: Sequence[int]
    prices: Sequence[float]
    percents: Sequence[float | None]
    scores: Sequence[float | None]


def _pick(pool: Sequence[_T], byte: int) -> _T:
    return pool[byte % len(pool)]


def _spelled(palette: Palette, byte: int) -> str:
    symbol = _pick(palette.symbols, byte)
    return symbol.lower() if byte >= 192 else symbol


@st.composite
def _rows(draw: st.DrawFn, make: Callable[[bytes], _T], most: int) -> list[_T]:
    row = st.binary(min_size=_ROW_BYTES, max_size=_ROW_BYTES)
    return [make(drawn) for drawn in draw(st.lists(row, max_size=most))]


def bars(palette: Palette, most: int = 24) -> st.SearchStrategy[list[Bar]]:
    """Bars whose high is not below their low, some without what may be missing."""

    def make(drawn: bytes) -> Bar:
        high, low = (_pick(palette.prices, drawn[place]) for place in (2, 3))
        missing = drawn[7] if drawn[7] < 16 else 0
        return Bar(
            _spelled(palette, drawn[0]),
            _pick(palette.days, drawn[1]),
            None if missing & 1 else _pick(palette.prices, drawn[4]),
            None if missing & 2 else max(high, low),
            None if missing & 4 else min(high, low),
            _pick(palette.prices, drawn[5]),
            None if missing & 8 else _pick(palette.counts, drawn[6]),
        )

    return _rows(make, most)


def holdings(palette: Palette, most: int = 24) -> st.SearchStrategy[list[Holding]]:
    """Filings on the days right after a quarter's end, so that they amend each other."""

    def make(drawn: bytes) -> Holding:
        quarter = _pick(palette.quarters, drawn[2])
        filed = min(quarter.toordinal() + _pick(_FILED_AFTER, drawn[3]), date.max.toordinal())
        return Holding(
            _spelled(palette, drawn[0]),
            _pick(palette.ciks, drawn[1]),
            quarter,
            date.fromordinal(filed),
            _pick(palette.counts, drawn[4]),
            _pick(palette.counts, drawn[5]),
            _pick(palette.percents, drawn[6]),
        )

    return _rows(make, most)


def sentiment_rows(palette: Palette, most: int = 24) -> st.SearchStrategy[list[Sentiment]]:
    """Interest with a score or without; two rows in three are of the first source."""

    def make(drawn: bytes) -> Sentiment:
        sources = (palette.sources[0], palette.sources[0], *palette.sources[1:])
        return Sentiment(
            _spelled(palette, drawn[0]),
            _pick(sources, drawn[1]),
            _pick(palette.days, drawn[2]),
            _pick(palette.counts, drawn[3]),
            _pick(palette.scores, drawn[4]),
        )

    return _rows(make, most)


@st.composite
def thick_holdings(draw: st.DrawFn, palette: Palette) -> list[Holding]:
    """A filing of each institution for each ticker and quarter, on the quarter's last day."""
    keys = list(product(palette.symbols, palette.ciks, palette.quarters))
    drawn = draw(st.binary(min_size=len(keys), max_size=len(keys)))
    return [
        Holding(symbol, cik, quarter, quarter, _pick(palette.counts, byte), byte)
        for (symbol, cik, quarter), byte in zip(keys, drawn, strict=True)
    ]


@st.composite
def thick_sentiment(draw: st.DrawFn, palette: Palette) -> list[Sentiment]:
    """Interest in each ticker, of the first source, every few days: in each window, or not in each."""
    every = draw(st.sampled_from((5, 3, 7, 8, 9)))
    keys = list(product(palette.symbols, palette.days[::every]))
    drawn = draw(st.binary(min_size=len(keys), max_size=len(keys)))
    return [
        Sentiment(symbol, palette.sources[0], day, _pick(palette.counts, byte))
        for (symbol, day), byte in zip(keys, drawn, strict=True)
    ]


@st.composite
def tickers(draw: st.DrawFn, symbols: Sequence[str]) -> list[Ticker]:
    """A ticker for each symbol and some twice, with a CUSIP that no other has or with none."""
    own = dict(zip(symbols, draw(_some(values.cusips(), len(symbols))), strict=False))
    again = draw(st.lists(st.sampled_from(symbols), max_size=2)) if symbols else []
    return [
        Ticker(
            draw(values.spelled(symbol)),
            draw(values.company_names()),
            draw(values.spelled(own[symbol])) if symbol in own and draw(st.booleans()) else None,
        )
        for symbol in [*symbols, *again]
    ]


@st.composite
def institutions(draw: st.DrawFn, ciks: Sequence[int]) -> list[Institution]:
    """An institution for each CIK."""
    return [Institution(cik, draw(values.company_names())) for cik in ciks]


def _mixed(common: Sequence[Any], drawn: st.SearchStrategy[Any]) -> st.SearchStrategy[Sequence[Any]]:
    """A palette of some values that are always there and up to three others."""
    return st.lists(drawn, max_size=3).map(lambda others: (*common, *others))


def _some(drawn: st.SearchStrategy[_T], number: int) -> st.SearchStrategy[list[_T]]:
    """That many values or, where some came twice, fewer: none is thrown away to find another."""
    several = st.lists(drawn, min_size=number, max_size=number)
    return several.map(lambda found: list(dict.fromkeys(found)))


@st.composite
def palettes(draw: st.DrawFn, symbols: int, days: Sequence[date]) -> Palette:
    """Palettes of up to so many tickers, whose days and quarters are among those given.

    One in four has counts whose sums and products pass 64 bits.
    """
    counts = draw(_mixed(values.SMALL_COUNTS, values.small_counts()))
    if draw(st.integers(0, 3)) == 3:
        counts = draw(_mixed(values.HUGE_COUNTS, values.counts()))
    prices = draw(_mixed(values.TAME_PRICES, values.prices()))
    if draw(st.integers(0, 2)) == 2:
        prices = (*prices, *values.EDGE_PRICES)
    many = draw(st.sampled_from((1, 0, *range(2, symbols + 1), *8 * (symbols,))))
    return Palette(
        symbols=draw(_some(values.symbols(), many)),
        ciks=draw(_some(values.ciks(), draw(st.sampled_from((1, 0, *8 * (2,), 3, 3, 3))))),
        sources=draw(_some(values.sources(), draw(st.sampled_from((1, 1, 1, 2))))),
        days=days,
        # Two quarters as a rule: one has no predecessor, three are one too many.
        quarters=draw(_some(st.sampled_from(days[:16]), draw(st.sampled_from((1, *8 * (2,), 3, 3))))),
        counts=counts,
        prices=prices,
        percents=draw(_mixed((None, *values.EDGE_PERCENTS), values.percents())),
        scores=draw(_mixed((None, *values.EDGE_SCORES), values.scores())),
    )
