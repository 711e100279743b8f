"""Every read of both engines against the oracle: on generated databases and at the edge of 64 bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repo import Bar, Holding, Sentiment
from tests.equivalence.engines import Engines
from tests.equivalence.loads import INSTITUTIONS, referred, write_referred
from tests.equivalence.model import Rows
from tests.equivalence.profiles import examples
from tests.equivalence.reads import READS, a_read, call, same_as_oracle
from tests.strategies import Content, contents
from tests.strategies.values import INT64_MAX

_WRITES: Final = {"upsert", "delete"}

FIRST_DAY: Final = date(2020, 1, 1)
GREATEST: Final = math.nextafter(1e12, 0)

CLOSES: Final = (
    *(5e-324, 4.9999999999999996e-05, 5e-05, 0.00015, 0.00025, 1.00005, 1.00015, 2.00025, 0.99995),
    *(0.49999999999999994, 1e-4, 0.29999999999999999, 123456.78905, 99999.99995, 549755813887.99995),
    *(549755813888.00005, 900719925474.0993, 999999999999.9998, GREATEST),
)
"""Closes at which a rounding that is not quite the same shows."""

QUOTIENTS: Final = (
    *((5e-324, 1.0), (5e-324, 2.0), (5e-324, 1.9999999999999998), (1e-300, 1e11), (1e-323, 3.0)),
    *((2.2250738585072014e-308, 999999999999.0), (1e11, 5e-324), (1.0, 5e-324), (1e11, 5.6e-298)),
    *((1.0, 5.562684646268003e-309), (1.0, 5.56268464626800e-309), (1e11, 1.0), (5e-324, 5e-324)),
)
"""Closes whose quotient is about to leave the floats on one side or the other."""

Questions = list[tuple[str, dict[str, Any]]]


def _asked(content: Content) -> st.SearchStrategy[tuple[Content, Questions]]:
    return st.tuples(st.just(content), st.lists(a_read(content), min_size=4, max_size=20))


@examples(4)
@given(contents().flatmap(_asked))
def test_generated_databases(engines: Engines, asked: tuple[Content, Questions]) -> None:
    """Every read of a generated database is the oracle's answer, on both engines."""
    content, questions = asked
    engines.clear()
    for db in engines.both:
        content.write(db)
    world = Rows.of(content).world()
    for name, arguments in questions:
        found = engines.same(lambda db: call(db, name, arguments))  # noqa: B023  # called at once
        same_as_oracle(world, name, arguments, found)


def _day(number: int) -> date:
    return date.fromordinal(FIRST_DAY.toordinal() + number)


def _written(
    engines: Engines,
    bars: Sequence[Bar],
    holdings: Sequence[Holding] = (),
    sentiment: Sequence[Sentiment] = (),
) -> Rows:
    """The rows, in both engines and in a model."""
    engines.clear()
    rows = referred()
    for aggregate, batch in (("market", bars), ("holdings", holdings), ("sentiment", sentiment)):
        rows.upsert(aggregate, batch)
    for db in engines.both:
        write_referred(db)
        db.market.upsert(bars)
        db.holdings.upsert(holdings)
        db.sentiment.upsert(sentiment)
    return rows


def _same(engines: Engines, rows: Rows, name: str, **arguments: Any) -> str | None:
    """Ask both engines and the oracle; the class of the error that all of them raise."""
    found = engines.same(lambda db: call(db, name, arguments))
    same_as_oracle(rows.world(), name, arguments, found)
    return found.error


def test_closes_at_the_edge(engines: Engines) -> None:
    """922 of the greatest closes add up in 1e-4 dollars; the 923rd is too much."""
    rows = _written(
        engines, [Bar("A", _day(number), None, None, None, GREATEST, 0) for number in range(923)]
    )
    assert _same(engines, rows, "market.summary", symbol="A", end=_day(921)) is None
    assert _same(engines, rows, "market.summary", symbol="A") == "RangeError"


