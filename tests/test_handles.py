"""The handle of a transaction: used, left and misused across threads, tasks and generators."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import repo
from repo import ConfigurationError, Database, Ticker, Transaction
from tests.builders import bar, lost, raw, seed


def symbols(url: str) -> list[str]:
    """The symbols that are committed."""
    return [symbol for (symbol,) in raw(url, "SELECT symbol FROM tickers ORDER BY symbol")]


def add(db: Database, *names: str) -> None:
    """Write tickers."""
    db.tickers.upsert(Ticker(name, "Somebody") for name in names)


def in_thread(work: Callable[[], Any]) -> Any:
    """What work returns or raises in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def whole(db: Database, url: str) -> None:
    """The database is as good as new: it writes, reads, and no transaction is left behind."""
    for number in range(40):  # more than there are connections
        with db.transaction():
            add(db, f"W{number}")
    assert len(in_thread(db.tickers.all)) >= 40
    assert db._session.executor.current() is None
    if db.dialect == "postgresql":
        ((open_,),) = raw(
            url,
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in%' AND pid <> pg_backend_pid()",
        )
        assert open_ == 0


def test_a_handle_has_what_a_database_has(db: Database) -> None:
    """Repositories, queries, nested blocks; what is the database's own business is refused."""
    seed(db)
    with db.transaction() as tx:
        assert isinstance(tx, Transaction)
        assert isinstance(tx, Database)
        assert tx.market.upsert([bar()]) == 1
        assert tx.queries.market.latest() == tx.market.latest() == [bar()]
        assert (tx.dialect, tx.version()) == (db.dialect, 2)
        assert tx.run(lambda inner: inner.tickers.get("AAPL").symbol) == "AAPL"
        for refused in (tx.close, tx.__enter__, tx.check, db.check):
            with pytest.raises(ConfigurationError):
                refused()
        with pytest.raises(ConfigurationError, match="transactions of their own"):
            tx.migrate(0)
    assert repr(tx).startswith("<Transaction on ")


def test_entered_used_and_left_in_three_threads(db: Database, url: str) -> None:
    """The block belongs to no thread: what it wrote is committed, or not, where it is left."""
    for name, error in (("GOOD", None), ("BAD", LookupError)):
        context = db.transaction()
        tx = in_thread(context.__enter__)
        in_thread(lambda: add(tx, name))  # noqa: B023  # now
        assert name not in symbols(url)
        in_thread(lambda: context.__exit__(error, error and error(), None))  # noqa: B023  # now
        assert (name in symbols(url)) == (error is None)
    whole(db, url)


def test_the_database_takes_part_only_where_the_block_was_entered(db: Database, url: str) -> None:
    """Another thread's call through the database is a transaction of its own, whatever its context."""
    with db.transaction() as tx:
        add(db, "MINE")
        context = contextvars.copy_context()
        assert in_thread(db.tickers.all) == []
        assert in_thread(lambda: context.run(db.tickers.all)) == []
        assert [each.symbol for each in in_thread(tx.tickers.all)] == ["MINE"]
        assert [each.symbol for each in context.run(db.tickers.all)] == ["MINE"]
    assert symbols(url) == ["MINE"]


def test_a_thread_of_a_pool_keeps_nothing_of_a_block(db: Database, url: str) -> None:
    """A block that was entered in a thread and left elsewhere is none of that thread's next work."""
    with ThreadPoolExecutor(1) as pool:
        context = db.transaction()
        tx = pool.submit(context.__enter__).result()
        add(tx, "A")
        context.__exit__(None, None, None)
        pool.submit(add, db, "B").result()
    assert symbols(url) == ["A", "B"]
    whole(db, url)


def test_a_handle_after_its_block(db: Database, url: str) -> None:
    """Every call is refused, of an inner block's handle too while the outer goes on."""
    with db.transaction() as outer:
        with outer.transaction() as inner:
            add(inner, "A")
        with pytest.raises(ConfigurationError, match="has been left"):
            inner.tickers.all()
        add(outer, "B")
    for call in (outer.tickers.all, lambda: add(outer, "C"), lambda: outer.transaction().__enter__()):
        with pytest.raises(ConfigurationError, match="has been left"):
            call()
    assert symbols(url) == ["A", "B"]
    whole(db, url)


