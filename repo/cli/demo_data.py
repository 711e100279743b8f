"""A small synthetic world for the demo: the same rows every time, on every machine.

Nothing in it is real: names, CIKs, prices, holdings and interest come from a seeded generator, of
which only ``random()`` is used, because Python promises that it stays the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from repo.records import Bar, Holding, Institution, Sentiment, Ticker

if TYPE_CHECKING:
    from repo.database import Database

AS_OF: Final = date(2025, 6, 30)
"""The last day of the sample."""

SOURCE: Final = "synthetic"
"""The source of its retail interest."""

_SEED: Final = 20_250_630
_BAR_DAYS: Final = 400
_INTEREST_DAYS: Final = 300
_RECENT_DAYS: Final = 90
_QUARTERS: Final = (date(2024, 6, 30), date(2024, 9, 30), date(2024, 12, 31), date(2025, 3, 31))
_FIRST_CIK: Final = 9_900_000_001
_SATURDAY: Final = 5

_NAMES: Final[Mapping[str, str]] = {
    "AMBLN": "Amberline Robotics",
    "BRKWD": "Brackwood Timber",
    "CALDR": "Caldera Spirits",
    "COBLT": "Cobalt Ferry Lines",
    "CRNLE": "Corneille Pianos",
    "DRFTN": "Driftnet Software",
    "DUNMR": "Dunmore Cement",
    "ELDRA": "Eldra Biologics",
    "FENWK": "Fenwick Elevators",
    "FRSTL": "Frostline Storage",
    "GANTR": "Gantry Cranes",
    "GLIMR": "Glimmer Games",
    "HALCN": "Halcyon Mattress",
    "HRTHS": "Hearthstead Homes",
    "INKWL": "Inkwell Paper",
    "JUNPR": "Juniper Hollow Foods",
    "KESTR": "Kestrel Drones",
    "LANTN": "Lanternfish Lighting",
    "MARLW": "Marlow Bicycles",
    "MOONR": "Moonrake Telescopes",
    "NIMBL": "Nimble Shoes",
    "OAKUM": "Oakum Shipyards",
    "PLUMB": "Plumbline Surveys",
    "QUARN": "Quarrion Mining",
    "RAVLN": "Ravelin Security",
    "SALTP": "Saltpan Chemicals",
    "TIDEW": "Tidewater Pumps",
    "UMBRA": "Umbra Optics",
    "VELLM": "Vellum Publishing",
    "WHIST": "Whistledown Rail",
}
_INSTITUTIONS: Final = (
    "Aldgate Square Capital",
    "Bellwether Partners",
    "Copperfield Trust",
    "Dovecote Asset Management",
    "Eastlight Advisors",
    "Foxglove Investors",
    "Greywater Holdings",
    "Hawthorn Row Fund",
)


class _Story(NamedTuple):
    """A ticker's last weeks: factors for shares held and interest, and a daily drift."""

    shares: float
    interest: float
    drift: float


_STORIES: Final[Mapping[str, _Story]] = {
    # Bought while nobody looks.
    "DUNMR": _Story(1.9, 0.45, 0.0002),
    "INKWL": _Story(1.7, 0.5, 0.0),
    "TIDEW": _Story(1.6, 0.4, 0.0004),
    # Crowded by retail, while institutions hold still or leave.
    "GLIMR": _Story(0.9, 6.0, 0.006),
    "KESTR": _Story(0.8, 4.5, 0.004),
    "MOONR": _Story(0.7, 5.0, 0.005),
    # Sold out.
    "HALCN": _Story(0.0, 1.8, -0.004),
    "NIMBL": _Story(0.0, 2.2, -0.003),
}


def identity() -> tuple[set[str], set[int], set[str]]:
    """The symbols, CIKs and sources of the sample, which tell it from other data."""
    return set(_NAMES), {_FIRST_CIK + number for number in range(len(_INSTITUTIONS))}, {SOURCE}


