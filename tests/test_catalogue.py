"""Queries are parsed once per process and bound when used, and a file that changed is noticed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from aiosql.query_loader import QueryLoader

import repo
from repo import QueryContractError, catalogue, queries
from repo.binding import BoundQueries
from repo.catalogue import load
from repo.queries import many_rows
from tests.test_forks import ended, fork, pytestmark  # noqa: F401  # Python 3.12 warns of forks


def answer(number: int, name: str = "q") -> str:
    """A query that answers a number."""
    return (
        f"-- name: {name}()$\n-- record_class: Answer(x: int)\n-- A test. Index: none.\n"
        f"SELECT {number} AS x;\n"
    )


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of files that aiosql parses from now on, nothing being remembered."""
    names: list[str] = []
    parse = QueryLoader.load_query_data_from_sql

    def counting(self: QueryLoader, sql: str, ns_parts: list[str], fname: Path | str = "") -> object:
        names.append(Path(fname).name)
        return parse(self, sql, ns_parts, fname)

    monkeypatch.setattr(QueryLoader, "load_query_data_from_sql", counting)
    catalogue._queries_of.cache_clear()
    yield names
    catalogue._queries_of.cache_clear()


def test_files_are_parsed_once(url: str, parsed: list[str], tmp_path: Path) -> None:
    """Only the file that is used is parsed, and no file again for another database."""
    (tmp_path / "app.sql").write_text(answer(1))
    for _ in range(3):
        with repo.connect(url, queries=tmp_path) as db:
            assert parsed.count("app.sql") == 1
            assert db.queries.app.q() == 1
            assert db.tickers.all() == []
    assert sorted(set(parsed)) == ["app.sql", "tickers.sql"]
    assert len(parsed) == 1 + len([*queries.shipped("queries").rglob("tickers.sql")])


def test_all_of_the_package_when_asked_for(parsed: list[str]) -> None:
    """The names of all queries are those of all files, each of which is parsed for them."""
    catalogue = load()
    assert catalogue.aggregates() == sorted(
        {each.stem for each in queries.shipped("queries").rglob("*.sql")}
    )
    assert parsed == []
    for dialect in queries.DIALECTS:
        named = {name.partition(".")[0] for name in catalogue.names(dialect=dialect)}
        assert named == set(catalogue.aggregates(dialect))
    assert len(parsed) == len([*queries.shipped("queries").rglob("*.sql")])


def test_a_change_of_the_same_size_and_time_is_noticed(tmp_path: Path) -> None:
    """What a file says is what counts: a clock may stand still, and a size be the same."""
    file = tmp_path / "app.sql"
    for number in (1, 2):
        file.write_text(answer(number))
        os.utime(file, ns=(10**18, 10**18))
        with repo.connect("sqlite://", queries=tmp_path) as db:
            assert db.queries.app.q() == number


def test_files_that_come_and_go_are_noticed(tmp_path: Path) -> None:
    """A new file, a variant and a file that is gone are seen; a refusal is neither kept nor lost."""
    (tmp_path / "app.sql").write_text(answer(1))
    assert "app.q" in load([tmp_path])
    (tmp_path / "more.sql").write_text(answer(2))
    assert {"app.q", "more.q"} <= set(load([tmp_path]).names())
    (tmp_path / "sqlite").mkdir()
    (tmp_path / "sqlite" / "app.sql").write_text(answer(3))
    for _ in range(2):
        with pytest.raises(QueryContractError, match=r"app\.q is there twice for sqlite"):
            load([tmp_path])
    (tmp_path / "sqlite" / "app.sql").unlink()
    (tmp_path / "more.sql").unlink()
    assert "app.q" in load([tmp_path])
    assert "more.q" not in load([tmp_path])


def test_an_open_database_keeps_its_queries(tmp_path: Path) -> None:
    """A change is for who connects after it."""
    (tmp_path / "app.sql").write_text(answer(1))
    with repo.connect("sqlite://", queries=tmp_path) as db:
        (tmp_path / "app.sql").write_text(answer(2))
        with repo.connect("sqlite://", queries=tmp_path) as other:
            assert (db.queries.app.q(), other.queries.app.q()) == (1, 2)


