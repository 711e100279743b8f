"""The real data in both engines: it comes back whole, and every read is the oracle's answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest

import repo
from repo import Bar, Holding, Institution, Sentiment, Ticker
from repo.digests import digests
from repo.transfer import copy
from tests import servers
from tests.equivalence.engines import Engines, opened
from tests.equivalence.reads import call, same_as_oracle
from tests.oracle import World, load_csv_world

DAYS: Final = (
    *(date(2018, 4, 2), date(2018, 8, 14), date(2018, 12, 31), date(2019, 2, 14), date(2019, 2, 15)),
    *(date(2019, 5, 15), date(2019, 8, 17), date(2019, 11, 14), date(2020, 2, 14), date(2020, 3, 23)),
    *(date(2020, 5, 14), date(2020, 5, 15), date(2020, 6, 30), date(2020, 8, 14), date(2021, 1, 1)),
)
WINDOWS: Final = (1, 30, 90)
RANGES: Final[tuple[tuple[date | None, date | None], ...]] = (
    *((None, None), (date(2019, 1, 1), date(2019, 12, 31)), (date(2020, 2, 20), date(2020, 3, 23))),
    *((None, date(2018, 6, 30)), (date(2020, 6, 29), None), (date(2020, 1, 1), date(2019, 1, 1))),
)


@dataclass(frozen=True)
class Loaded:
    """Both engines with the real data in them, and the data as the oracle has it."""

    engines: Engines
    world: World
    alone: Mapping[str, World]
    """By ticker, the world without the rows of others: it answers the same about this one, sooner."""

    def same(self, world: World, name: str, **arguments: Any) -> Any:
        """Ask both engines and the oracle; what all of them answer."""
        found = self.engines.same(lambda db: call(db, name, arguments))
        same_as_oracle(world, name, arguments, found)
        return found.answer


def _alone(world: World) -> dict[str, World]:
    found = {
        symbol: World(
            tickers=world.tickers, institutions=world.institutions, bars={}, holdings={}, sentiment={}
        )
        for symbol in world.tickers
    }
    for part in ("bars", "holdings", "sentiment"):
        for key, row in getattr(world, part).items():
            getattr(found[key[0]], part)[key] = row
    return found


def _counts(loaded: Loaded, one_in: int = 1) -> list[int]:
    """Write everything to both, or a part; how many rows of each table were new or different."""
    world = loaded.world
    batches: dict[str, list[Any]] = {
        "tickers": [Ticker(symbol, *row) for symbol, row in world.tickers.items()],
        "institutions": [Institution(*row) for row in world.institutions.items()],
        "market": [Bar._make((*key, *row)) for key, row in world.bars.items()],
        "holdings": [
            Holding(symbol, cik, quarter, filed, *row)
            for (symbol, quarter, cik, filed), row in world.holdings.items()
        ],
        "sentiment": [Sentiment(*key, *row) for key, row in world.sentiment.items()],
    }
    return [
        loaded.engines.same(lambda db: getattr(db, name).upsert(rows[::one_in])).answer  # noqa: B023  # now
        for name, rows in batches.items()
    ]


@pytest.fixture(scope="module")
def loaded(
    real_data: Path, server: servers.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loaded]:
    """The real data in databases of its own, once for all tests of this module."""
    world = load_csv_world(real_data / "2018-2020")
    with opened(server, tmp_path_factory.mktemp("real")) as engines:
        made = Loaded(engines, world, _alone(world))
        sizes = [len(world.tickers), len(world.institutions), len(world.bars)]
        assert _counts(made) == [*sizes, len(world.holdings), len(world.sentiment)]
        yield made


def test_whole_tables(loaded: Loaded) -> None:
    """Everything comes back, and writing it again writes nothing."""
    for name in (
        "tickers.all",
        "institutions.all",
        "market.coverage",
        "market.latest",
        "sentiment.sources",
    ):
        assert loaded.same(loaded.world, name)
    assert _counts(loaded, 10) == [0] * 5


@pytest.mark.parametrize("window_days", WINDOWS)
def test_rankings(loaded: Loaded, window_days: int) -> None:
    """Rankings over two years are the oracle's to the last bit."""
    sizes = [
        len(loaded.same(loaded.world, "divergence.ranking", as_of=day, window_days=window_days))
        for day in DAYS[3::4]
    ]
    assert max(sizes) > 50
    best = loaded.same(
        loaded.world, "divergence.ranking", as_of=DAYS[9], window_days=window_days, limit=5
    )
    assert len(best) == 5


@pytest.mark.parametrize("day", DAYS)
def test_one_day(loaded: Loaded, day: date) -> None:
    """The bars of a day, and what was known that day about each ticker, are the oracle's."""
    loaded.same(loaded.world, "market.on", date=day)
    for symbol in sorted(loaded.world.tickers)[::10]:
        loaded.same(loaded.alone[symbol], "holdings.known", symbol=symbol, as_of=day)


def test_each_ticker(loaded: Loaded) -> None:
    """Histories, summaries and timelines of every other ticker are the oracle's to the last bit."""
    for number, symbol in enumerate(sorted(loaded.world.tickers)[::2]):
        world = loaded.alone[symbol]
        start, end = RANGES[number % len(RANGES)]
        for name in ("market.history", "holdings.history", "sentiment.history", "market.summary"):
            loaded.same(world, name, symbol=symbol, start=start, end=end)
        loaded.same(world, "market.summary", symbol=symbol)
        loaded.same(
            world, "divergence.timeline", symbol=symbol, source="robintrack", start=start, end=end
        )


def test_frames(loaded: Loaded) -> None:
    """Tables of several tickers have the rows of their histories, one after another."""
    symbols = sorted(loaded.world.tickers)[::40]
    for name in ("market.frame", "holdings.frame", "sentiment.frame"):
        assert loaded.same(loaded.world, name, symbols=symbols).rows


def test_copied_there_and_back(loaded: Loaded, server: servers.Server, tmp_path: Path) -> None:
    """From SQLite to PostgreSQL and to another SQLite file, every digest is the same."""
    name = server.create()
    with (
        repo.connect(server.url_of(name, min_size="1")) as there,
        repo.connect(f"sqlite:///{tmp_path / 'back.db'}") as back,
    ):
        copy(loaded.engines.sqlite, there)
        copy(there, back)
        assert digests(loaded.engines.sqlite) == digests(there) == digests(back)
    server.drop(name)