def fill(db: Database) -> dict[str, int]:
    """Write the sample into an empty database; the number of rows of each kind."""
    chance = random.Random(_SEED)
    stories = {symbol: _STORIES.get(symbol) or _ordinary(chance) for symbol in _NAMES}
    bars = [bar for symbol, story in stories.items() for bar in _bars(chance, symbol, story)]
    closes = {(bar.symbol, bar.date): bar.close for bar in bars}
    holdings = [
        holding
        for number in range(len(_INSTITUTIONS))
        for symbol, story in stories.items()
        for holding in _holdings(chance, _FIRST_CIK + number, symbol, story, closes)
    ]
    return {
        "tickers": db.tickers.upsert(
            Ticker(symbol, f"{name} (synthetic)") for symbol, name in _NAMES.items()
        ),
        "institutions": db.institutions.upsert(
            Institution(_FIRST_CIK + number, f"{name} (synthetic)")
            for number, name in enumerate(_INSTITUTIONS)
        ),
        "market": db.market.upsert(bars),
        "holdings": db.holdings.upsert(holdings),
        "sentiment": db.sentiment.upsert(
            row for symbol, story in stories.items() for row in _interest(chance, symbol, story)
        ),
    }


def _between(chance: random.Random, low: float, high: float) -> float:
    return low + (high - low) * chance.random()


def _ordinary(chance: random.Random) -> _Story:
    return _Story(
        _between(chance, 0.88, 1.12), _between(chance, 0.8, 1.25), _between(chance, -0.001, 0.001)
    )


def _bars(chance: random.Random, symbol: str, story: _Story) -> Iterator[Bar]:
    """A bar for each weekday; the story's drift sets in with its last days."""
    close = _between(chance, 8.0, 240.0)
    usual = _between(chance, 200_000.0, 4_000_000.0)
    for back in range(_BAR_DAYS - 1, -1, -1):
        day = AS_OF - timedelta(days=back)
        if day.weekday() >= _SATURDAY:
            continue
        drift = story.drift if back < _RECENT_DAYS else 0.0
        opened = round(close * _between(chance, 0.995, 1.005), 2)
        close = round(max(1.0, close * (1.0 + drift + _between(chance, -0.02, 0.02))), 2)
        high = round(max(opened, close) * _between(chance, 1.0, 1.01), 2)
        low = round(min(opened, close) * _between(chance, 0.99, 1.0), 2)
        yield Bar(symbol, day, opened, high, low, close, int(usual * _between(chance, 0.6, 1.6)))


def _holdings(
    chance: random.Random, cik: int, symbol: str, story: _Story, closes: Mapping[tuple[str, date], float]
) -> Iterator[Holding]:
    """Filings for the four quarters about six weeks after each; the story is told in the last."""
    if chance.random() < 0.35:
        return
    shares = int(_between(chance, 50_000.0, 3_000_000.0))
    outstanding = 200_000_000
    for quarter in _QUARTERS:
        last = quarter == _QUARTERS[-1]
        factor = story.shares if last else _between(chance, 0.93, 1.08)
        shares = int(shares * factor * (_between(chance, 0.97, 1.03)))
        if shares == 0:
            return
        close = next(
            close
            for back in range(7)
            if (close := closes.get((symbol, quarter - timedelta(days=back)))) is not None
        )
        filed = quarter + timedelta(days=40 + int(6 * chance.random()))
        percent = round(100.0 * shares / outstanding, 4)
        yield Holding(symbol, cik, quarter, filed, shares, int(shares * close), percent)


def _interest(chance: random.Random, symbol: str, story: _Story) -> Iterator[Sentiment]:
    """A count a day; over the last days it goes from the usual to the story's, and beyond."""
    usual = _between(chance, 400.0, 20_000.0)
    for back in range(_INTEREST_DAYS - 1, -1, -1):
        progress = max(0.0, 1.0 - back / _RECENT_DAYS)
        count = usual * (1.0 + (story.interest - 1.0) * 2.0 * progress if progress else 1.0)
        noisy = int(max(1.0, count) * _between(chance, 0.9, 1.1))
        yield Sentiment(symbol, SOURCE, AS_OF - timedelta(days=back), noisy)
