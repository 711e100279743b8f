"""The many-row form of an upsert: its one VALUES tuple repeated, and nothing else done to it."""

from datetime import timedelta
from pathlib import Path

import pytest

import repo
from repo import Bar, Ticker
from repo.catalogue import load
from repo.queries import DIALECTS, Query, rows_per_statement, with_rows
from tests.builders import day

CATALOGUE = load()
MANY = [name for name in CATALOGUE.names() if name.endswith((".upsert", ".add", ".fill"))]


def written(sql: str, parameters: tuple[str, ...] = ("a", "b"), operator: str = "*!") -> Query:
    """A query of an application as its file would have it."""
    return Query("app", "q", None, operator, parameters, None, "", sql, Path("app.sql"), 1, {})


def test_the_row_is_repeated() -> None:
    """The tuple comes again as it stands, and what is around it stays."""
    query = written("INSERT INTO t (a, b)\nVALUES (\n    :a, :b\n)\nON CONFLICT (a) DO NOTHING;")
    found = with_rows(query, 3)
    assert found is not None
    row = "(\n    :a, :b\n)"
    assert found.sql == f"INSERT INTO t (a, b)\nVALUES {row}, {row}, {row}\nON CONFLICT (a) DO NOTHING;"
    assert (found.full_name, found.parameters) == (query.full_name, query.parameters)


@pytest.mark.parametrize(
    "query",
    [
        written("INSERT INTO t (a, b) VALUES (CAST(:a AS bigint), :b)"),
        written("INSERT INTO t (a, b) VALUES (:a, 'VALUES (:x)')"),
        written("INSERT INTO t (a, b) VALUES (:b, :a)"),
        written("INSERT INTO t (a, b) VALUES (:a, :a)"),
        written("INSERT INTO t (a, b) VALUES (:a)"),
        written("INSERT INTO t (a) VALUES (:a) ON CONFLICT (a) DO UPDATE SET b = :b"),
        written(
            "INSERT INTO t (a, b) SELECT v.a, v.b FROM (VALUES (:a, :b)) AS v, (VALUES (:a, :b)) AS w"
        ),
        written("COPY t (a, b) FROM STDIN WITH BINARY"),
        written("DELETE FROM t WHERE a = :a AND b = :b"),
        written("INSERT INTO t (a, b) VALUES (:a, :b)", operator="!"),
    ],
    ids=lambda query: query.sql,
)
def test_anything_else_is_not_touched(query: Query) -> None:
    """What is no tuple of all parameters, each once and in their order, has no form of many rows."""
    assert with_rows(query, 3) is None


def test_rows_per_statement() -> None:
    """A statement of many rows takes no more values than it is best given, and two rows at least."""
    assert [rows_per_statement(50, columns) for columns in (0, 1, 7, 25, 26, 60)] == [0, 50, 7, 2, 0, 0]
    assert with_rows(written("INSERT INTO t (a, b) VALUES (:a, :b)"), 0) is None


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_upsert_has_the_form(dialect: str) -> None:
    """Each ``upsert``, ``add`` and ``fill`` of the package has it, but for PostgreSQL's COPY."""
    for name in MANY:
        query = CATALOGUE.query(name, dialect)
        found = with_rows(query, 4)
        assert (found is None) == query.sql.startswith("COPY"), name
        if found is not None:
            _, _, row = query.sql.partition("VALUES ")
            row = row[: row.index(")") + 1]
            assert found.sql.replace(", ".join([row] * 4), row) == query.sql, name
            assert found.sql.count(":") == 4 * query.sql.count(":"), name


def test_rows_are_written_by_it(url: str) -> None:
    """Rows that fill whole statements go by it, the rest one by one, and each value is in its place."""
    told: list[tuple[str, int]] = []
    with repo.connect(url, on_query=lambda name, _, rows: told.append((name, rows))) as db:
        db.tickers.upsert([Ticker("AAA", "One")])
        together = rows_per_statement(db._backend.adapter.values_a_statement, 7)
        bars = [
            Bar("AAA", day(n), 2.0 + n, 4.0 + n, 1.0 + n, 3.0 + n, n if n % 3 else None)
            for n in range(2 * together + 1)
        ]
        told.clear()
        assert db.market.upsert(bars) == len(bars)
        assert [each for each in told if each[0] == "market.upsert"] == [
            ("market.upsert", 2 * together),
            ("market.upsert", 1),
        ]
        assert db.market.history("AAA") == bars
        changed = [bar._replace(close=bar.close + 0.5) for bar in bars[1:]]
        assert db.market.upsert([bars[0], *changed]) == 2 * together
        assert db.market.history("AAA", bars[0].date + timedelta(1)) == changed
