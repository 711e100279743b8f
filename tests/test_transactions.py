"""Transactions: all or nothing, nested, after errors, read-only, in threads, again after a conflict."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import repo
from repo import (
    ConfigurationError,
    ConflictError,
    Database,
    ForeignKeyViolation,
    RangeError,
    Ticker,
    UniqueViolation,
)
from tests.builders import DAY, MAX, bar, content, day, holding, lost, raw, seed, sentiment, stored

PORTABLE = """
-- name: add_ticker(symbol, company_name)!
-- Adds a ticker past the repository's checks. Index: tickers_symbol_key.
INSERT INTO tickers (symbol, company_name) VALUES (CAST(:symbol AS text), CAST(:company_name AS text));

-- name: add_bar(ticker_id, date)!
-- Adds a bar past the repository's checks. Index: market_data_pkey.
INSERT INTO market_data (ticker_id, date, close)
VALUES (CAST(:ticker_id AS bigint), CAST(:date AS date), CAST(1 AS double precision));

-- name: drop_ticker(symbol)!
-- Deletes a ticker. Index: tickers_symbol_key.
DELETE FROM tickers WHERE symbol = CAST(:symbol AS text);

-- name: add_child(parent)!
-- Adds a row whose parent is looked for at the end of the transaction. Index: none.
INSERT INTO child (parent) VALUES (CAST(:parent AS bigint));
"""
SQLITE = """
-- name: isolation()$
-- record_class: Level(isolation: str)
-- The isolation level of the transaction. Index: none.
SELECT 'serializable' AS isolation;
"""
POSTGRESQL = """
-- name: isolation()$
-- record_class: Level(isolation: str)
-- The isolation level of the transaction. Index: none.
SELECT current_setting('transaction_isolation') AS isolation;
"""


@pytest.fixture
def own(url: str, tmp_path: Path) -> Iterator[Database]:
    """The database under test with an application's own queries, which check less."""
    for folder, text in (("", PORTABLE), ("sqlite", SQLITE), ("postgresql", POSTGRESQL)):
        (tmp_path / "queries" / folder).mkdir(exist_ok=True)
        (tmp_path / "queries" / folder / "own.sql").write_text(text)
    with repo.connect(url, queries=[tmp_path / "queries"]) as db:
        seed(db)
        yield db


@pytest.fixture
def full(seeded: Database) -> Database:
    """A database of which one read fails: the volumes of AAPL do not fit into 64 bits."""
    seeded.market.upsert([bar(volume=MAX), bar(on=day(1), volume=1)])
    return seeded


def symbols(url: str) -> list[str]:
    """The symbols that are committed."""
    return [symbol for (symbol,) in raw(url, "SELECT symbol FROM tickers ORDER BY symbol")]


def add(db: Database, *names: str) -> None:
    """Write tickers."""
    db.tickers.upsert(Ticker(name, "Somebody") for name in names)


def test_a_block_commits_at_its_end(db: Database, url: str) -> None:
    """What a block writes is its own until it ends, and everybody's after that."""
    with db.transaction() as inside:
        assert inside is not db
        add(db, "A")
        add(db, "B")
        assert [ticker.symbol for ticker in db.tickers.all()] == ["A", "B"]
        assert symbols(url) == []
    assert symbols(url) == ["A", "B"]


def test_a_call_outside_a_block_is_a_transaction_of_its_own(db: Database, url: str) -> None:
    """It is committed when it returns."""
    add(db, "A")
    assert symbols(url) == ["A"]


@pytest.mark.parametrize(
    "error",
    [
        LookupError,
        KeyboardInterrupt,
        ConflictError,
        SystemExit,
        GeneratorExit,
        CancelledError,
        MemoryError,
    ],
)
def test_an_error_that_leaves_a_block_rolls_it_back(
    seeded: Database, url: str, error: type[BaseException]
) -> None:
    """The error comes out as it is, and nothing of the block is there."""
    before = content(url)
    with lost(seeded, error, match="my own"):
        add(seeded, "A")
        seeded.market.upsert(bar(on=day(number)) for number in range(1500))
        seeded.market.delete("AAPL", DAY, DAY)
        raise error("my own")
    assert content(url) == before
    add(seeded, "A")
    assert symbols(url) == ["A", "AAPL", "MSFT"]


