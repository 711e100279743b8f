"""Every read of both engines against the oracle: on generated databases and on the real data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import repo
from repo import Bar, Holding, Institution, Sentiment, Ticker
from tests import servers
from tests.equivalence.engines import Engines, opened
from tests.equivalence.profiles import examples
from tests.equivalence.reads import READS, a_read, call, same_as_oracle
from tests.oracle import World, load_csv_world
from tests.strategies import Content, contents

_WRITES: Final = {"upsert", "delete"}

Questions = list[tuple[str, dict[str, Any]]]


def _asked(content: Content) -> st.SearchStrategy[tuple[Content, Questions]]:
    return st.tuples(st.just(content), st.lists(a_read(content), min_size=4, max_size=20))


@examples(5)
@given(contents().flatmap(_asked))
def test_generated_databases(engines: Engines, asked: tuple[Content, Questions]) -> None:
    """Every read of a generated database is the oracle's answer, on both engines."""
    content, questions = asked
    engines.clear()
    for db in engines.both:
        content.write(db)
    world = content.world()
    for name, arguments in questions:
        found = engines.same(lambda db: call(db, name, arguments))  # noqa: B023  # called at once
        same_as_oracle(world, name, arguments, found)


def test_every_read_is_asked(engines: Engines) -> None:
    """No repository has a public method that is neither asked above nor known to write."""
    db = engines.sqlite
    found = {
        f"{aggregate}.{method}"
        for aggregate, repository in vars(db).items()
        if type(repository).__name__.endswith("Repository")
        for method in dir(repository)
        if not method.startswith("_") and method not in _WRITES
    }
    assert found == set(READS)
