"""Forked children: none touches what is its parent's, and the parent goes on."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import repo
from repo import ConfigurationError, Database, Ticker
from tests.builders import bar, day, python, raw, seed

pytestmark = pytest.mark.filterwarnings(
    # Python 3.12 warns of forks in processes with threads, which a pool has: that is what is tested.
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)


@pytest.fixture
def filled(db: Database) -> Database:
    """Two tickers with bars of their own."""
    seed(db)
    db.market.upsert(bar("AAPL", day(n), 2.0) for n in range(50))
    db.market.upsert(bar("MSFT", day(n), 3.0) for n in range(70))
    return db


WHOLE_PROGRAM = """
import os, sys, warnings
import repo
warnings.simplefilter("ignore", DeprecationWarning)
db = repo.connect(sys.argv[1])
count = lambda: sum(each.rows for each in db.market.coverage())
print(count(), flush=True)
child = os.fork()
if not child:
    print(count(), flush=True)
    sys.exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(count())
db.close()
"""
"""A program whose child ends as programs do: with everything that Python does at its end."""


def fork(work: Callable[[], Any]) -> int:
    """Start a child that does this and ends; its process number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """A child's exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def read_both(db: Database, times: int = 100) -> None:
    """Ask for two tickers by turns."""
    for _ in range(times):
        for symbol, close, number in (("AAPL", 2.0, 50), ("MSFT", 3.0, 70)):
            rows = db.market.history(symbol)
            assert {(row.symbol, row.close) for row in rows} == {(symbol, close)}
            assert len(rows) == number


def write(db: Database, name: str) -> None:
    """Write a ticker and read it back."""
    with db.transaction() as tx:
        tx.tickers.upsert([Ticker(name, "Somebody")])
    assert db.tickers.get(name).symbol == name


def test_children_have_connections_of_their_own(filled: Database) -> None:
    """Children and their parent read and write at once, and none gets an answer of another."""
    read_both(filled)

    def work() -> None:
        read_both(filled)
        write(filled, f"C{os.getpid()}")
        filled.close()

    children = [fork(work) for _ in range(4)]
    read_both(filled)
    write(filled, "PARENT")
    assert [ended(child) for child in children] == [0] * 4
    read_both(filled)
    names = {each.symbol for each in filled.tickers.all()}
    assert names == {"AAPL", "MSFT", "PARENT", *(f"C{child}" for child in children)}


def test_a_grandchild(filled: Database) -> None:
    """A child that forks is a parent like any other."""

    def work() -> None:
        read_both(filled)
        assert ended(fork(lambda: read_both(filled))) == 0
        read_both(filled)

    assert ended(fork(work)) == 0
    read_both(filled)


def test_a_child_that_ends_like_a_program(filled: Database, url: str) -> None:
    """What Python does at a child's end leaves the parent's connections as they are."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=read_both, args=[filled])
    read_both(filled)
    process.start()
    process.join()
    assert process.exitcode == 0
    read_both(filled)
    ran = python(WHOLE_PROGRAM, url)
    out, err = ran.communicate(timeout=300)
    assert (ran.returncode, out.split(), err) == (0, ["120", "120", "120"], "")
    write(filled, "PARENT")


def test_a_fork_inside_a_block(filled: Database, url: str) -> None:
    """The transaction stays the parent's: a child's use of it is refused, its end does nothing."""

    def work(tx: Database, context: Any) -> None:
        for call in (tx.tickers.all, lambda: write(tx, "CHILD")):
            with pytest.raises(ConfigurationError, match="process"):
                call()
        if filled.dialect == "postgresql":
            read_both(filled)
            write(filled, "OTHER")
        else:
            with pytest.raises(ConfigurationError, match="was in use"):
                filled.tickers.all()
        with pytest.raises(ConfigurationError, match="process"):
            context.__exit__(None, None, None)

    context = filled.transaction()
    tx = context.__enter__()
    tx.tickers.upsert([Ticker("PARENT", "Somebody")])
    assert ended(fork(lambda: work(tx, context))) == 0
    tx.tickers.upsert([Ticker("PARENT2", "Somebody")])
    context.__exit__(None, None, None)
    names = {symbol for (symbol,) in raw(url, "SELECT symbol FROM tickers")}
    assert {"PARENT", "PARENT2"} <= names
    assert "CHILD" not in names
    write(filled, "AFTER")


def test_two_databases_of_one_file(filled: Database, url: str) -> None:
    """One in a transaction at the fork makes the file of no use in the child, by whatever Database."""

    def work() -> None:
        for ask in (other.tickers.all, lambda: repo.connect(url)):
            if filled.dialect == "postgresql":
                read_both(other)
            else:
                with pytest.raises(ConfigurationError, match=r"was in use .* spawn"):
                    ask()

    with repo.connect(url) as other:
        other.tickers.all()
        with filled.transaction() as tx:
            tx.tickers.all()
            assert ended(fork(work)) == 0
        assert ended(fork(lambda: read_both(other))) == 0
        read_both(other)


def test_a_fork_while_another_thread_writes(filled: Database) -> None:
    """The child waits for no lock that nobody will release; the thread's write goes on."""
    inside, done = threading.Event(), threading.Event()

    def slow() -> Iterator[Ticker]:
        yield Ticker("SLOW", "Somebody")
        inside.set()
        done.wait(60)

    def work() -> None:
        if filled.dialect == "postgresql":
            read_both(filled)
        else:
            with pytest.raises(ConfigurationError, match=r"was in use .* spawn"):
                filled.tickers.all()

    def write_slowly() -> None:
        with filled.transaction() as tx:
            tx.tickers.upsert(slow())

    thread = threading.Thread(target=write_slowly)
    thread.start()
    assert inside.wait(60)
    assert ended(fork(work)) == 0
    done.set()
    thread.join()
    assert filled.tickers.get("SLOW").symbol == "SLOW"
    assert ended(fork(lambda: read_both(filled))) == 0


def test_a_database_in_memory() -> None:
    """It is of its process alone."""
    with repo.connect("sqlite://") as db:
        db.migrate()

        def work() -> None:
            with pytest.raises(ConfigurationError, match="in memory"):
                db.tickers.all()

        assert ended(fork(work)) == 0
        assert db.tickers.all() == []
