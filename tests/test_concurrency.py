"""Threads and processes at once: each its own transaction, nothing lost, conflicts tried again."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

import repo
from repo import ConfigurationError, ConflictError, Database, Ticker, UnknownTicker
from tests.builders import bar, clear, day, holding, lost, python, raw, sentiment

SECONDS = float(os.environ.get("SMDI_TEST_SECONDS", "2"))
"""How long threads read and write at once; the environment makes it longer."""

THREADS = 8
PATIENCE = 200
"""Attempts that are enough for every thread to get its turn."""


def add(db: Database, *names: str) -> None:
    """Write tickers."""
    db.tickers.upsert(Ticker(name, "Somebody") for name in names)


def symbols(url: str) -> list[str]:
    """The symbols that are committed."""
    return [symbol for (symbol,) in raw(url, "SELECT symbol FROM tickers ORDER BY symbol")]


def increment(db: Database, symbol: str) -> None:
    """Add one to the counter that a ticker's name is, reading it first."""
    count = int(db.tickers.get(symbol).company_name)
    db.tickers.upsert([Ticker(symbol, str(count + 1))])


def test_threads_have_transactions_of_their_own(seeded: Database, url: str) -> None:
    """A thread does not see what another has not committed, nor is it in the other's block."""
    with ThreadPoolExecutor(1) as other:
        with seeded.transaction():
            add(seeded, "A")
            assert len(other.submit(seeded.tickers.all).result()) == 2
            with pytest.raises(UnknownTicker):
                other.submit(seeded.tickers.get, "A").result()
        assert other.submit(seeded.tickers.get, "A").result().symbol == "A"
        with lost(seeded, LookupError, read_only=True):
            other.submit(add, seeded, "B").result()  # a write, and committed at once
            raise LookupError
    assert symbols(url) == ["A", "AAPL", "B", "MSFT"]


def test_writers_in_threads_wait_for_each_other(seeded: Database, url: str) -> None:
    """A thread that writes the row of another's open block waits, and writes after it."""
    began, wrote = threading.Event(), threading.Event()

    def second() -> None:
        began.set()
        seeded.tickers.upsert([Ticker("A", "Second")])
        wrote.set()

    with ThreadPoolExecutor(1) as other:
        with seeded.transaction():
            seeded.tickers.upsert([Ticker("A", "First")])
            waiting = other.submit(second)
            assert began.wait(60)
            assert not wrote.wait(0.2)
        waiting.result(60)
    assert raw(url, "SELECT company_name FROM tickers WHERE symbol = 'A'") == [("Second",)]


def test_run_returns_what_the_work_returns(db: Database, url: str) -> None:
    """The work gets the handle of its transaction, is one transaction, and its answer comes out."""

    def work(inside: Database) -> str:
        assert inside is not db
        add(inside, "A")
        assert symbols(url) == []
        return "done"

    assert db.run(work) == "done"
    assert symbols(url) == ["A"]


def test_run_tries_again_after_a_conflict(db: Database, url: str) -> None:
    """Each attempt starts afresh; the last conflict comes out when the attempts are used up."""

    def work(inside: Database) -> int:
        calls.append(len(inside.tickers.all()))
        add(inside, f"A{len(calls)}")
        if len(calls) <= conflicts:
            raise ConflictError(f"conflict {len(calls)}")
        return len(calls)

    for conflicts in (0, 1, 2, 3, 9):
        clear(url)
        calls: list[int] = []
        if conflicts < 3:
            assert db.run(work, attempts=3) == conflicts + 1
            assert symbols(url) == [f"A{conflicts + 1}"]
        else:
            with pytest.raises(ConflictError, match="conflict 3"):
                db.run(work, attempts=3)
            assert symbols(url) == []
        assert calls == [0] * min(conflicts + 1, 3)


def test_run_makes_five_attempts_unless_told(db: Database) -> None:
    """Five is the default."""
    calls: list[int] = []

    def work(inside: Database) -> None:
        calls.append(1)
        raise ConflictError("always")

    with pytest.raises(ConflictError):
        db.run(work)
    assert len(calls) == 5


def test_run_does_not_repeat_other_errors(db: Database) -> None:
    """An error that is no conflict comes out at once, and the work is rolled back."""
    calls: list[int] = []

    def work(inside: Database) -> None:
        calls.append(1)
        add(inside, "A")
        inside.tickers.get("B")

    with pytest.raises(UnknownTicker):
        db.run(work)
    assert len(calls) == 1
    assert db.tickers.all() == []


def test_run_inside_a_block_is_an_inner_block(db: Database) -> None:
    """Its conflict is the outer block's: it is not tried again there."""
    calls: list[int] = []

    def work(inside: Database) -> None:
        calls.append(1)
        add(inside, "B")
        raise ConflictError("of the whole")

    with lost(db, ConflictError):
        add(db, "A")
        db.run(work)
    assert len(calls) == 1
    assert db.tickers.all() == []
    with db.transaction():
        assert db.run(lambda inside: inside.tickers.upsert([Ticker("C", "C")])) == 1
    assert [ticker.symbol for ticker in db.tickers.all()] == ["C"]


def test_run_wants_an_attempt(db: Database) -> None:
    """No attempts at all are a ConfigurationError."""
    for attempts in (0, -1):
        with pytest.raises(ConfigurationError):
            db.run(lambda inside: pytest.fail("the work began"), attempts=attempts)