def test_volumes_at_the_edge(engines: Engines) -> None:
    """Volumes add up to 2**63 - 1 and no further."""
    volumes = (INT64_MAX - 1, 1, None, 1)
    rows = _written(
        engines, [Bar("A", _day(at), None, None, None, 1.0, volume) for at, volume in enumerate(volumes)]
    )
    assert _same(engines, rows, "market.summary", symbol="A", end=_day(2)) is None
    assert _same(engines, rows, "market.summary", symbol="A") == "RangeError"
    assert _same(engines, rows, "market.summary", symbol="A", start=_day(1)) is None


@pytest.mark.parametrize("close", CLOSES)
def test_closes_at_half_a_step(engines: Engines, close: float) -> None:
    """A close between two whole 1e-4 dollars becomes the same one everywhere."""
    rows = _written(engines, [Bar("A", _day(0), None, None, None, close, None)])
    assert _same(engines, rows, "market.summary", symbol="A") is None


@pytest.mark.parametrize(("now", "then"), QUOTIENTS)
def test_quotients_at_the_edge(engines: Engines, now: float, then: float) -> None:
    """A quotient of closes that leaves the floats is an error; one that is subnormal is not."""
    rows = _written(
        engines,
        [Bar("A", _day(at), None, None, None, close, None) for at, close in ((0, then), (20, now))],
        holdings=[Holding("A", 1, _day(at), _day(at), 1, 1) for at in (0, 1)],
        sentiment=[Sentiment("A", "s", _day(at), 1) for at in (5, 15)],
    )
    left = now / then == 0.0 or math.isinf(now / then)
    error = _same(engines, rows, "divergence.ranking", as_of=_day(20), window_days=10)
    assert error == ("RangeError" if left else None)
    nothing = {"as_of": _day(20), "window_days": 10, "limit": 0}
    assert _same(engines, rows, "divergence.ranking", **nothing) is None


def _interests(*amounts: tuple[int, int]) -> list[Sentiment]:
    return [Sentiment("A", "s", _day(at), interest) for at, interest in amounts]


@pytest.mark.parametrize(
    ("held", "interest", "error"),
    [
        # A sum of one window is looked at even where the other has no rows, or nothing in it.
        ((1, 1), _interests((11, INT64_MAX), (12, 1)), "RangeError"),
        ((1, 1), _interests((1, INT64_MAX), (2, 1)), "RangeError"),
        ((1, 1), _interests((1, 0), (11, INT64_MAX), (12, 1)), "RangeError"),
        ((1, 1), _interests((1, 0), (11, INT64_MAX)), None),
        # Only of tickers that were held before.
        ((0, 1), _interests((11, INT64_MAX), (12, 1)), None),
        # Sums that fit can have products that do not.
        ((1, 1), _interests((1, 1), (2, 1), (11, 2**62)), "RangeError"),
        ((1, 1), _interests((1, 1), (11, 2**62)), None),
        ((1, 1), _interests((1, 2**62), (11, 1), (12, 1)), "RangeError"),
        ((1, 1), _interests((1, 1), (11, 8_999_999_999_999_998_976)), None),
        ((1, 1), _interests((1, 1), (11, 8_999_999_999_999_999_999)), "RangeError"),
        ((1, 1), _interests((1, 1), (11, 9_000_000_000_000_000_000)), "RangeError"),
        # Shares of several institutions add up, before and now.
        ((INT64_MAX, INT64_MAX), _interests((1, 1), (11, 1)), None),
    ],
)
def test_interest_at_the_edge(
    engines: Engines, held: tuple[int, int], interest: list[Sentiment], error: str | None
) -> None:
    """What of a ranking is looked at for its range is the same everywhere."""
    holdings = [Holding("A", 1, _day(at), _day(at), shares, 0) for at, shares in enumerate(held)]
    rows = _written(engines, [], holdings=holdings, sentiment=interest)
    asked = {"as_of": _day(20), "window_days": 10}
    assert _same(engines, rows, "divergence.ranking", **asked) == error
    # Another ticker that can be ranked changes nothing about it.
    more = [row._replace(symbol="Z-9", shares_held=1) for row in holdings]
    both = [*interest, *(row._replace(symbol="Z-9") for row in _interests((1, 1), (11, 1)))]
    rows = _written(engines, [], holdings=[*holdings, *more], sentiment=both)
    assert _same(engines, rows, "divergence.ranking", **asked) == error


