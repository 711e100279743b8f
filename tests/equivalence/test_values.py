"""What is written comes back the same to the last bit, whichever way it went in."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, Final, NamedTuple

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

pyarrow: Any = importlib.import_module("pyarrow")


class _Number(NamedTuple):
    """A number that a table has as a scalar of numpy's: of kind i, u or f."""

    kind: str
    value: Any


_MOST: Final = _Number("u", 2**63 - 1)
_CELLS: Final[dict[type[Any], tuple[tuple[Any, ...], ...]]] = {
    Bar: (
        ("A", EDGE_DAYS[0], 1, 2, 1, 2, _Number("i", 5)),
        ("A", EDGE_DAYS[1], _Number("f", 1.5), _Number("f", 999999999999.9999), None, 999999999999, 0),
        ("A", EDGE_DAYS[2], None, _Number("i", 3), _Number("f", 5e-324), _Number("u", 2), _MOST),
        ("A", EDGE_DAYS[3], _Number("f", 0.10000000149011612), None, 7, _Number("f", 1 / 3), None),
    ),
    Holding: (
        ("A", _Number("i", 1), EDGE_DAYS[0], EDGE_DAYS[1], _MOST, _Number("i", 0), 0),
        ("A", 1, EDGE_DAYS[1], EDGE_DAYS[2], 1, _MOST, 100),
        ("A", _Number("u", 1), EDGE_DAYS[2], EDGE_DAYS[3], 0, 0, _Number("f", -0.0)),
        ("A", 1, EDGE_DAYS[3], EDGE_DAYS[4], _Number("u", 7), _Number("i", 7), _Number("i", 7)),
    ),
    Sentiment: (
        ("A", "s", EDGE_DAYS[0], _Number("i", 5), 0),
        ("A", "s", EDGE_DAYS[1], _Number("u", 5), -1),
        ("A", "s", EDGE_DAYS[2], 5, _Number("f", 5e-324)),
        ("A", "s", EDGE_DAYS[3], 5, _Number("f", -0.0)),
    ),
}


def _real(kind: str, value: Any) -> Any:
    """A scalar of numpy itself."""
    numpy: Any = importlib.import_module("numpy")
    return {"i": numpy.int64, "u": numpy.uint64, "f": numpy.float64}[kind](value)


SCALARS: Final = [NumpyLike, _real] if importlib.util.find_spec("numpy") else [NumpyLike]


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

    @examples(0.25)
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


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_rows_of_a_table(engines: Engines, aggregate: str) -> None:
    """An Arrow table with the record's fields as columns is written as its rows are."""

    @examples(0.3)
    @given(load=loads(aggregate, sizes=(1, 100, 101, 1001)))
    def check(load: Load) -> None:
        rows = _start(engines, with_referred=aggregate not in ("tickers", "institutions"))
        batch = load.rows()
        table = pyarrow.Table.from_pylist([row._asdict() for row in batch])
        written = engines.same(lambda db: getattr(db, aggregate).upsert(table))
        assert written.answer == rows.upsert(aggregate, batch), written.raised
        assert engines.dump() == rows.dump()

    check()


@pytest.mark.parametrize("scalar", SCALARS)
def test_numbers_of_a_data_frame(engines: Engines, scalar: Callable[[str, Any], Any]) -> None:
    """Numpy's integers and floats, and whole numbers for prices, are stored as Python's own."""
    for many in (1, 60):
        rows = _start(engines, with_referred=True)
        for aggregate, record in AGGREGATES.items():
            made = [
                [scalar(*cell) if isinstance(cell, _Number) else cell for cell in cells]
                for cells in _CELLS.get(record, ())
            ]
            _upsert(engines, rows, aggregate, [record._make(cells) for cells in made] * many, "list")
        _hold(engines, rows)
