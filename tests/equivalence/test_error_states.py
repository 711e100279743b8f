"""Errors that depend on what the database holds, or on the transaction a call is in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import repo
from repo import Ticker
from tests.equivalence.engines import Engines
from tests.equivalence.exact import outcome
from tests.equivalence.failing import DAY, GOOD, as_foreseen, fails, others, start
from tests.equivalence.loads import CONTAINERS, contained
from tests.equivalence.profiles import examples
from tests.equivalence.reads import READS, call
from tests.strategies import REFUSED_ARGUMENTS

_SOME_SYMBOLS: Final = st.sampled_from(("A", "a", "BRK.B", "Z-9", "NEW", "X1", "x1", "X2", "-", "ZZZ"))
_SOME_CIKS: Final = st.sampled_from((1, 7, 320193, 2, 3, 9_999_999_998))


@examples()
@given(
    aggregate=st.sampled_from(("market", "holdings", "sentiment")),
    named=st.lists(st.tuples(_SOME_SYMBOLS, _SOME_CIKS), min_size=1, max_size=6),
    size=st.sampled_from((0, 0, 0, 120, 1100)),
    container=contained(),
    inside=st.booleans(),
)
def test_unknown_names(
    engines: Engines,
    aggregate: str,
    named: list[tuple[str, int]],
    size: int,
    container: str,
    inside: bool,
) -> None:
    """Every symbol that is missing is named, or else every CIK, and nothing is written."""
    rows = start(engines)
    good = GOOD[aggregate]
    new = [good._replace(symbol=symbol) for symbol, _ in named]
    if aggregate == "holdings":
        new = [row._replace(cik=cik) for row, (_, cik) in zip(new, named, strict=True)]
    batch = [*new[:2], *others(aggregate, size), *new[2:]]
    make = CONTAINERS[container]

    as_foreseen(engines, rows, aggregate, lambda: make(batch), inside=inside)


_CODES: Final = ("000000001", "00000000A", "@00000000")


@examples()
@given(
    batches=st.lists(
        st.lists(
            st.builds(
                Ticker,
                st.sampled_from(("A", "BRK.B", "C", "D")),
                st.sampled_from(("one", "two")),
                st.none() | st.sampled_from(_CODES),
            ),
            max_size=5,
        ),
        min_size=1,
        max_size=4,
    ),
    before=st.sampled_from((0, 0, 99, 1000)),
    inside=st.booleans(),
)
def test_one_cusip_for_two_tickers(
    engines: Engines, batches: list[list[Ticker]], before: int, inside: bool
) -> None:
    """A CUSIP may be handed on but not shared, in the order of the rows, in batches of any size."""
    rows = start(engines)
    for new in batches:
        batch = [*others("tickers", before), *new]
        as_foreseen(engines, rows, "tickers", lambda: batch, inside=inside)  # noqa: B023  # now


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(("clash", "bad"), [(5, 50), (50, 5), (5, 1500), (1500, 5), (1100, 1500)])
def test_two_kinds_of_error_at_once(engines: Engines, clash: int, bad: int, inside: bool) -> None:
    """A bad row is what is reported, wherever two tickers come to share a CUSIP."""
    rows = start(engines)
    batch = others("tickers", 1600)
    batch[clash] = batch[clash]._replace(cusip="000000001")
    batch[clash + 1] = batch[clash + 1]._replace(cusip="000000001")
    batch[bad] = batch[bad]._replace(company_name="")
    found = fails(engines, rows, lambda db: db.tickers.upsert(batch), inside=inside)
    assert found.error == "InvalidRecord"


@examples()
@given(
    aggregate=st.sampled_from(sorted(GOOD)),
    size=st.sampled_from((0, 1, 100, 101, 1000, 1500)),
    inside=st.booleans(),
)
def test_rows_that_fail_to_come(engines: Engines, aggregate: str, size: int, inside: bool) -> None:
    """An error of the caller's own iterable comes through as it is, and nothing is written."""
    rows = start(engines)

    def source() -> Iterator[Any]:
        yield from others(aggregate, size)
        raise LookupError("the file ends here")

    found = fails(engines, rows, lambda db: getattr(db, aggregate).upsert(source()), inside=inside)
    assert found.error == "LookupError"


