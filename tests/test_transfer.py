"""Copies between databases: equal at the end whatever happens meanwhile, or the target as it was."""

from __future__ import annotations

import itertools
import json
import random
import re
import signal
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

import repo
from repo import Bar, Holding, Institution, Sentiment, Ticker, TransferError
from repo.digests import digests
from repo.transfer import Slice, abandon, copy, verify
from tests.builders import file_limit, python, raw
from tests.cli_helpers import smdi
from tests.conftest import Databases
from tests.test_digests import fill

DAY = date(2020, 1, 1)


def world(url: str, tickers: int = 6, days: int = 30) -> str:
    """Some rows of everything."""
    with repo.connect(url) as db:
        db.migrate()
        symbols = [f"T{number}" for number in range(tickers)]
        db.tickers.upsert(Ticker(symbol, symbol) for symbol in symbols)
        db.institutions.upsert([Institution(1, "One"), Institution(2, "Two"), Institution(3, "None")])
        dates = [DAY + timedelta(days=number) for number in range(days)]
        db.market.upsert(Bar(each, day, 1.5, 3.0, 1.0, 2.1, 7) for each in symbols for day in dates)
        db.holdings.upsert(
            Holding(each, cik, DAY, DAY + timedelta(days=cik), 10, 1000, 0.5)
            for each in symbols
            for cik in (1, 2)
        )
        db.sentiment.upsert(Sentiment(each, "s", day, 5, None) for each in symbols for day in dates)
    return url


@pytest.fixture
def pair(request: pytest.FixtureRequest, tmp_path: Path, databases: Databases) -> Iterator[Any]:
    """A full database and an empty one, of the engines that the test names."""
    names: list[str] = []

    def url(engine: str, number: int) -> str:
        if engine == "sqlite":
            return f"sqlite:///{tmp_path / f'{number}.db'}"
        names.append(databases.take())
        return databases.server.url_of(names[-1], min_size="1")

    source, target = (url(engine, number) for number, engine in enumerate(request.param))
    yield source, target
    for name in names:
        databases.server.drop(name)


BETWEEN = [(one, other) for one in ("sqlite", "postgresql") for other in ("sqlite", "postgresql")]
OTHERS = [("sqlite", "postgresql"), ("postgresql", "sqlite")]
everywhere = pytest.mark.parametrize("pair", BETWEEN, indirect=True, ids="-".join)
across = pytest.mark.parametrize("pair", OTHERS, indirect=True, ids="-".join)


@everywhere
def test_equal(pair: tuple[str, str]) -> None:
    """Every value arrives, keys go on after those that came, and nothing is left of the way."""
    with repo.connect(pair[0]) as source, repo.connect(pair[1]) as target:
        source.migrate()
        fill(pair[0])
        raw(pair[0], "DELETE FROM tickers WHERE ticker_id = 2147483647")
        done = copy(source, target)
        assert done.tables == digests(source) == digests(target)
        found = verify(source, target)
        assert (found.equal, found.differences, found.faults) == (True, (), ())
        target.tickers.upsert([Ticker("NEW", "New")])
        ((key,),) = raw(pair[1], "SELECT ticker_id FROM tickers WHERE symbol = 'NEW'")
        assert key == 1000
        assert not abandon(target)
        with pytest.raises(TransferError, match=r"the target holds rows: --replace .* --merge"):
            copy(source, target)
        copy(source, target, replace=True)
        assert verify(source, target).equal


@across
def test_differences_are_named(pair: tuple[str, str]) -> None:
    """A changed, a deleted and an added row are named with key, column and both values."""
    world(pair[0])
    with repo.connect(pair[0]) as source, repo.connect(pair[1]) as target:
        copy(source, target)
        target.market.upsert([Bar("T1", DAY, 1.5, 3.0, 1.0, 2.1000000000000005, 7)])
        target.market.delete("T2", DAY, DAY)
        target.sentiment.upsert([Sentiment("T3", "s", date(2021, 1, 1), 5, None)])
        found = verify(source, target)
        assert not found.equal
        assert [*map(str, found.differences)] == [
            "market_data ticker_id=T1 date=2020-01-01: close is 2.1 and 2.1000000000000005",
            "market_data ticker_id=T2 date=2020-01-01: only in the first",
            "retail_sentiment ticker_id=T3 source=s date=2021-01-01: only in the second",
        ]
    done = smdi("verify", *pair)
    assert done.code == 1
    assert "close is 2.1 and 2.1000000000000005" in done.out
    done = smdi("verify", *pair, "--format", "csv")
    assert done.out.splitlines()[0] == "table,rows,other_rows,equal"
    assert "market_data,180,179,no" in done.out.splitlines()
    assert "close is 2.1 and 2.1000000000000005" in done.err