def test_two_threads_at_the_same_moment(db: Database, url: str) -> None:
    """The second is refused at once, and the first and its transaction go on."""
    inside, done = threading.Event(), threading.Event()

    def slow() -> Iterator[Ticker]:
        yield Ticker("A", "Somebody")
        inside.set()
        done.wait(60)

    with db.transaction() as tx, ThreadPoolExecutor(1) as pool:
        writing = pool.submit(tx.tickers.upsert, slow())
        assert inside.wait(60)
        try:
            for call in (tx.tickers.all, db.tickers.all, lambda: tx.transaction().__enter__()):
                with pytest.raises(ConfigurationError, match="another thread"):
                    call()
        finally:
            done.set()
        assert writing.result() == 1
        add(tx, "B")
    assert symbols(url) == ["A", "B"]


def test_calls_inside_a_call(db: Database) -> None:
    """Rows that are made by reading through the same handle are no second use of it."""
    seed(db)
    with db.transaction() as tx:
        tx.market.upsert([bar()])
        assert tx.market.upsert(tx.market.latest()[n]._replace(symbol="MSFT") for n in range(1)) == 1


@pytest.mark.parametrize("error", [None, LookupError])
def test_a_block_that_is_left_while_a_thread_uses_it(
    db: Database, url: str, error: type[Exception] | None
) -> None:
    """Nothing is kept; the thread ends its call, and the connection comes back when it has."""
    inside, done = threading.Event(), threading.Event()

    def slow() -> Iterator[Ticker]:
        yield Ticker("A", "Somebody")
        inside.set()
        done.wait(60)

    context = db.transaction()
    tx = context.__enter__()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(tx.tickers.upsert, slow())
        assert inside.wait(60)
        if error is None:
            with pytest.raises(ConfigurationError, match="another thread"):
                context.__exit__(None, None, None)
        else:
            assert not context.__exit__(error, error(), None)
        with pytest.raises(ConfigurationError, match="has been left"):
            tx.tickers.all()
        done.set()
        assert isinstance(writing.exception(60), ConfigurationError)
    assert symbols(url) == []
    whole(db, url)


def test_blocks_left_in_the_wrong_order(db: Database, url: str) -> None:
    """All of the transaction is rolled back, and each block that should have ended well says so."""
    outer, inner = db.transaction(), db.transaction()
    outer.__enter__()
    inner.__enter__()
    add(db, "A")
    with pytest.raises(ConfigurationError, match="wrong order"):
        outer.__exit__(None, None, None)
    with pytest.raises(ConfigurationError, match="was rolled back"):
        inner.__exit__(None, None, None)
    assert symbols(url) == []
    whole(db, url)


def test_inner_blocks_left_in_the_wrong_order(db: Database, url: str) -> None:
    """The outermost block, too, cannot end well any more."""
    with lost(db, ConfigurationError, match="wrong order"):
        add(db, "A")
        one, two = db.transaction(), db.transaction()
        one.__enter__()
        two.__enter__()
        add(db, "B")
        with pytest.raises(ConfigurationError, match="wrong order"):
            one.__exit__(None, None, None)
        with pytest.raises(ConfigurationError, match="was rolled back"):
            two.__exit__(None, None, None)
        with pytest.raises(ConfigurationError, match="wrong order"):
            db.tickers.all()
    assert symbols(url) == []
    whole(db, url)


def test_generators(db: Database, url: str) -> None:
    """A generator that holds a block commits at its end, and undoes it when it is closed or dropped."""

    def rows(name: str) -> Iterator[Transaction]:
        with db.transaction() as tx:
            add(tx, name)
            yield tx
            add(tx, f"{name}2")

    for tx in rows("A"):
        add(tx, "A1")
    closed = rows("B")
    next(closed)
    closed.close()  # type: ignore[attr-defined]  # a generator
    dropped = rows("C")
    next(dropped)
    del dropped
    gc.collect()
    with pytest.raises(LookupError), contextmanager(rows)("D"):
        raise LookupError
    assert symbols(url) == ["A", "A1", "A2"]
    whole(db, url)


def test_a_generator_dropped_in_another_thread(db: Database, url: str) -> None:
    """Where it is collected does not matter."""
    held: list[Any] = []

    def hold() -> None:
        context = db.transaction()
        add(context.__enter__(), "A")
        held.append(context)

    in_thread(hold)
    held.clear()
    gc.collect()
    assert symbols(url) == []
    whole(db, url)


