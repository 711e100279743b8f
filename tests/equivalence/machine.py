"""A machine that drives both engines and a model in plain Python, and compares all three.

What Hypothesis prints when it fails is a script: paste it behind
``from tests.equivalence.machine import *`` and it runs, on databases of its own.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import inf, nan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import repo
from repo import Bar, Holding, Institution, Sentiment, Ticker, migrations
from tests import servers
from tests.equivalence.engines import Engines, opened
from tests.equivalence.exact import Outcome, exact
from tests.equivalence.loads import Counted
from tests.equivalence.model import AGGREGATES, Refused, Rows
from tests.equivalence.pool import POOL, a_bad_argument, a_batch, some_rows
from tests.equivalence.reads import a_read, call, same_as_oracle
from tests.strategies import NumpyLike, OwnDate, OwnFloat, OwnInt, OwnText

# With the names that a printed script needs.
__all__ = [
    "Bar",
    "Decimal",
    "EngineMachine",
    "Fraction",
    "Holding",
    "Institution",
    "NumpyLike",
    "OwnDate",
    "OwnFloat",
    "OwnInt",
    "OwnText",
    "Sentiment",
    "Ticker",
    "datetime",
    "inf",
    "nan",
]

LABELS: Final = [migration.label for migration in migrations.load("sqlite")]
"""The migrations there are, by number."""

NEWEST: Final = len(LABELS)


class Leave(Exception):
    """What a block is left with when it is to be rolled back."""


@dataclass
class Block:
    """An open transaction or savepoint: how to leave it, and the rows to go back to."""

    contexts: dict[str, AbstractContextManager[Any]]
    before: Rows
    read_only: bool


class EngineMachine(RuleBasedStateMachine):
    """Upserts, deletes, reads, transactions in each other, migrations, and what goes wrong in them."""

    engines: ClassVar[Engines | None] = None
    """The engines to drive; None makes a machine open some of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        found = type(self).engines
        if found is None:
            server = self.stack.enter_context(servers.running())
            folder = self.stack.enter_context(TemporaryDirectory())
            found = self.stack.enter_context(opened(server, Path(folder)))
        self.on = found
        self.on.reset()
        self.rows = Rows()
        self.version = NEWEST
        self.blocks: list[Block] = []
        self.failed: str | None = None
        self.steps_since_opening = 0

    def teardown(self) -> None:
        """Leave what is open."""
        with self.stack:
            for block in reversed(self.blocks):
                for context in block.contexts.values():
                    context.__exit__(Leave, Leave(), None)

    # -- what the model expects ------------------------------------------------------------------

    @property
    def read_only(self) -> bool:
        """Whether the innermost block is read only."""
        return bool(self.blocks) and self.blocks[-1].read_only

    def _refused_write(self) -> str | None:
        """The error of any write here, whatever it would write."""
        return "ConfigurationError" if self.read_only else self.failed

    def _check(self, found: Outcome, error: str | None, value: Any = None, missing: Any = ()) -> None:
        """Hold what both engines did against the model."""
        assert found.error == error, f"the model expects {error or value}: {found.raised!r}"
        if error is None:
            assert exact(found.answer) == exact(value)
        elif error.startswith("Unknown"):
            assert found.fields[0] == missing

    def _write(self, write: Callable[[repo.Database], Any], model: Callable[[Rows], Any]) -> None:
        """Write valid rows to all three."""
        found = self.on.same(write)
        refused = self._refused_write()
        if refused is not None:
            self._check(found, refused)
            return
        try:
            self._check(found, None, model(self.rows))
        except Refused as foreseen:
            self._check(found, foreseen.error, missing=foreseen.missing)

    def _upsert(self, aggregate: str, rows: list[Any]) -> None:
        if self.version == 0 and rows:
            found = self.on.same(lambda db: getattr(db, aggregate).upsert(rows))
            self._check(found, self._refused_write() or "MigrationError")
            return
        self._write(
            lambda db: getattr(db, aggregate).upsert(rows), lambda model: model.upsert(aggregate, rows)
        )

    # -- writes ------------------------------------------------------------------------------------

    @initialize(tickers=some_rows("tickers"))
    def begin_with(self, tickers: list[Ticker]) -> None:
        """Some tickers and all institutions are there."""
        self._upsert("tickers", [*POOL.tickers, *tickers])
        self._upsert("institutions", list(POOL.institutions))

    @rule(rows=some_rows("tickers"))
    def upsert_tickers(self, rows: list[Ticker]) -> None:
        """Write tickers, which may hand on a CUSIP or clash."""
        self._upsert("tickers", rows)

    @rule(rows=some_rows("institutions"))
    def upsert_institutions(self, rows: list[Institution]) -> None:
        """Write institutions."""
        self._upsert("institutions", rows)

    @rule(rows=some_rows("market"))
    def upsert_bars(self, rows: list[Bar]) -> None:
        """Write bars, perhaps of a ticker that is not there."""
        self._upsert("market", rows)

    @rule(rows=some_rows("holdings"))
    def upsert_holdings(self, rows: list[Holding]) -> None:
        """Write holdings, perhaps of a ticker or an institution that is not there."""
        self._upsert("holdings", rows)

    @rule(rows=some_rows("sentiment"))
    def upsert_sentiment(self, rows: list[Sentiment]) -> None:
        """Write sentiment rows, perhaps of a ticker that is not there."""
        self._upsert("sentiment", rows)

    @rule(
        many=st.sampled_from((101, 1001, 1500)),
        again=st.sampled_from((0, 1, 1000)),
        close=st.sampled_from((1.0, 2.0)),
    )
    def upsert_many_bars(self, many: int, again: int, close: float) -> None:
        """Write bars by the batch, one of them once more at the end."""
        first = datetime.date(1970, 1, 1).toordinal()
        days = [datetime.date.fromordinal(first + day) for day in (*range(many), again)]
        rows = [Bar("A", day, None, None, None, close + day.day, 1) for day in days]
        rows[-1] = rows[-1]._replace(volume=2)
        self._upsert("market", rows)

    @rule(
        symbol=st.sampled_from(("A", "a", "Z-9", "NONE")),
        start=st.none() | st.sampled_from(POOL.days[:8]),
        end=st.none() | st.sampled_from(POOL.days[:8]),
    )
    def delete_bars(self, symbol: str, start: datetime.date | None, end: datetime.date | None) -> None:
        """Delete a ticker's bars."""
        if self.version == 0:
            found = self.on.same(lambda db: db.market.delete(symbol, start, end))
            self._check(found, self._refused_write() or "MigrationError")
            return
        self._write(
            lambda db: db.market.delete(symbol, start, end),
            lambda model: model.delete_bars(symbol, start, end),
        )

    @rule(batch=a_batch(bad=True))
    def upsert_a_bad_row(self, batch: tuple[str, list[Any]]) -> None:
        """Write rows of which one is refused."""
        aggregate, rows = batch
        found = self.on.same(lambda db: getattr(db, aggregate).upsert(rows))
        self._check(found, self._refused_write() or "InvalidRecord")

    @rule(batch=a_batch())
    def upsert_rows_that_fail_to_come(self, batch: tuple[str, list[Any]]) -> None:
        """Write rows whose source breaks off."""
        aggregate, rows = batch

        def source() -> Iterator[Any]:
            yield from rows
            raise LookupError("no more rows")

        found = self.on.same(lambda db: getattr(db, aggregate).upsert(source()))
        self._check(found, self._refused_write() or "LookupError")

    @rule(
        batch=a_batch(),
        absent=st.sets(st.sampled_from(("open", "high", "low", "volume", "ownership_percent", "score"))),
        lacks_cusip=st.booleans(),
        strict=st.sampled_from((False, False, True)),
        again=st.booleans(),
    )
    def load(
        self,
        batch: tuple[str, list[Any]],
        absent: set[str],
        lacks_cusip: bool,
        strict: bool,
        again: bool,
    ) -> None:
        """Write rows as a load does: counted, perhaps without some fields, perhaps each key once."""
        aggregate, rows = batch
        absent = (absent | {"cusip"} if lacks_cusip else absent) & set(AGGREGATES[aggregate]._fields)
        rows = [row._replace(**dict.fromkeys(absent)) for row in (rows * 2 if again else rows)]

        def load(db: repo.Database) -> Any:
            counted = Counted(rows, strict=strict, absent=absent)
            written = getattr(db, aggregate).upsert(counted)
            return written, counted.tally.new, counted.tally.repeated

        if self.version == 0 and rows:
            self._check(self.on.same(load), self._refused_write() or "MigrationError")
            return
        self._write(load, lambda model: model.load(aggregate, rows, absent, strict))

    # -- reads -------------------------------------------------------------------------------------

    @rule(question=a_read(POOL))
    def ask(self, question: tuple[str, dict[str, Any]]) -> None:
        """Ask what the oracle can answer."""
        name, arguments = question
        found = self.on.same(lambda db: call(db, name, arguments))
        if self.failed is not None or self.version == 0:
            self._check(found, self.failed or "MigrationError")
        else:
            same_as_oracle(self.rows.world(), name, arguments, found)
        self._note_failure(found, name, arguments)

    def _note_failure(self, found: Outcome, name: str, arguments: dict[str, Any]) -> None:
        """A read that the database failed leaves its block fit for nothing but leaving."""
        if self.blocks and found.error in ("RangeError", "MigrationError"):
            self.failed = found.error

    @rule(question=a_bad_argument())
    def ask_badly(self, question: tuple[str, dict[str, Any]]) -> None:
        """Ask with an argument that is refused; a transaction goes on."""
        name, arguments = question
        found = self.on.same(lambda db: call(db, name, arguments))
        self._check(found, "InvalidRecord")

    # -- transactions ------------------------------------------------------------------------------

    @precondition(lambda self: len(self.blocks) < 4)
    @rule(
        read_only=st.sampled_from((False, False, False, True)),
        isolation=st.sampled_from(("serializable", "repeatable read", "read committed", "chaos")),
    )
    def begin(self, read_only: bool, isolation: Any) -> None:
        """Begin a transaction, or a block inside one."""
        contexts: dict[str, AbstractContextManager[Any]] = {}

        def enter(db: repo.Database) -> None:
            context = db.transaction(read_only=read_only, isolation=isolation)
            context.__enter__()
            contexts[db.dialect] = context

        found = self.on.same(enter)
        refused = None
        if isolation == "chaos" or (self.read_only and not read_only):
            refused = "ConfigurationError"
        elif self.blocks:
            refused = self.failed
        self._check(found, refused)
        if refused is None:
            self.blocks.append(Block(contexts, self.rows.copy(), read_only))

    def _leave(self, *, with_error: bool) -> Outcome:
        block = self.blocks.pop()

        def leave(db: repo.Database) -> None:
            context = block.contexts[db.dialect]
            if with_error:
                context.__exit__(Leave, Leave(), None)
            else:
                context.__exit__(None, None, None)

        found = self.on.same(leave)
        if with_error or self.failed is not None:
            self.rows = block.before
        return found

    @precondition(lambda self: self.blocks)
    @rule()
    def commit(self) -> None:
        """Leave the innermost block well; what failed in it comes out again."""
        failed = self.failed
        found = self._leave(with_error=False)
        self.failed = None
        self._check(found, failed)

    @precondition(lambda self: self.blocks)
    @rule()
    def roll_back(self) -> None:
        """Leave the innermost block with an error."""
        found = self._leave(with_error=True)
        self.failed = None
        self._check(found, None)

    # -- schema and connections --------------------------------------------------------------------

    @rule(to=st.sampled_from((None, None, *range(NEWEST + 2))))
    def migrate(self, to: int | None) -> None:
        """Go up or down; down to nothing takes the rows along."""
        found = self.on.same(lambda db: db.migrate(to))
        target = NEWEST if to is None else to
        if target > NEWEST or self.blocks:
            self._check(found, "ConfigurationError")
            return
        undone = [f"-{label}" for label in reversed(LABELS[target : self.version])]
        self._check(found, None, LABELS[self.version : target] or undone)
        self.version = target
        self._check(self.on.same(lambda db: db.version()), None, target)
        if target == 0:
            self.rows = Rows()

    @precondition(lambda self: not self.blocks and self.steps_since_opening >= 12)
    @rule()
    def reopen(self) -> None:
        """Close both databases and open them again: not often, for it takes the longest."""
        self.on.reopen()
        self.steps_since_opening = 0
        self._check(self.on.same(lambda db: db.version()), None, self.version)

    # -- what always holds -------------------------------------------------------------------------

    @invariant()
    def all_three_hold_the_same(self) -> None:
        """What is committed is the model's, and so is what the open transaction sees."""
        self.steps_since_opening += 1
        committed = self.blocks[0].before if self.blocks else self.rows
        assert self.on.dump() == (committed.dump() if self.version else {})
        if self.blocks and self.version and self.failed is None:
            self._seen_inside()

    def _seen_inside(self) -> None:
        """Whole tables, as the open transaction has them."""
        world = self.rows.world()
        for name in ("tickers.all", "institutions.all"):
            same_as_oracle(world, name, {}, self.on.same(lambda db: call(db, name, {})))  # noqa: B023  # now
        for symbol in self.rows.tickers:
            for aggregate in ("market", "holdings", "sentiment"):
                name, arguments = f"{aggregate}.history", {"symbol": symbol}
                found = self.on.same(lambda db: call(db, name, arguments))  # noqa: B023  # now
                same_as_oracle(world, name, arguments, found)