@pytest.mark.parametrize("pair", [("sqlite", "postgresql")], indirect=True, ids="-".join)
def test_faults_are_named(pair: tuple[str, str]) -> None:
    """Rows that are there twice or refer to nothing are named, and the constraint that is gone."""
    world(pair[0])
    with repo.connect(pair[0]) as source, repo.connect(pair[1]) as target:
        copy(source, target)
        raw(pair[1], "ALTER TABLE market_data DROP CONSTRAINT market_data_pkey")
        raw(pair[1], "INSERT INTO market_data SELECT * FROM market_data WHERE ticker_id = 1 LIMIT 1")
        raw(pair[1], "ALTER TABLE retail_sentiment DROP CONSTRAINT retail_sentiment_ticker_id_fkey")
        raw(pair[1], "UPDATE retail_sentiment SET ticker_id = 77 WHERE ticker_id = 2")
        found = verify(source, target)
        told = "\n".join(map(str, (*found.differences, *found.faults)))
        assert "market_data ticker_id=T0 date=2020-01-01: there 1 times and 2 times" in told
        assert "market_data_pkey: 1, 2020-01-01 is there 2 times" in told
        assert "retail_sentiment_ticker_id_fkey: 77 is not there, and 30 rows refer to it" in told
        assert "constraint market_data_pkey is missing" in told
        assert "constraint retail_sentiment_ticker_id_fkey is missing" in told
        with pytest.raises(TransferError, match=r"the target's schema differs .*market_data_pkey"):
            copy(source, target, replace=True)


@across
def test_slice_and_merge(pair: tuple[str, str]) -> None:
    """A part refers to nothing outside of it; merged into rows it changes those that differ."""
    world(pair[0])
    with repo.connect(pair[0]) as source, repo.connect(pair[1]) as target:
        part = Slice(("T4", "t1"), since=date(2020, 1, 3), until=date(2020, 1, 4))
        copy(source, target, part=part)
        rows = {name: each.rows for name, each in digests(target).items()}
        assert rows == {
            "tickers": 2,
            "institutions": 1,
            "market_data": 4,
            "institutional_holdings": 2,
            "retail_sentiment": 4,
        }
        assert target.market.history("T4") == source.market.history("T4", part.since, part.until)
        target.market.delete("T1")
        raw(pair[0], "CREATE TABLE watched (owner text)")
        done = copy(source, target, merge=True, part=Slice(("T1",)))
        assert [each.strip('"').removeprefix("public.") for each in done.left_out] == ["watched"]
        assert done.merged == {
            "tickers": 0,
            "institutions": 1,
            "market_data": 30,
            "institutional_holdings": 1,
            "retail_sentiment": 28,
        }
        assert target.market.history("T1") == source.market.history("T1")
        with pytest.raises(repo.UnknownTicker):
            copy(source, target, replace=True, part=Slice(("NOPE",)))


@pytest.mark.parametrize("pair", [("sqlite", "postgresql")], indirect=True, ids="-".join)
def test_no_row_is_left_out(pair: tuple[str, str]) -> None:
    """A day that no calendar has, and a key that no column holds, end a copy instead of a row."""
    world(pair[0])
    with repo.connect(pair[0]) as source, repo.connect(pair[1]) as target:
        raw(pair[0], "UPDATE retail_sentiment SET date = 99999999 WHERE ticker_id = 1 AND date = 18262")
        with pytest.raises(TransferError, match="date holds 99999999, which is no day"):
            copy(source, target)
        raw(pair[0], "UPDATE retail_sentiment SET date = 18262 WHERE date = 99999999")
        raw(
            pair[0],
            "INSERT INTO tickers (ticker_id, symbol, company_name) VALUES (2147483648, 'X', 'X')",
        )
        with pytest.raises(TransferError, match="tickers has a number that leaves the type"):
            copy(source, target, resume=True)
        raw(pair[0], "UPDATE tickers SET ticker_id = 2147483647 WHERE symbol = 'X'")
        copy(source, target, resume=True)
        assert verify(source, target).equal


