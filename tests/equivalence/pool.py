"""The few names, days and values that the machine's steps are made of, so that they meet."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from hypothesis import strategies as st

from repo import Institution, Sentiment, Ticker
from tests.equivalence.failing import GOOD
from tests.equivalence.model import AGGREGATES
from tests.equivalence.reads import READS
from tests.strategies import (
    REFUSED_ARGUMENTS,
    REFUSED_ROWS,
    REFUSED_VALUES,
    Content,
    Palette,
    bars,
    holdings,
    sentiment_rows,
)
from tests.strategies.values import HUGE_COUNTS, TAME_PRICES

__all__ = ["POOL", "a_bad_argument", "a_batch", "bad_questions", "bad_rows", "some_rows"]

_FIRST_DAY: Final = date(2020, 1, 15)
_SYMBOLS: Final = ("A", "BRK.B", "Z-9")
_CIKS: Final = (1, 320193)

POOL: Final = Content(
    tickers=[Ticker(symbol, symbol) for symbol in _SYMBOLS],
    institutions=[Institution(cik, str(cik)) for cik in _CIKS],
    sentiment=[Sentiment("A", source, _FIRST_DAY, 0) for source in ("s", "é")],
    first_day=_FIRST_DAY,
)
"""What a machine begins with, and what it asks about."""

_PALETTE: Final = Palette(
    # One row in ten is of a ticker that is not there.
    symbols=(*_SYMBOLS * 3, "NONE"),
    ciks=(*_CIKS * 4, 7),
    sources=("s", "é"),
    days=POOL.days[:10],
    quarters=POOL.days[:2],
    counts=(1, 0, 2, 3, 10, 10**6, *HUGE_COUNTS[-3:]),
    prices=(*TAME_PRICES, 5e-324, 999999999999.9999),
    percents=(None, -0.0, 100.0),
    scores=(None, -0.0, 0.1),
)

_TICKERS: Final = st.builds(
    Ticker,
    st.sampled_from((*_SYMBOLS, "a", "NEW")),
    st.sampled_from(("one", "étoile \U0001f4c8")),
    st.sampled_from((None, "037833100", "0000001E5", "0000001e5")),
)
_INSTITUTIONS: Final = st.builds(
    Institution, st.sampled_from((*_CIKS, 7)), st.sampled_from(("one", "two"))
)


def some_rows(aggregate: str) -> st.SearchStrategy[list[Any]]:
    """A few rows of a table."""
    strategies: dict[str, st.SearchStrategy[list[Any]]] = {
        "tickers": st.lists(_TICKERS, max_size=4),
        "institutions": st.lists(_INSTITUTIONS, max_size=4),
        "market": bars(_PALETTE, most=8),
        "holdings": holdings(_PALETTE, most=8),
        "sentiment": sentiment_rows(_PALETTE, most=8),
    }
    return strategies[aggregate]


def bad_rows(aggregate: str) -> list[Any]:
    """Every row of a table that is refused for a value or as a whole."""
    record, good = AGGREGATES[aggregate], GOOD[aggregate]
    rows = [
        good._replace(**{field: value})
        for field, refused in REFUSED_VALUES[record].items()
        for value in refused
    ]
    return [*rows, *REFUSED_ROWS[record]]


@st.composite
def a_batch(draw: st.DrawFn, *, bad: bool = False) -> tuple[str, list[Any]]:
    """Rows of any table; with a bad one among them, if asked for."""
    aggregate = draw(st.sampled_from(sorted(AGGREGATES)))
    rows = draw(some_rows(aggregate))
    if bad:
        rows.insert(draw(st.integers(0, len(rows))), draw(st.sampled_from(bad_rows(aggregate))))
    return aggregate, rows


_ASKED: Final[dict[str, dict[str, Any]]] = {
    "cik": {"cik": 1},
    "date": {"date": date(2020, 3, 31)},
    "as_of": {"as_of": date(2020, 3, 31)},
    "symbol": {"symbol": "A"},
    "symbols": {"symbols": None},
}


def good_questions() -> list[tuple[str, dict[str, Any]]]:
    """Every read once, and what is asked in another way of one ticker, and of several."""
    questions = [
        (name, {key: value for each in read.kinds for key, value in _ASKED.get(each, {}).items()})
        for name, read in READS.items()
    ]
    return [*questions, *(("market.latest", {"symbols": asked}) for asked in (["A"], ["A", "Z-9"]))]


def bad_questions() -> list[tuple[str, dict[str, Any]]]:
    """Every read with one argument that is refused, the others being good."""
    return [
        (name, {**good, argument: value})
        for name, good in good_questions()
        for argument, kind in READS[name].kinds.items()
        for value in REFUSED_ARGUMENTS[kind]
    ]


def a_bad_argument() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """A read with an argument that is refused."""
    return st.sampled_from(bad_questions())