def test_blocks_nest(db: Database, url: str) -> None:
    """An error that leaves an inner block takes only what that block wrote, however deep."""
    with db.transaction():
        add(db, "A")
        with db.transaction():
            add(db, "B")
            with lost(db, LookupError):
                add(db, "C")
                with db.transaction():
                    add(db, "D")
                raise LookupError
            add(db, "E")
        with db.transaction():
            add(db, "F")
    assert symbols(url) == ["A", "B", "E", "F"]


def test_an_outer_error_takes_the_inner_blocks_too(db: Database, url: str) -> None:
    """An inner block that ended well is part of the outer one."""
    with lost(db, LookupError):
        with db.transaction():
            add(db, "A")
        raise LookupError
    assert symbols(url) == []


def test_many_inner_blocks_that_fail(db: Database, url: str) -> None:
    """A block outlives any number of inner ones that fail, in their writes or by themselves."""
    with db.transaction():
        for number in range(12):
            with lost(db, LookupError):
                add(db, f"X{number}")
                raise LookupError
            with pytest.raises(UniqueViolation):
                db.tickers.upsert([Ticker("A", "A", "037833100"), Ticker("B", "B", "037833100")])
            add(db, f"N{number:02}")
    assert symbols(url) == [f"N{number:02}" for number in range(12)]


def test_after_a_failed_read_a_block_can_only_be_left(full: Database, url: str) -> None:
    """Every call raises the same error again, and so does the end; nothing of the block stays."""
    before = content(url)
    with lost(full, RangeError) as left:
        add(full, "A")
        with pytest.raises(RangeError) as first:
            full.market.summary("AAPL")
        calls: list[Callable[[], Any]] = [
            full.tickers.all,
            lambda: add(full, "B"),
            lambda: full.market.delete("AAPL"),
            lambda: full.run(lambda inside: pytest.fail("the work began")),
        ]
        for call in calls:
            with pytest.raises(RangeError):
                call()
    assert left.value is first.value
    assert content(url) == before
    with full.transaction():
        add(full, "C")
    assert symbols(url) == ["AAPL", "C", "MSFT"]


def test_a_failed_read_outside_a_block_fails_nothing_else(full: Database) -> None:
    """The next call works."""
    for _ in range(10):
        with pytest.raises(RangeError):
            full.market.summary("AAPL")
        assert len(full.market.history("AAPL")) == 2


WRITES: dict[str, Callable[[Database], object]] = {
    "tickers": lambda db: add(db, "A"),
    "institutions": lambda db: db.institutions.upsert([repo.Institution(5, "Five")]),
    "market": lambda db: db.market.upsert([bar()]),
    "holdings": lambda db: db.holdings.upsert([holding()]),
    "sentiment": lambda db: db.sentiment.upsert([sentiment()]),
    "nothing": lambda db: db.market.upsert([]),
    "delete": lambda db: db.market.delete("AAPL"),
}


def test_read_only_blocks_refuse_writes(full: Database, url: str) -> None:
    """A write is a ConfigurationError before it reaches the database, and the block goes on."""
    before = content(url)
    with full.transaction(read_only=True):
        for write in WRITES.values():
            with pytest.raises(ConfigurationError):
                write(full)
        with pytest.raises(ConfigurationError), full.transaction():
            pytest.fail("a block that writes began in one that does not")
        with full.transaction(read_only=True):
            assert len(full.market.history("AAPL")) == 2
    assert content(url) == before


def test_a_read_only_block_inside_another_refuses_writes_too(seeded: Database, url: str) -> None:
    """The inner block reads what the outer wrote and writes nothing; the outer then goes on."""
    with seeded.transaction():
        add(seeded, "A")
        with seeded.transaction(read_only=True):
            assert seeded.tickers.get("A").company_name == "Somebody"
            with pytest.raises(ConfigurationError):
                add(seeded, "B")
        add(seeded, "C")
    assert symbols(url) == ["A", "AAPL", "C", "MSFT"]