class Worker:
    """One thread's share of the work, and what it has done of it."""

    def __init__(self, db: Database, number: int, until: float) -> None:
        self.db = db
        self.number = number
        self.until = until
        self.chance = random.Random(number)
        self.counted: Counter[str] = Counter()
        self.bars = 0

    def run(self) -> Worker:
        """Do everything once, and one thing after another until time is up."""
        deeds: list[Callable[[], None]] = [self.count, self.write_own, self.write_shared, self.read]
        for deed in deeds:
            deed()
        while time.monotonic() < self.until:
            self.chance.choice(deeds)()
        return self

    def count(self) -> None:
        """Increment a counter that the others increment too."""
        symbol = self.chance.choice(["COUNT.0", "COUNT.1"])
        self.db.run(lambda inside: increment(inside, symbol), attempts=PATIENCE)
        self.counted[symbol] += 1

    def write_own(self) -> None:
        """Write bars of a ticker of its own, a few or many, by one call or in a block."""
        size = self.chance.choice([1, 30, 150])
        rows = [bar(f"OWN.{self.number}", day(self.bars + each)) for each in range(size)]
        if self.chance.random() < 0.5:
            assert self.db.market.upsert(rows) == size
        else:
            assert self.db.run(lambda inside: inside.market.upsert(rows), attempts=PATIENCE) == size
        self.bars += size

    def write_shared(self) -> None:
        """Write rows that the others write too, in an order of its own."""
        numbers = list(range(self.chance.choice([20, 150])))
        self.chance.shuffle(numbers)
        self.db.market.upsert(bar("SHARED", day(each), volume=self.number) for each in numbers)
        self.db.sentiment.upsert(sentiment("SHARED", day(each), self.number) for each in numbers)
        self.db.holdings.upsert(
            holding("SHARED", quarter_end=day(each), shares_held=self.number) for each in numbers
        )

    def read(self) -> None:
        """Read what it wrote, and everybody's, whole."""
        assert len(self.db.market.history(f"OWN.{self.number}")) == self.bars
        with self.db.transaction(read_only=True, isolation="repeatable read"):
            rows = self.db.market.coverage()
            assert sum(row.rows for row in rows) == sum(
                len(self.db.market.history(row.symbol)) for row in rows
            )
        self.db.market.latest()
        self.db.divergence.ranking(day(30), "trends")
        self.db.divergence.timeline("SHARED", source="trends")


def test_threads_at_once_lose_nothing(url: str) -> None:
    """Threads that count, write and read through one database fail at nothing and lose nothing."""
    with repo.connect(url) as db, ThreadPoolExecutor(THREADS) as pool:
        db.tickers.upsert(Ticker(f"COUNT.{number}", "0") for number in range(2))
        add(db, "SHARED", *(f"OWN.{number}" for number in range(THREADS)))
        db.institutions.upsert([repo.Institution(1, "One")])
        until = time.monotonic() + SECONDS
        workers = [Worker(db, number, until) for number in range(THREADS)]
        for future in [pool.submit(worker.run) for worker in workers]:
            future.result()
        assert all(sum(worker.counted.values()) > 0 for worker in workers)
        for symbol in ("COUNT.0", "COUNT.1"):
            counted = sum(worker.counted[symbol] for worker in workers)
            assert int(db.tickers.get(symbol).company_name) == counted
        for worker in workers:
            expected = [bar(f"OWN.{worker.number}", day(each)) for each in range(worker.bars)]
            assert db.market.history(f"OWN.{worker.number}") == expected
        shared = db.market.history("SHARED")
        assert [row.date for row in shared] == [day(each) for each in range(len(shared))]
        assert {row.volume for row in shared} <= set(range(THREADS))


@pytest.mark.parametrize("size", [60, 600])
def test_the_same_keys_in_opposite_orders(seeded: Database, size: int) -> None:
    """Calls at once that write the same rows in opposite orders wait for each other."""
    numbers = range(size)
    start = threading.Barrier(4)

    def work(number: int) -> int:
        order = reversed(numbers) if number % 2 else iter(numbers)
        rows = [bar(on=day(each), volume=number) for each in order]
        for _ in range(10):
            start.wait(60)
            seeded.market.upsert(rows)
        return number

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(work, range(4))) == [0, 1, 2, 3]
    rows = seeded.market.history("AAPL")
    assert len(rows) == size
    assert len({row.volume for row in rows}) == 1  # each call is all or nothing


_COUNT = """
import sys, repo
from tests.test_concurrency import PATIENCE, increment
with repo.connect(sys.argv[1]) as db:
    for _ in range(30):
        db.run(lambda inside: increment(inside, "COUNT"), attempts=PATIENCE)
"""


def test_processes_at_once_lose_nothing(seeded: Database, url: str) -> None:
    """Increments of several processes are all there."""
    seeded.tickers.upsert([Ticker("COUNT", "0")])
    processes = [python(_COUNT, url) for _ in range(3)]
    assert [process.communicate(timeout=300) for process in processes] == [("", "")] * 3
    assert [process.returncode for process in processes] == [0] * 3
    assert seeded.tickers.get("COUNT").company_name == "90"
