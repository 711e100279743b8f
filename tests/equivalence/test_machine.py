"""Histories of calls on both engines and a model; and that their steps run every named query on both."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis.stateful import run_state_machine_as_test

from repo import queries
from repo.catalogue import load
from tests.equivalence.engines import Engines
from tests.equivalence.failing import GOOD, others
from tests.equivalence.machine import EngineMachine
from tests.equivalence.pool import good_questions
from tests.equivalence.profiles import examples

UNASKED: Final = {
    # Where there is one writer, nothing is locked.
    "sqlite": {"tickers.reserve"},
    # Only SQLite compares before it writes and writes a load's new rows apart; and a server that counts
    # what changes is not asked which keys are there (test_loading_counts.py has one that does not).
    "postgresql": {name for name in load().names() if name.endswith((".add", ".between", ".there"))},
}
"""What one engine alone is asked in the course of a call, so that the other runs it in no step."""

ELSEWHERE: Final = {
    # Of an application's own tables, and of files that run outside of a transaction: test_migrating.py.
    *(name for name in load().names() if name.startswith("migrations.") and "step" in name),
    # Of copies and their proof: test_transfer.py.
    *(name for name in load().names() if name.startswith(("journal.", "proof."))),
}
"""What operations on whole databases ask, of which the machine makes none; tested on both engines."""


@pytest.fixture
def driven(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> Engines:
    """The engines that machines drive."""
    monkeypatch.setattr(EngineMachine, "engines", engines)
    return engines


def test_histories(driven: Engines) -> None:
    """Whatever is done, in whatever order, both engines and the model agree after each step."""
    run_state_machine_as_test(EngineMachine, settings=examples(0.5))


def test_every_query_runs_on_both_engines(driven: Engines) -> None:
    """The machine's steps run every named query on both engines, with rows to give or write.

    A new query is not left out: it is run by a step of the machine, and so held against the model.
    """
    catalogue = load()
    driven.ran.clear()
    state = EngineMachine()
    try:
        state.begin_with([])
        for aggregate, row in GOOD.items():
            for rows in ([row], [row] * 2, [row]):
                state.load((aggregate, rows), set(), False, False, False)
            lacking = {"open", "low", "ownership_percent", "score"}
            for strict in (False, True):
                state.load((aggregate, [row]), lacking, True, strict, True)
            many = others(aggregate, 1100)
            state.load((aggregate, [*many, many[0]]), set(), False, False, False)
            for rows in ([row], many):
                state._upsert(aggregate, rows)
        state.load(("market", [GOOD["market"]._replace(high=0.1)]), {"low"}, False, False, False)
        for name, asked in good_questions():
            source = {"source": "s"} if name.startswith(("divergence", "sentiment.h")) else {}
            state.ask((name, asked | source))
        state.delete_bars("A", None, None)
        state.migrate(0)
        for db in driven.both:
            db._session.run_script("DROP TABLE schema_migrations")
        state.migrate(None)
    finally:
        state.teardown()
    for dialect in queries.DIALECTS:
        ran = {name: rows for (where, name), rows in driven.ran.items() if where == dialect}
        assert set(catalogue.names()) - ran.keys() == UNASKED[dialect] | ELSEWHERE
        told = {name for name in ran if not catalogue.query(name, dialect).operator.endswith("!")}
        assert all(ran[name] for name in told), "a query had nothing to answer"
