"""What is written comes back the same to the last bit, whichever way it went in."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from repo import Bar, Holding, Sentiment
from tests.equivalence.engines import Engines
from tests.equivalence.loads import (
    CONTAINERS,
    Load,
    OnlyOnce,
    contained,
    loads,
    referred,
    single_rows,
    write_referred,
)
from tests.equivalence.model import AGGREGATES, Rows
from tests.equivalence.profiles import examples
from tests.strategies import NumpyLike
from tests.strategies.values import EDGE_DAYS

_PRICES: Final[tuple[tuple[Any, ...], ...]] = (
    (1, 2, 1, 2, NumpyLike("i", 5)),
    (NumpyLike("f", 1.5), NumpyLike("f", 999999999999.9999), NumpyLike("f", 5e-324), 999999999999, 0),
    (None, NumpyLike("i", 3), None, NumpyLike("u", 2), NumpyLike("u", 2**63 - 1)),
    (NumpyLike("f", 0.10000000149011612), None, 7, NumpyLike("f", 1 / 3), None),
)
_MOST: Final = NumpyLike("u", 2**63 - 1)
_HELD: Final[tuple[tuple[Any, ...], ...]] = (
    (_MOST, NumpyLike("i", 0), 0),
    (1, _MOST, 100),
    (0, 0, NumpyLike("f", -0.0)),
    (NumpyLike("u", 7), NumpyLike("i", 7), NumpyLike("i", 7)),
)
_SCORES: Final[tuple[Any, ...]] = (0, 1, -1, NumpyLike("f", 5e-324), NumpyLike("f", -0.0))


def _hold(engines: Engines, rows: Rows) -> None:
    """Both databases hold exactly these rows: looked up past the package, and read through it."""
    assert engines.dump() == rows.dump()
    world = rows.world()
    assert engines.same(lambda db: db.tickers.all()).answer == world.tickers_all()
    assert engines.same(lambda db: db.institutions.all()).answer == world.institutions_all()
    for symbol in {key[0] for key in (*rows.market, *rows.holdings, *rows.sentiment)}:
        for name in ("market", "holdings", "sentiment"):
            found = engines.same(lambda db: getattr(db, name).history(symbol))  # noqa: B023  # now
            assert found.answer == getattr(world, f"{name}_history")(symbol), name


def _upsert(engines: Engines, rows: Rows, aggregate: str, batch: list[Any], container: str) -> None:
    """Write rows to both and to the model; the counts of what changed are the same."""
    make = CONTAINERS[container]
    written = engines.same(lambda db: getattr(db, aggregate).upsert(make(batch)))
    assert written.answer == rows.upsert(aggregate, batch), written.raised


def _start(engines: Engines, *, with_referred: bool) -> Rows:
    engines.clear()
    if not with_referred:
        return Rows()
    for db in engines.both:
        write_referred(db)
    return referred()


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_a_few_rows(engines: Engines, aggregate: str) -> None:
    """Any values that a record takes come back; so do others in their place; none twice."""
    several = st.lists(single_rows(aggregate), max_size=12)

    @examples()
    @given(first=several, second=several, container=contained())
    def check(first: list[Any], second: list[Any], container: str) -> None:
        rows = _start(engines, with_referred=True)
        for batch in (first, first, second, [*first, *second, *first]):
            _upsert(engines, rows, aggregate, batch, container)
        _hold(engines, rows)

    check()


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_many_rows(engines: Engines, aggregate: str) -> None:
    """Loads of every size and order come back, with keys that come again far behind."""

    @examples(0.4)
    @given(first=loads(aggregate), second=loads(aggregate), container=contained())
    def check(first: Load, second: Load, container: str) -> None:
        rows = _start(engines, with_referred=aggregate not in ("tickers", "institutions"))
        for load in (first, second, second):
            _upsert(engines, rows, aggregate, load.rows(), container)
        _hold(engines, rows)

    check()


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_rows_that_can_be_read_only_once(engines: Engines, aggregate: str) -> None:
    """An iterable that gives its rows once and no more arrives whole, whatever keys come again."""
    _start(engines, with_referred=aggregate not in ("tickers", "institutions"))
    seed = find(single_rows(aggregate), lambda row: True)
    rows = Load(aggregate, (seed,), 2101, "by ticker", ((0, 1500),)).rows()
    written = engines.same(lambda db: getattr(db, aggregate).upsert(OnlyOnce(rows)))
    assert written.answer == 2101


def test_numbers_of_a_data_frame(engines: Engines) -> None:
    """Numpy's integers and floats, and whole numbers for prices, are stored as Python's own."""
    table: dict[str, tuple[type[Any], list[tuple[Any, ...]]]] = {
        "market": (Bar, [("A", day, *cells) for day, cells in zip(EDGE_DAYS, _PRICES, strict=False)]),
        "holdings": (
            Holding,
            [
                ("A", NumpyLike("i", 1), day, day, *cells)
                for day, cells in zip(EDGE_DAYS, _HELD, strict=False)
            ],
        ),
        "sentiment": (
            Sentiment,
            [
                ("A", "s", day, NumpyLike("i", 5), score)
                for day, score in zip(EDGE_DAYS, _SCORES, strict=False)
            ],
        ),
    }
    for many in (1, 60):
        rows = _start(engines, with_referred=True)
        for aggregate, (record, cells) in table.items():
            _upsert(engines, rows, aggregate, [record._make(row) for row in cells] * many, "list")
        _hold(engines, rows)