def test_a_block_that_is_never_left_ends_with_its_database(url: str) -> None:
    """Closing the database undoes it, and the next one is free to write."""
    db = repo.connect(url)
    context = db.transaction()
    add(context.__enter__(), "A")
    db.close()
    with repo.connect(url) as other:
        add(other, "B")
    with pytest.raises(repo.RepoError):
        context.__exit__(None, None, None)
    assert symbols(url) == ["B"]


def test_tasks_have_transactions_of_their_own(db: Database, url: str) -> None:
    """Tasks that hold transactions over an await: each commits or undoes its own rows only.

    SQLite has one writer, so there the second task is refused at once instead of stopping the loop.
    """
    refused: list[str] = []

    async def one(name: str, error: type[Exception] | None) -> None:
        try:
            with db.transaction():
                add(db, name)
                await asyncio.sleep(0.01)
                if error is not None:
                    raise error
        except ConfigurationError as refusal:
            refused.append(str(refusal))
        except LookupError:
            pass

    async def both() -> None:
        await asyncio.gather(one("GOOD", None), one("BAD", LookupError), one("FINE", None))

    asyncio.run(both())
    if db.dialect == "sqlite":
        assert symbols(url) == ["GOOD"]
        assert len(refused) == 2
        assert "asyncio.to_thread" in refused[0]
    else:
        assert symbols(url) == ["FINE", "GOOD"]
        assert refused == []
    whole(db, url)


def test_a_task_begun_inside_a_block_is_outside_it(db: Database, url: str) -> None:
    """Its context is a copy; its calls through the database are its own, and the handle is there."""

    async def child(tx: Transaction) -> list[Ticker]:
        add(tx, "CHILD")
        return db.tickers.all()

    async def main() -> list[Ticker]:
        with db.transaction() as tx:
            add(db, "PARENT")
            return await asyncio.create_task(child(tx))

    assert asyncio.run(main()) == []
    assert symbols(url) == ["CHILD", "PARENT"]


def test_a_write_that_would_wait_for_its_own_block(url: str) -> None:
    """A thread that its block waits for is told to use the handle; on PostgreSQL none has to wait."""
    with repo.connect(url) as db:

        async def main() -> None:
            with db.transaction() as tx:
                add(db, "A")
                await asyncio.to_thread(add, tx, "B")
                await asyncio.to_thread(add, db, "C")

        if db.dialect == "sqlite":
            with pytest.raises(ConfigurationError, match="block's handle"):
                asyncio.run(main())
            assert symbols(url) == []
        else:
            asyncio.run(main())
            assert symbols(url) == ["A", "B", "C"]


def test_a_cancelled_task(db: Database, url: str) -> None:
    """A task that is cancelled while a thread works for it keeps nothing, and nothing is left behind."""
    inside, done = threading.Event(), threading.Event()

    def slow() -> Iterator[Ticker]:
        yield Ticker("A", "Somebody")
        inside.set()
        done.wait(60)

    async def work() -> None:
        with db.transaction() as tx:
            await asyncio.to_thread(tx.tickers.upsert, slow())

    async def main() -> None:
        task = asyncio.create_task(work())
        await asyncio.to_thread(inside.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        done.set()

    asyncio.run(main())
    assert symbols(url) == []
    whole(db, url)


def test_run_in_threads(db: Database, url: str) -> None:
    """What run() gives is the transaction's handle, in which other threads may help."""

    def work(tx: Transaction) -> int:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(add, tx, "A").result()
        return len(tx.tickers.all())

    assert db.run(work) == 1
    assert symbols(url) == ["A"]


def test_two_databases_in_one_thread(url: str, tmp_path: Path) -> None:
    """A block of one database is none of another."""
    with repo.connect(url) as one, repo.connect(f"sqlite:///{tmp_path / 'other.db'}") as two:
        two.migrate()
        with ExitStack() as stack:
            tx = stack.enter_context(one.transaction())
            other = stack.enter_context(two.transaction())
            add(one, "ONE")
            add(two, "TWO")
            assert [each.symbol for each in tx.tickers.all()] == ["ONE"]
            assert [each.symbol for each in other.tickers.all()] == ["TWO"]