def test_a_read_only_database_refuses_writes(full: Database, url: str) -> None:
    """It reads, in blocks and outside them, and every write is a ConfigurationError."""
    before = content(url)
    with repo.connect(url, read_only=True) as reader:
        assert reader.migrate() == []
        for write in WRITES.values():
            with pytest.raises(ConfigurationError):
                write(reader)
        with reader.transaction():
            assert len(reader.market.history("AAPL")) == 2
            with pytest.raises(ConfigurationError):
                add(reader, "A")
        with pytest.raises(ConfigurationError):
            reader.migrate(0)
    assert content(url) == before


def test_a_read_only_block_sees_one_state(seeded: Database, url: str) -> None:
    """What others commit meanwhile is not seen in it, and is after it."""
    for isolation in ("serializable", "repeatable read"):
        with seeded.transaction(read_only=True, isolation=isolation):
            before = seeded.tickers.all()
            name = f"NEW{isolation[:2].upper()}"
            raw(url, "INSERT INTO tickers (symbol, company_name) VALUES (?, 'New')", name)
            assert seeded.tickers.all() == before
        assert len(seeded.tickers.all()) == len(before) + 1


def test_isolation_levels(own: Database) -> None:
    """PostgreSQL gives the level asked for, SQLite serializable; serializable is the default."""
    with own.transaction():
        assert own.queries.own.isolation() == "serializable"
    for isolation in ("serializable", "repeatable read", "read committed"):
        given = "serializable" if own.dialect == "sqlite" else isolation
        for read_only in (False, True):
            with own.transaction(isolation=isolation, read_only=read_only):
                assert own.queries.own.isolation() == given
                with own.transaction(isolation="read committed", read_only=read_only):
                    assert own.queries.own.isolation() == given


def test_isolation_names_are_checked(seeded: Database) -> None:
    """Another name is a ConfigurationError, of an inner block too, and the outer goes on."""
    names: list[Any] = ["SERIALIZABLE", "read uncommitted", "", "snapshot; --", None]
    for isolation in names:
        with pytest.raises(ConfigurationError), seeded.transaction(isolation=isolation):
            pytest.fail("the block began")
        with seeded.transaction():
            with pytest.raises(ConfigurationError), seeded.transaction(isolation=isolation):
                pytest.fail("the block began")
            add(seeded, f"A{names.index(isolation)}")
    assert len(seeded.tickers.all()) == 2 + len(names)


def test_a_constraint_that_is_checked_at_the_end(own: Database, url: str) -> None:
    """A commit that fails is an error like any other, and leaves nothing open behind it."""
    raw(url, "CREATE TABLE parent (id bigint PRIMARY KEY)")
    raw(url, "CREATE TABLE child (parent bigint REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
    for _ in range(3):
        with pytest.raises(ForeignKeyViolation):
            own.queries.own.add_child(parent=1)
        with lost(own, ForeignKeyViolation):
            add(own, "A")
            own.queries.own.add_child(parent=1)
    assert symbols(url) == ["AAPL", "MSFT"]
    add(own, "B")
    raw(url, "INSERT INTO parent (id) VALUES (1)")
    assert own.queries.own.add_child(parent=1) == 1


def test_an_error_has_no_row_of_another(own: Database, url: str) -> None:
    """The message of a violation names the constraint and no stored value."""
    raw(
        url,
        "INSERT INTO market_data (ticker_id, date, close) SELECT ticker_id, ?, 123.456 FROM tickers",
        stored(url, DAY),
    )
    ((key,),) = raw(url, "SELECT ticker_id FROM tickers WHERE symbol = 'AAPL'")
    with pytest.raises(UniqueViolation) as raised:
        own.queries.own.add_bar(ticker_id=key, date=DAY)
    assert "2010" not in str(raised.value)
    assert "123" not in str(raised.value)