_ASKED: Final[dict[str, dict[str, Any]]] = {
    "institutions.get": {"cik": 1},
    "market.on": {"date": DAY},
    "holdings.known": {"symbol": "A", "as_of": DAY},
    "divergence.ranking": {"as_of": DAY},
    "divergence.ranking_frame": {"as_of": DAY},
}


@pytest.mark.parametrize(
    ("name", "argument"), [(name, each) for name, read in READS.items() for each in read.kinds]
)
def test_every_bad_argument(engines: Engines, name: str, argument: str) -> None:
    """Each value that an argument must refuse is refused by name; a transaction goes on."""
    start(engines)
    kind = READS[name].kinds[argument]
    wanted = {"symbol": "A"} if "symbol" in READS[name].kinds else {}
    good = _ASKED.get(name, wanted)

    def ask_all(db: repo.Database) -> list[Any]:
        found = []
        for value in REFUSED_ARGUMENTS[kind]:
            asked = outcome(lambda: call(db, name, {**good, argument: value}))  # noqa: B023  # now
            assert asked.error == "InvalidRecord", (value, asked)
            assert asked.fields[0][0][:2] == (None, argument)
            found.append(asked)
        return found

    def ask_inside(db: repo.Database) -> list[Any]:
        with db.transaction(read_only=True):
            found = ask_all(db)
            call(db, name, good)
            return found

    engines.same(ask_all)
    engines.same(ask_inside)


@pytest.mark.parametrize("argument", ["symbol", "start", "end"])
def test_every_bad_argument_of_delete(engines: Engines, argument: str) -> None:
    """Each value that delete must refuse is refused by name, and nothing is deleted."""
    rows = start(engines)
    for value in REFUSED_ARGUMENTS["symbol" if argument == "symbol" else "bound"]:
        arguments = {"symbol": "A", argument: value}
        found = engines.same(lambda db: db.market.delete(**arguments))  # noqa: B023  # now
        assert found.error == "InvalidRecord"
        assert found.fields[0][0][:2] == (None, argument)
    assert engines.dump() == rows.dump()


_PARAMETERS: Final[tuple[Any, ...]] = (
    *(True, Decimal(1), b"A", float("nan"), float("inf"), 2**63, -(2**63) - 1, {}, {1}),
    *("\0", "\ud800", datetime(2020, 1, 1), ["A", "\0"], ["A", True], [["A", Decimal(1)]], object()),
    *(date(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC), 1, 1.5, ["A", 1]),
)


def _named(value: object) -> str:
    """The same in every process, which an address is not: pytest-xdist compares what each collects."""
    return repr(value).partition(" at 0x")[0]


@pytest.mark.parametrize("value", _PARAMETERS, ids=_named)
def test_parameters_of_named_queries(engines: Engines, value: Any) -> None:
    """What two engines would bind differently is refused before it reaches either."""
    for name, parameter in (("market.on_day", "date"), ("tickers.identify", "symbols")):
        if type(value) is date and parameter == "date":
            continue
        found = engines.same(lambda db: db._session.read(name, **{parameter: value}))  # noqa: B023  # now
        assert found.error == "InvalidRecord"
        assert found.fields[0][0][:2] == (None, parameter)


@pytest.mark.parametrize(
    "value", [["A", 1], [1, "A"], ["A", None], [[]], [["A"]], [["A"], ["B"]]], ids=repr
)
def test_odd_lists_as_parameters(engines: Engines, value: Any) -> None:
    """A list of several types or of lists means the same to both engines, or is refused by both."""
    start(engines)
    engines.same(lambda db: db.queries.tickers.identify(symbols=value), common=len)
