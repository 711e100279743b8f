"""A bad row raises the same error on both engines wherever it stands, and leaves no trace."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repo.errors import PROBLEM_LIMIT
from tests.equivalence.engines import Engines
from tests.equivalence.exact import Outcome
from tests.equivalence.failing import GOOD, fails, others, start
from tests.equivalence.loads import CONTAINERS, contained
from tests.equivalence.model import AGGREGATES
from tests.equivalence.profiles import examples
from tests.strategies import REFUSED_ROWS, REFUSED_VALUES, refused_rows, refused_values

FIELDS: Final = [
    (aggregate, field) for aggregate, record in AGGREGATES.items() for field in REFUSED_VALUES[record]
]


def _problem(found: Outcome) -> tuple[Any, ...]:
    """Row, field, value and reason of the first problem."""
    assert found.error == "InvalidRecord", found.raised
    first: tuple[Any, ...] = found.fields[0][0]
    return first


@pytest.mark.parametrize(("aggregate", "field"), FIELDS)
def test_every_bad_value(engines: Engines, aggregate: str, field: str) -> None:
    """Each value that a field must refuse is refused by name, and nothing is written."""
    rows, good = start(engines), GOOD[aggregate]
    for value in REFUSED_VALUES[AGGREGATES[aggregate]][field]:
        row = good._replace(**{field: value})
        for place, batch in ((0, [row]), (2, [good, good, row, good])):
            found = engines.same(lambda db: getattr(db, aggregate).upsert(batch))  # noqa: B023  # now
            assert _problem(found)[:3] == (place, field, repr(value))
            assert _problem(found)[3]
    assert engines.dump() == rows.dump()


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_every_bad_row(engines: Engines, aggregate: str) -> None:
    """Each row that is wrong as a whole is refused, and nothing is written."""
    rows = start(engines)
    for row in REFUSED_ROWS[AGGREGATES[aggregate]]:
        found = engines.same(lambda db: getattr(db, aggregate).upsert([row]))  # noqa: B023  # now
        assert _problem(found)[0] == 0
    assert engines.dump() == rows.dump()


_SMALL: Final = tuple((size, place) for size in range(1, 5) for place in range(size))
_LARGE: Final = ((101, 0), (101, 100), (1001, 999), (1001, 1000), (2100, 1500), (2100, 2099))
_POSITIONS: Final = st.sampled_from((*_SMALL, *_LARGE))


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_a_bad_row_anywhere(engines: Engines, aggregate: str) -> None:
    """One bad value among good rows is named by its place, and no row is written."""
    record = AGGREGATES[aggregate]
    fields = sorted(REFUSED_VALUES[record])

    @st.composite
    def bad_rows(draw: st.DrawFn) -> tuple[str | None, Any]:
        field = draw(st.sampled_from((*fields, None)))
        if field is None:
            return None, draw(refused_rows(record))
        return field, GOOD[aggregate]._replace(**{field: draw(refused_values(record, field))})

    @examples(0.5)
    @given(where=_POSITIONS, bad=bad_rows(), container=contained(), inside=st.booleans())
    def check(where: tuple[int, int], bad: tuple[str | None, Any], container: str, inside: bool) -> None:
        rows = start(engines)
        size, place = where
        batch = others(aggregate, size)
        batch[place] = bad[1]
        make = CONTAINERS[container]
        found = fails(
            engines, rows, lambda db: getattr(db, aggregate).upsert(make(batch)), inside=inside
        )
        assert _problem(found)[0] == place
        if bad[0] is not None:
            assert _problem(found)[1] == bad[0]

    check()


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("container", ["list", "generator"])
@pytest.mark.parametrize("repeated", [None, 500, 1500])
def test_rows_are_counted_from_the_first(
    engines: Engines, repeated: int | None, container: str, inside: bool
) -> None:
    """A bad row goes by its place among all rows, also after a key that came again."""
    rows = start(engines)
    batch = others("market", 2600)
    if repeated is not None:
        batch[repeated] = batch[0]
    batch[2501] = batch[2501]._replace(close=-1.0)
    bad = CONTAINERS[container]
    found = fails(engines, rows, lambda db: db.market.upsert(bad(batch)), inside=inside)
    assert _problem(found)[:2] == (2501, "close")


def test_the_first_twenty_problems(engines: Engines) -> None:
    """Of many bad rows in several batches the first 20 problems are named, in row order."""
    rows = start(engines)
    batch = others("market", 2100)
    places = [*range(3, 990, 97), *range(1000, 2100, 101)]
    for place in places:
        batch[place] = batch[place]._replace(close=float("nan"), volume=-place)
    found = fails(engines, rows, lambda db: db.market.upsert(iter(batch)), inside=False)
    problems = found.fields[0]
    assert len(problems) == PROBLEM_LIMIT
    lines = str(found.raised).splitlines()
    assert len(lines) == PROBLEM_LIMIT
    assert lines[0] == "row 3: close = nan: must be finite"
    assert [each[:2] for each in problems] == [
        (place, field) for place in places[: PROBLEM_LIMIT // 2] for field in ("close", "volume")
    ]
