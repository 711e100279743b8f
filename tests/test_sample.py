"""The made-up sample: the same rows for a seed, of the size that was asked for, on both engines."""

from hashlib import sha256

import pytest

from repo import Database
from repo.sample import (
    LAST_DAY,
    SOURCE,
    SampleSize,
    bars,
    days_until,
    fill,
    holdings,
    quarters,
    sentiment,
)

SMALL = SampleSize(tickers=4, days=1_050, institutions=5, quarters=3, share=0.5, interest_days=20)
NAMES = ["T00000", "T00001"]


def test_same_rows_for_a_seed() -> None:
    """Rows depend on the seed alone; those of a ticker not even on the other tickers."""
    days = days_until(LAST_DAY, 30)
    assert list(bars(NAMES, days))[30:] == list(bars(NAMES[1:], days))
    assert list(bars(NAMES, days, seed=7)) != list(bars(NAMES, days))
    made = [
        *bars(NAMES, days),
        *holdings(NAMES, [1, 2, 3], quarters(LAST_DAY, 3)),
        *sentiment(NAMES, days),
    ]
    assert sha256(repr(made).encode()).hexdigest()[:16] == "f23ff4bc2ec69366"


def test_fill(db: Database) -> None:
    """What is told to be written is what lies there, bars of all days, and the ranking has an answer."""
    told: dict[str, int] = {}
    lots: list[str] = []

    def note(kind: str, rows: int) -> None:
        told[kind] = rows
        lots.append(kind)

    assert fill(db, SMALL, progress=note) == told
    assert lots.count("market") == 3
    assert told["market"] == 4 * 1_050
    for symbol in (ticker.symbol for ticker in db.tickers.all()):
        assert db.market.history(symbol) == list(bars([symbol], days_until(LAST_DAY, 1_050)))
    assert told["holdings"] == sum(len(db.holdings.history(each.symbol)) for each in db.tickers.all())
    assert (told["sentiment"], db.sentiment.sources()) == (4 * 20, [SOURCE])


@pytest.mark.parametrize("seed", [1, 2])
def test_again_writes_nothing(db: Database, seed: int) -> None:
    """The same seed and size write nothing the second time, another seed does."""
    fill(db, SMALL)
    again = fill(db, SMALL, seed=seed)
    assert (again["market"] == 0) == (seed == 1)
