"""Every named query on both engines: equal answers, and none that no test runs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repo import queries
from repo.records import OF_TICKER
from tests.equivalence.engines import Engines
from tests.equivalence.named import READING, WRITING
from tests.equivalence.profiles import examples
from tests.equivalence.reads import Frame
from tests.strategies import Content, contents

CATALOGUE = queries.load()


def _returns_rows(name: str) -> bool:
    return all(not CATALOGUE.query(name, each).operator.endswith("!") for each in queries.DIALECTS)


READERS = [name for name in CATALOGUE.names() if _returns_rows(name)]
WRITERS = [name for name in CATALOGUE.names() if not _returns_rows(name)]


def _typed(columns: tuple[queries.Column, ...], answer: Any) -> None:
    """Every value is of the type that its column declares; what is not there is None."""
    if isinstance(answer, Frame):
        answer = answer.rows
    elif not isinstance(answer, list | tuple | type(None)):
        answer = (answer,)
    for row in answer if isinstance(answer, list) else filter(None, [answer]):
        for column, value in zip(columns, row, strict=True) if columns else ():
            assert value is None or type(value) is column.type, (column, value)


@pytest.mark.parametrize("name", READERS)
def test_a_query_that_returns_rows(engines: Engines, name: str) -> None:
    """Whatever the database holds, both engines answer alike: values, types, order and bits."""
    assert name in READING, f"{name} returns rows, and no test asks it anything"
    asked = READING[name]
    record = CATALOGUE.query(name, "sqlite").record
    columns = () if record is None else queries.columns_of(OF_TICKER.get(record, record))
    answered = 0

    def several(content: Content) -> st.SearchStrategy[tuple[Content, list[dict[str, Any]]]]:
        arguments = st.lists(asked.arguments(content), min_size=1, max_size=6)
        return st.tuples(st.just(content), arguments)

    @examples()
    @given(contents().flatmap(several))
    def check(case: tuple[Content, list[dict[str, Any]]]) -> None:
        nonlocal answered
        content, calls = case
        engines.clear()
        for db in engines.both:
            content.write(db)
        for arguments in calls:
            found = engines.same(lambda db: asked.read(db, name, arguments), asked.common)  # noqa: B023  # now
            if found.error is None:
                answered += bool(found.answer)
                _typed(columns, found.answer)
            else:
                assert found.error == "RangeError", found.raised

    check()
    assert answered, f"{name} had nothing to answer in any example"


@pytest.mark.parametrize("name", WRITERS)
def test_a_query_that_writes(engines: Engines, name: str) -> None:
    """Calls that come down to the query leave the same rows, and the same count of them."""
    assert name in WRITING, f"{name} writes, and no test makes it run"
    written = WRITING[name]

    @examples(0.1)
    @given(written.calls)
    def check(call: Any) -> None:
        engines.reset()
        for db in engines.both:
            written.before(db)
        before = engines.ran.copy()
        found = engines.same(lambda db: written.call(db, call), written.common)
        assert found.error is None, found.raised
        for dialect in queries.DIALECTS:
            assert engines.ran[dialect, name] > before[dialect, name], f"{name} did not run on {dialect}"
        engines.dump()

    check()


def test_no_query_is_made_up() -> None:
    """What the registries name is in the catalogue."""
    assert {*READING, *WRITING} <= set(CATALOGUE.names())