CHILD = """
import sys, repo
from repo import transfer

def tell(*what):
    print(*what, flush=True)
    sys.stdin.readline()

transfer.copying._COMMIT_ROWS = 1000
with repo.connect(sys.argv[1], read_only=True) as source, repo.connect(sys.argv[2]) as target:
    transfer.copy(source, target, resume=sys.argv[3:] == ["resume"], progress=tell)
"""


@across
def test_killed_and_resumed(pair: tuple[str, str]) -> None:
    """Killed at random moments and resumed each time, it ends equal; readers saw nothing before."""
    world(pair[0], tickers=40, days=100)
    moments = random.Random(7)
    with repo.connect(pair[1]) as target, repo.connect(pair[0]) as source:
        target.migrate()
        for attempt in range(4):
            child = python(CHILD, *pair, *["resume"][: attempt > 0])
            assert child.stdin is not None
            assert child.stdout is not None
            for _ in range(moments.randrange(1, 7)):
                child.stdout.readline()
                child.stdin.write("\n")
                child.stdin.flush()
            child.send_signal(signal.SIGKILL)  # while it does the next piece, or waits after that
            assert child.wait() == -signal.SIGKILL
            child.communicate()
            assert not any(each.rows for each in digests(target).values())
        refused = smdi("copy", *pair)
        assert refused.code == 1
        assert re.search(r"an unfinished copy of .*--resume goes on with it, --abandon", refused.err)
        assert smdi("copy", *pair, "--resume", "--since", "2020-01-02").code == 1
        done = smdi("copy", *pair, "--resume")
        assert done.out.endswith("proven equal\n"), done.err
        assert verify(source, target).equal
        assert smdi("copy", *pair, "--abandon").out == "there was no unfinished copy\n"


