"""Made-up rows of any size, the same for the same seed on every machine.

They are for measuring, and for plans at a realistic volume. Of the generator only ``random()`` is used,
because Python promises that it stays the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain, islice
from random import Random
from typing import TYPE_CHECKING, Final

from repo.records import Bar, Holding, Institution, Sentiment, Ticker

if TYPE_CHECKING:
    from repo.database import Database

LAST_DAY: Final = date(2025, 12, 31)
"""The day of the last bars of :func:`fill`."""

SOURCE: Final = "searches"
"""The source of the interest."""

_DAYS_TOGETHER: Final = 500


@dataclass(frozen=True, slots=True)
class SampleSize:
    """The size of a sample; the default is a million bars of 500 tickers.

    ``days`` are bars a ticker, ``interest_days`` rows of interest a ticker, ``share`` the part of the
    pairs of ticker and institution that is held, the same in each quarter.
    """

    tickers: int = 500
    days: int = 2_000
    institutions: int = 100
    quarters: int = 8
    share: float = 0.25
    interest_days: int = 360


def symbols(count: int) -> list[str]:
    """That many symbols, sorted."""
    return [f"T{number:05d}" for number in range(count)]


def tickers(names: Sequence[str]) -> list[Ticker]:
    """A ticker of each symbol."""
    return [Ticker(name, f"Company {name}") for name in names]


def institutions(count: int) -> list[Institution]:
    """That many institutions, by CIK."""
    return [Institution(1_000 + number, f"Institution {number}") for number in range(count)]


def days_until(last: date, count: int) -> list[date]:
    """That many days, the last of them ``last``."""
    return [last - timedelta(days=back) for back in range(count - 1, -1, -1)]


def bars(names: Sequence[str], days: Sequence[date], seed: int = 1) -> Iterator[Bar]:
    """A bar of each ticker and day, by symbol and date; prices walk in cents."""
    for name in names:
        random = Random(f"{seed} bars {name}").random
        close = 2_000 + int(20_000 * random())
        for day in days:
            opened = close
            close = int(opened * (0.98 + 0.0401 * random())) or 1
            low, high = (opened, close) if opened < close else (close, opened)
            high += int(high * 0.01 * random())
            low -= int(low * 0.01 * random())
            volume = int(5_000_000 * random())
            yield Bar(name, day, opened / 100, high / 100, low / 100, close / 100, volume)


def quarters(last: date, count: int) -> list[date]:
    """That many quarter ends before a day, in order."""
    ends = [
        date(year, month, day)
        for year in range(last.year - count // 4 - 1, last.year + 1)
        for month, day in ((3, 31), (6, 30), (9, 30), (12, 31))
    ]
    return [end for end in ends if end < last][-count:]


def holdings(
    names: Sequence[str], ciks: Sequence[int], ends: Sequence[date], share: float = 1.0, seed: int = 2
) -> Iterator[Holding]:
    """Filings by symbol, quarter and CIK; one in fifty is amended a week later.

    :param share: the part of the pairs of ticker and institution that is held, the same in each quarter.
    """
    for name in names:
        random = Random(f"{seed} holdings {name}").random
        holders = [(cik, int(1_000_000 * random()) + 1) for cik in ciks if random() < share]
        for end in ends:
            for cik, base in holders:
                shares = int(base * (0.5 + random()))
                filed = end + timedelta(days=20 + int(25 * random()))
                yield Holding(name, cik, end, filed, shares, shares * 50, round(100 * random(), 2))
                if random() < 0.02:
                    later = filed + timedelta(days=7)
                    yield Holding(name, cik, end, later, shares + 10, shares * 50 + 500)


def sentiment(names: Sequence[str], days: Sequence[date], seed: int = 3) -> Iterator[Sentiment]:
    """A row of each ticker and day, of one source."""
    for name in names:
        random = Random(f"{seed} sentiment {name}").random
        level = 10 + int(1_000 * random())
        for day in days:
            interest = int(level * (0.5 + random()))
            yield Sentiment(name, SOURCE, day, interest, round(2.0 * random() - 1.0, 3))


def fill(
    db: Database,
    size: SampleSize | None = None,
    *,
    seed: int = 1,
    progress: Callable[[str, int], None] = lambda kind, rows: None,
) -> dict[str, int]:
    """Write a sample into a database, in one transaction; how many rows of each kind were written.

    Bars are written as they arrive in practice, 500 days of all tickers at a time, so that days lie
    together in PostgreSQL's table. The same seed and size give the same rows.

    :param size: None is a million bars of 500 tickers, 102,000 filings and 180,000 rows of interest.
    :param progress: called after each batch with its kind and the rows of that kind so far.
    """
    size = size or SampleSize()
    names, firms = symbols(size.tickers), institutions(size.institutions)
    days, interest = days_until(LAST_DAY, size.days), days_until(LAST_DAY, size.interest_days)
    ciks = [firm.cik for firm in firms]
    written: dict[str, int] = {}

    def note(kind: str, rows: int) -> None:
        written[kind] = written.get(kind, 0) + rows
        progress(kind, written[kind])

    with db.transaction(isolation="read committed"):
        note("tickers", db.tickers.upsert(tickers(names)))
        note("institutions", db.institutions.upsert(firms))
        walks = [bars([name], days, seed) for name in names]
        for start in range(0, size.days, _DAYS_TOGETHER):
            together = min(_DAYS_TOGETHER, size.days - start)
            rows = chain.from_iterable(islice(walk, together) for walk in walks)
            note("market", db.market.upsert(rows))
        filed = holdings(names, ciks, quarters(LAST_DAY, size.quarters), size.share, seed + 1)
        note("holdings", db.holdings.upsert(filed))
        note("sentiment", db.sentiment.upsert(sentiment(names, interest, seed + 2)))
    return written