def test_a_folder_given_twice(tmp_path: Path) -> None:
    """The same folder twice has every query twice."""
    (tmp_path / "app.sql").write_text(answer(1))
    with pytest.raises(QueryContractError, match=r"app\.q is there twice"):
        load([tmp_path, tmp_path])


def test_a_relative_folder_is_where_the_process_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One relative name is of two folders when the process has moved."""
    for number, place in enumerate("ab"):
        (tmp_path / place / "sql").mkdir(parents=True)
        (tmp_path / place / "sql" / "app.sql").write_text(answer(number))
        monkeypatch.chdir(tmp_path / place)
        assert f"SELECT {number}" in load(["sql"]).query("app.q", "sqlite").sql


def test_line_of_what_cannot_be_read(tmp_path: Path) -> None:
    """An error in the second query of a file names the line where it begins, comments counted."""
    second = answer(2, "r").replace("x: int", "x: number")
    (tmp_path / "app.sql").write_text(f"-- The file.\n\n/* Two\nlines. */\n{answer(1)}\n\n{second}")
    with pytest.raises(QueryContractError, match=r"app\.sql:11: cannot read the column 'x: number'"):
        load([tmp_path])
    (tmp_path / "app.sql").write_text(f"{answer(1)}\n{answer(2, 'r?')}")
    with pytest.raises(QueryContractError, match=r"invalid query name .* at .*app\.sql:6"):
        load([tmp_path])


def test_records_of_one_declaration_are_one_type(tmp_path: Path) -> None:
    """Two queries, and two databases, that declare a record alike give rows of one type."""
    (tmp_path / "app.sql").write_text(answer(1) + answer(2, "r"))
    first, second = load([tmp_path]), load([tmp_path])
    assert first.query("app.q", "sqlite").record is second.query("app.r", "sqlite").record


def test_threads(parsed: list[str], tmp_path: Path) -> None:
    """Threads that open databases at once, while a file changes, get one text or the other, whole."""
    file = tmp_path / "app.sql"
    file.write_text(answer(0))
    begin = threading.Barrier(6)

    def write() -> None:
        begin.wait()
        for number in range(1, 20):
            (tmp_path / "new").write_text(answer(number))
            (tmp_path / "new").replace(file)

    def read() -> list[int]:
        begin.wait()
        seen = []
        for _ in range(20):
            with repo.connect("sqlite://", queries=tmp_path) as db:
                db.migrate()
                seen.append(db.queries.app.q())
                assert db.market.coverage() == []
        return seen

    with ThreadPoolExecutor(6) as pool:
        readers = [pool.submit(read) for _ in range(5)]
        pool.submit(write).result()
        for each in readers:
            seen = each.result()
            assert seen == sorted(seen)
            assert set(seen) <= set(range(20))
    assert "app.sql" in parsed


def test_children_of_a_fork(tmp_path: Path) -> None:
    """A child goes on with what was parsed, and notices what changes after the fork."""
    file = tmp_path / "app.sql"
    file.write_text(answer(1))
    load([tmp_path])

    def child() -> None:
        for number in (1, 2):
            file.write_text(answer(number))
            with repo.connect("sqlite://", queries=tmp_path) as db:
                db.migrate()
                assert db.queries.app.q() == number
                assert db.tickers.all() == []

    assert ended(fork(child)) == 0


def test_bound_when_asked_for(url: str) -> None:
    """A query is bound at its first use; what is there does not depend on it, nor what is not."""
    with repo.connect(url) as db:
        db.migrate()
        bound = db._session.executor.queries
        assert isinstance(bound, BoundQueries)
        assert "tickers.all" not in list(bound)
        assert "tickers.all" in bound
        assert db.tickers.all() == []
        assert "tickers.all" in list(bound)
        assert bound["tickers.all"] is bound.get("tickers.all") is bound["tickers.all"]
        assert many_rows("tickers.upsert") in bound
        for name in ("tickers.nothing", "nothing", many_rows("tickers.all"), "tickers.add, many", ""):
            assert name not in bound
            assert bound.get(name) is None
            with pytest.raises(KeyError):
                bound[name]