@across
def test_source_goes_on(pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows written to the source meanwhile are not of the copy; resumed, it has those of that moment."""
    monkeypatch.setattr("repo.transfer.copying._COMMIT_ROWS", 50)
    world(pair[0])
    with (
        repo.connect(pair[0]) as source,
        repo.connect(pair[0]) as writer,
        repo.connect(pair[1]) as target,
    ):
        written = 0
        volumes = itertools.count()

        def write(what: str, done: int, total: int) -> None:
            nonlocal written
            if what == "market_data":
                written += writer.market.upsert([Bar("T0", DAY, 1.5, 3.0, 1.0, 2.0, next(volumes))])
                if done > 100 and not stopped:
                    raise KeyboardInterrupt

        stopped = False
        with pytest.raises(KeyboardInterrupt):
            copy(source, target, progress=write)
        stopped = True
        before = digests(source)
        done = copy(source, target, resume=True, progress=write)
        assert written > 3
        assert done.changed == ("market_data",)
        assert done.tables == digests(target) == before != digests(source)


@pytest.mark.parametrize("pair", [("sqlite", "postgresql")], indirect=True, ids="-".join)
def test_connection_that_is_gone(pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that goes away leaves its readers what they had, and says how to go on."""
    monkeypatch.setattr("repo.transfer.copying._COMMIT_ROWS", 50)
    world(pair[0])

    def end(what: str, done: int, total: int) -> None:
        if what == "retail_sentiment":
            raw(
                pair[1],
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )

    with repo.connect(pair[0]) as source, repo.connect(pair[1]) as target:
        with pytest.raises(TransferError, match="have what they had; --resume goes on, --abandon"):
            copy(source, target, progress=end)
        assert digests(target)["market_data"].rows == 0
        copy(source, target, resume=True)
        assert verify(source, target).equal


@pytest.mark.parametrize("pair", [("sqlite", "sqlite")], indirect=True, ids="-".join)
def test_disk_that_is_full(pair: tuple[str, str]) -> None:
    """A file that cannot grow leaves the target as it was; when it can, the copy goes on."""
    world(pair[0], tickers=20, days=200)
    with repo.connect(pair[0]) as source, repo.connect(pair[1]) as target:
        target.migrate()
        with (
            file_limit(200_000),
            pytest.raises(TransferError, match="have what they had; --resume goes on, --abandon"),
        ):
            copy(source, target)
        assert digests(target)["market_data"].rows == 0
        copy(source, target, resume=True)
        assert verify(source, target).equal


@pytest.mark.parametrize("pair", [("sqlite", "postgresql")], indirect=True, ids="-".join)
def test_what_hangs_on_tables(pair: tuple[str, str]) -> None:
    """Rights and indexes of the target's tables stay; a view that would be lost is an obstacle."""
    world(pair[0])
    with repo.connect(pair[0]) as source, repo.connect(pair[1]) as target:
        target.migrate()
        raw(pair[1], "GRANT SELECT ON market_data TO PUBLIC")
        raw(pair[1], "CREATE VIEW closes AS SELECT close FROM market_data")
        with pytest.raises(TransferError, match="for the view closes would go with them"):
            copy(source, target)
        raw(pair[1], "DROP VIEW closes")
        raw(pair[0], "CREATE TABLE watched (owner text)")
        told = smdi("copy", *pair, "--format", "json")
        assert json.loads(told.out)["left_out"] == ['"watched"']
        assert 'not copied, for they are no tables of this package: "watched"' in told.err
        (unseen,) = verify(source, target).unseen
        assert unseen == f'{pair[0]}: not compared, for they are no tables of this package: "watched"'
        rights = "SELECT has_table_privilege('pg_monitor', 'market_data', 'SELECT')"
        assert raw(pair[1], rights) == [(True,)]


@pytest.mark.parametrize("pair", [("sqlite", "sqlite")], indirect=True, ids="-".join)
def test_what_refers_to_tables(pair: tuple[str, str]) -> None:
    """An application's rows keep what they refer to, or nothing is copied; its table stays as it is."""
    world(pair[0])
    with repo.connect(pair[0]) as source, repo.connect(pair[1]) as target:
        target.migrate()
        raw(pair[1], "CREATE TABLE watched (ticker_id INTEGER REFERENCES tickers (ticker_id))")
        target.tickers.upsert(Ticker(f"T{number}", "Other") for number in range(7))
        raw(pair[1], "INSERT INTO watched VALUES (1), (7)")
        told = "watched.? would refer to rows of tickers that are gone: delete those rows of it first"
        with pytest.raises(TransferError, match=told):
            copy(source, target, replace=True)
        assert len(target.tickers.all()) == 7
        raw(pair[1], "DELETE FROM watched WHERE ticker_id = 7")
        copy(source, target, resume=True)
        assert raw(pair[1], "SELECT ticker_id FROM watched") == [(1,)]
        assert verify(source, target).equal


@pytest.mark.parametrize("pair", [("sqlite", "sqlite")], indirect=True, ids="-".join)
def test_interrupted(pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C says what is left and how to go on."""
    world(pair[0])

    def strike(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("repo.transfer.copying.prove", strike)
    done = smdi("copy", *pair)
    assert (done.code, "--resume goes on, --abandon clears up" in done.err) == (130, True)
    monkeypatch.undo()
    assert smdi("copy", *pair, "--resume").out.endswith("proven equal\n")


@pytest.mark.parametrize("pair", [("postgresql", "postgresql")], indirect=True, ids="-".join)
def test_two_at_once(pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that another process has taken over ends there, and the other's is whole."""
    world(pair[0])
    with repo.connect(pair[0]) as source, repo.connect(pair[1], max_size=3) as target:
        monkeypatch.setattr("repo.engine.staging.StagedCopy.begun", lambda staged: None)
        raw(pair[1], "CREATE SCHEMA smdi_copy")  # as by one that begins in the same moment
        with pytest.raises(TransferError, match="another process has begun to copy into this database"):
            copy(source, target)
        raw(pair[1], "DROP SCHEMA smdi_copy")
        monkeypatch.undo()
        monkeypatch.setattr("repo.transfer.copying._COMMIT_ROWS", 50)

        def other(what: str, done: int, total: int) -> None:
            if what == "market_data" and done < total:
                with repo.connect(pair[0]) as again:
                    copy(again, target, resume=True)

        with pytest.raises(TransferError, match=r"taken this copy over|removed this copy"):
            copy(source, target, progress=other)
        assert verify(source, target).equal