@pytest.mark.parametrize("sentiment", [[], _interests((1, 1)), _interests((1, 1), (11, 1))])
@pytest.mark.parametrize("quarter", [0, 1])
def test_shares_at_the_edge(engines: Engines, quarter: int, sentiment: list[Sentiment]) -> None:
    """Shares past 64 bits are an error of every ranking, whatever interest there is to go with them."""
    holdings = [
        Holding("A", cik, _day(at), _day(at), INT64_MAX if at == quarter else 1, 0)
        for at in (0, 1)
        for cik in INSTITUTIONS[:2]
    ]
    rows = _written(engines, [], holdings=holdings, sentiment=sentiment)
    for source in (None, "s", "absent"):
        asked = {"as_of": _day(20), "window_days": 10, "source": source}
        assert _same(engines, rows, "divergence.ranking", **asked) == "RangeError"


@pytest.mark.parametrize("amount", [2**62, INT64_MAX])
def test_a_ranking_of_no_rows(engines: Engines, amount: int) -> None:
    """A limit of 0 is taken alike by both engines and the oracle, whatever does not fit."""
    holdings = [Holding("A", 1, _day(at), _day(at), 1, 0) for at in (0, 1)]
    interest = _interests((1, 1), (2, 1), (11, amount), (12, amount - 2**62))
    rows = _written(engines, [], holdings=holdings, sentiment=interest)
    asked = {"as_of": _day(20), "window_days": 10}
    assert _same(engines, rows, "divergence.ranking", **asked) == "RangeError"
    _same(engines, rows, "divergence.ranking", **asked, limit=0)


def test_a_week_of_interest(engines: Engines) -> None:
    """Interest of six days ago is there, of seven days ago no more; of a later row nothing is known."""
    bars = [Bar("A", _day(at), None, None, None, 1.0, None) for at in range(20)]
    rows = _written(engines, bars, sentiment=_interests((2, 5), (11, 0)))
    assert _same(engines, rows, "divergence.timeline", symbol="A") is None
    points = engines.sqlite.divergence.timeline("A")
    assert [point.interest for point in points] == [None] * 2 + [5] * 7 + [None] * 2 + [0] * 7 + [
        None
    ] * 2


def test_a_timeline_at_the_edge(engines: Engines) -> None:
    """Shares known on a day past 64 bits are an error up to the last bar that is asked for."""
    holdings = [
        Holding("A", 1, _day(0), _day(1), INT64_MAX, 0),
        Holding("A", 320193, _day(0), _day(5), 1, 0),
        Holding("A", 320193, _day(0), _day(6), 0, 0),
    ]
    bars = [Bar("A", _day(at), None, None, None, 1.0, None) for at in (0, 4, 8)]
    rows = _written(engines, bars, holdings=holdings)
    assert _same(engines, rows, "divergence.timeline", symbol="A", end=_day(7)) is None
    assert _same(engines, rows, "divergence.timeline", symbol="A") == "RangeError"
    assert _same(engines, rows, "divergence.timeline", symbol="A", start=_day(8)) == "RangeError"
    assert _same(engines, rows, "divergence.timeline", symbol="A", start=_day(9)) is None


def test_every_read_is_asked(engines: Engines) -> None:
    """No repository has a public method that is neither asked above nor known to write."""
    found = {
        f"{aggregate}.{method}"
        for aggregate, repository in vars(engines.sqlite).items()
        if type(repository).__name__.endswith("Repository")
        for method in dir(repository)
        if not method.startswith("_") and method not in _WRITES
    }
    assert found == set(READS)
