"""The contract of ``queries/``: what the loader refuses, what an application gets, what engines say."""

import json
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

import repo
from repo import Bar, Database, Holding, Institution, QueryContractError, Sentiment, Ticker
from repo.catalogue import load
from repo.queries import DIALECTS, Query, shipped
from repo.records import BarOfTicker
from tests import servers


def folder(root: Path, files: dict[str, str]) -> Path:
    """A folder of queries made of texts by their names."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def query(header: str = "q()", sql: str = "SELECT 1 AS x", record: str = "") -> str:
    """A query as it stands in a file."""
    declared = f"-- record_class: {record}\n" if record else ""
    return f"-- name: {header}\n{declared}-- What it answers. Index: none.\n{sql};\n\n"


class Refused(NamedTuple):
    """Files that break the contract, what the error says, and the places that it names."""

    files: dict[str, str]
    says: str
    names: tuple[str, ...] = ("app.sql",)


def variants(sqlite: str, postgresql: str) -> dict[str, str]:
    """A file in each dialect."""
    return {"sqlite/app.sql": sqlite, "postgresql/app.sql": postgresql}


BOTH = ("sqlite/app.sql:1", "postgresql/app.sql:1")
NOTE, ONE = "Note(id: int, text: str)", "One(x: int)"
SINCE = "SELECT COUNT(*) AS x FROM market_data AS m WHERE m.date >= "
OF_SYMBOL = "WHERE symbol = CAST(:symbol AS text)"
UNTYPED = (
    ("q(x)", "SELECT 1 AS x FROM tickers AS t WHERE t.symbol = :x", ONE, "write CAST(:x AS type)"),
    ("q(x)", "SELECT 1 AS x FROM tickers AS t WHERE t.symbol IN (:x)", ONE, "a list is written = ANY"),
    (
        "q(x)",
        "SELECT CAST(:x AS numeric) AS x",
        ONE,
        "types of parameters are date, timestamptz, bigint",
    ),
    (
        "q(x)",
        "SELECT CAST(:x AS text) AS x WHERE CAST(:x AS bigint) = 1",
        ONE,
        "declared text and bigint",
    ),
    ("q(x)", "-- CAST(:x AS text)\nSELECT ':x' AS x WHERE 1 = :x", ONE, "write CAST(:x AS type)"),
    ("q()", "SELECT 1 AS x", "", "a query that returns rows says of which columns"),
    ("q()$", "SELECT 1 AS x", "", "a query that returns rows says of which columns"),
    ("q(d)$", f"{SINCE}CAST(CAST(:d AS text) AS date)", ONE, "is for a parameter by itself"),
    (
        "q(d)$",
        f"{SINCE}CAST(COALESCE(CAST(:d AS text), '2020-06-01') AS date)",
        ONE,
        "is for a parameter by itself",
    ),
    ("q(d)$", "SELECT CAST(CAST(:d AS text) AS bigint) AS x", ONE, "text cast to bigint"),
    ("q()", "SELECT m.date FROM market_data AS m", "D(date: int)", "declared int, and m.date is a date"),
    (
        "q()$",
        "SELECT MAX(h.filing_date) AS day FROM institutional_holdings AS h",
        "D(day: datetime)",
        "day is declared datetime, and MAX",
    ),
    (
        "q()",
        "SELECT t.created_at AS made FROM tickers AS t",
        "M(made: date)",
        "made is declared date, and t.created_at is a datetime",
    ),
    ("q(symbol)", f"DELETE FROM tickers {OF_SYMBOL}", ONE, "it changes rows and returns none"),
    (
        "q(symbol)^",
        f"/* UPDATE */ UPDATE tickers SET cusip = NULL {OF_SYMBOL}",
        ONE,
        "it changes rows and returns none",
    ),
)
"""Of headers, SQL and records what no type is known of, or what the engines would take differently."""

REFUSED = {
    "twice in a file": Refused(
        {"app.sql": query() + query("other()") + query()},
        "app.q is there twice",
        ("app.sql:1", "app.sql:9"),
    ),
    "twice in a dialect": Refused(
        variants(query() + query(), query()),
        "twice for sqlite",
        ("sqlite/app.sql:1", "sqlite/app.sql:5"),
    ),
    "portable and a variant": Refused(
        {"app.sql": query(), "postgresql/app.sql": query()},
        "twice for postgresql",
        ("queries/app.sql:1", "postgresql/app.sql:1"),
    ),
    "no variant for SQLite": Refused(
        {"postgresql/app.sql": query()}, "but not in", ("postgresql/app.sql:1", "sqlite/app.sql")
    ),
    "no variant for PostgreSQL": Refused(
        {"sqlite/app.sql": query()}, "but not in", ("sqlite/app.sql:1", "postgresql/app.sql")
    ),
    "another operator": Refused(variants(query("q()^"), query("q()$")), "the operator differs", BOTH),
    "other parameters": Refused(
        variants(query("q(a)", "SELECT :a AS x"), query("q(b)", "SELECT :b AS x")),
        "the parameters differ",
        BOTH,
    ),
    "parameters in another order": Refused(
        variants(query("q(a, b)", "SELECT :a + :b AS x"), query("q(b, a)", "SELECT :a + :b AS x")),
        "the parameters differ",
        BOTH,
    ),
    "another record": Refused(
        variants(query(record="Bar"), query(record="Ticker")), "the record differs", BOTH
    ),
    "a record and none": Refused(variants(query(record="Bar"), query()), "the record differs", BOTH),
    "other columns": Refused(
        variants(query(record=NOTE), query(record=NOTE.replace("str", "str | None"))),
        "the record differs",
        BOTH,
    ),
    "columns in another order": Refused(
        variants(query(record=NOTE), query(record="Note(text: str, id: int)")),
        "the record differs",
        BOTH,
    ),
    "an undeclared parameter": Refused(
        {"app.sql": query("q(a)", "SELECT :a + :b AS x")}, "undeclared parameter name in query q: b"
    ),
    "an unused parameter": Refused({"app.sql": query("q(a)")}, "unused declared parameter in query q"),
    "no parameter list": Refused({"app.sql": query("q")}, "missing mandatory parameter list"),
    "no parameter list for many": Refused(
        {"app.sql": query("q*!", "DELETE FROM t WHERE a = :a")}, "the parameter list is missing"
    ),
    "an unknown record": Refused({"app.sql": query(record="Quote")}, "there is no record 'Quote'"),
    "what is no record": Refused({"app.sql": query(record="Field")}, "there is no record 'Field'"),
    "a record that cannot be read": Refused({"app.sql": query(record="Note(id: int")}, "cannot read"),
    "a column of no type": Refused(
        {"app.sql": query(record="Note(id: number)")}, "cannot read the column 'id: number'"
    ),
    "no comment": Refused(
        {"app.sql": "-- name: q()\nSELECT 1 AS x;\n"}, "a comment must say", ("app.sql:1",)
    ),
    "no SQL": Refused({"app.sql": "-- name: q()\n-- Nothing.\n"}, "empty sql for: q"),
    "a script": Refused({"app.sql": query("q()#")}, "scripts", ("app.sql:1",)),
    "an unknown operator": Refused({"app.sql": query("q()?")}, "invalid query name"),
    "a header in a statement": Refused(
        {"app.sql": query(sql="SELECT 1 AS x -- name: y()\n-- Or so.\n, 2 AS z")}, "is inside"
    ),
    "an engine's own for each": Refused(
        {"sqlite/engine/app.sql": query(), "postgresql/engine/app.sql": query()},
        "is there in every dialect is written as variants",
        ("sqlite/engine/app.sql:1", "postgresql/engine/app.sql:1"),
    ),
    "an engine's own that is portable": Refused(
        {"sqlite/engine/app.sql": query(), "app.sql": query()},
        "twice for sqlite",
        ("queries/app.sql:1", "sqlite/engine/app.sql:1"),
    ),
    "an unknown folder of a dialect": Refused(
        {"sqlite/own/app.sql": query()}, "are in sqlite/engine/*.sql", ("sqlite/own",)
    ),
    "an unknown dialect": Refused({"mysql/app.sql": query()}, "the folders of dialects are", ("mysql",)),
    **{
        f"a record like {record}": Refused(
            {"app.sql": query(record=record)}, "cannot have these columns", ("app.sql:1",)
        )
        for record in (
            "D(class: date)",
            "D(_x: date)",
            "D(x: date, x: date)",
            "if(x: int)",
            "1a(x: int)",
        )
    },
    "a keyword as a parameter": Refused(
        {"app.sql": query("q(class)", "SELECT CAST(:class AS date) AS x", "One(x: date)")},
        "'class' is not a valid parameter name",
    ),
    **{
        f"{header} {sql}": Refused({"app.sql": query(header, sql, record)}, says, ("app.sql:1",))
        for header, sql, record, says in UNTYPED
    },
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_refused(refused: Refused, tmp_path: Path) -> None:
    """The loader refuses what breaks the contract, and names every file that has to do with it."""
    root = folder(tmp_path / "queries", refused.files)
    with pytest.raises(QueryContractError) as caught:
        load([root])
    assert refused.says in str(caught.value)
    for name in refused.names:
        assert re.search(rf"{re.escape(name)}(?!\d)", str(caught.value)), name


def test_connect_refuses_alike(tmp_path: Path) -> None:
    """A database is not opened with queries that break the contract."""
    root = folder(tmp_path / "queries", {"app.sql": query() + query()})
    with pytest.raises(QueryContractError, match="twice"):
        repo.connect("sqlite://", queries=[root])


def test_names_of_several_folders_are_one(tmp_path: Path) -> None:
    """A name may not come twice from two folders of an application, nor from the package's own."""
    one = folder(tmp_path / "one", {"app.sql": query()})
    two = folder(tmp_path / "two", {"app.sql": query()})
    with pytest.raises(QueryContractError) as caught:
        load([one, two])
    assert f"{one / 'app.sql'}:1" in str(caught.value)
    assert f"{two / 'app.sql'}:1" in str(caught.value)
    own = folder(tmp_path / "own", {"market.sql": query("history()")})
    with pytest.raises(QueryContractError) as caught:
        load([own])
    assert f"{own / 'market.sql'}:1" in str(caught.value)
    assert str(shipped("queries") / "market.sql") in str(caught.value)


def test_other_names_in_a_file_of_the_package(tmp_path: Path) -> None:
    """An application may add queries to an aggregate of the package."""
    root = folder(tmp_path, {"market.sql": query("gaps()", record="One(x: int)")})
    assert {"market.gaps", "market.history"} <= set(load([root]).names())


def test_not_utf8(tmp_path: Path) -> None:
    """A file that is not UTF-8 is refused by name."""
    (tmp_path / "app.sql").write_bytes(query().replace("What", "Größe").encode("latin-1"))
    with pytest.raises(QueryContractError, match=r"app\.sql: .*utf-8"):
        load([tmp_path])


def test_not_a_folder(tmp_path: Path) -> None:
    """A folder that is not there is refused by name."""
    with pytest.raises(QueryContractError, match="nowhere is not a folder"):
        load([tmp_path / "nowhere"])


def test_query_as_it_was_written(tmp_path: Path) -> None:
    """The catalogue tells of a query what its file says, the line of its header included."""
    text = (
        "-- The file.\n\n"
        + query("first()^", record="One(x: int)")
        + query("q(a)", "SELECT CAST(:a AS bigint) AS a", "Note(a: int | None)")
    )
    root = folder(tmp_path, {"app.sql": text})
    found = load([root]).query("app.q", "sqlite")
    assert (found.full_name, found.operator, found.parameters) == ("app.q", "", ("a",))
    assert found.columns == (("a", int, True),)
    assert (found.comment, found.sql) == (
        "What it answers. Index: none.",
        "SELECT CAST(:a AS bigint) AS a;",
    )
    assert found.location == f"{root / 'app.sql'}:8"
    with pytest.raises(QueryContractError, match=r"no query app\.z for sqlite"):
        load([root]).query("app.z", "sqlite")


APPLICATION = {
    "sqlite/notes.sql": query(
        "create()!",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, day INTEGER, at INTEGER, ratio REAL, text TEXT)",
    ),
    "postgresql/notes.sql": query(
        "create()!",
        "CREATE TABLE notes (id bigint PRIMARY KEY, day date, at timestamptz,"
        " ratio double precision, text text)",
    ),
    "notes.sql": """\
-- Notes of an application: it's 100% its own, isn't it?

-- name: put(id, day, at, ratio, text)!
-- Writes a note. Index: none.
INSERT INTO notes (id, day, at, ratio, text)
VALUES (
    CAST(:id AS bigint), CAST(:day AS date), CAST(:at AS timestamptz),
    CAST(:ratio AS double precision), CAST(:text AS text)
);

-- name: add(id, day, at, ratio, text)^
-- record_class: Note(id: int, day: date | None, at: datetime | None, ratio: float | None, text: str)
-- Writes a note and gives it back; isn't that 100 % nice? :nothing is a parameter here.
-- Index: none.
INSERT INTO notes (id, day, at, ratio, text)
VALUES (
    CAST(:id AS bigint), CAST(:day AS date), CAST(:at AS timestamptz),
    CAST(:ratio AS double precision), CAST(:text AS text)
)
RETURNING id, day, at, CAST(ratio AS double precision) AS ratio, text;

-- name: add_many(id, day, at, ratio, text)*!
-- Writes notes. Index: none.
INSERT INTO notes (id, day, at, ratio, text)
VALUES (
    CAST(:id AS bigint), CAST(:day AS date), CAST(:at AS timestamptz),
    CAST(:ratio AS double precision), CAST(:text AS text)
);

-- name: weigh(id, ratio)<!
-- record_class: Weighed(id: int, ratio: float | None)
-- Changes a note and gives it back. Index: notes_pkey.
UPDATE notes SET ratio = CAST(:ratio AS double precision)
WHERE id = CAST(:id AS bigint)
RETURNING id, CAST(ratio AS double precision) AS ratio;

-- name: all()
-- record_class: Note(id: int, day: date | None, at: datetime | None, ratio: float | None, text: str)
-- Every note by number. Index: notes_pkey.
SELECT
    n.id AS id,
    n.day AS day,
    -- It's 100% in the middle of a statement.
    n.at AS at,
    n.ratio AS ratio,
    n.text AS text
FROM notes AS n
ORDER BY n.id;

-- name: get(id)^
-- record_class: Short(text: str, share: str, rest: int)
-- One note, with percent signs. Index: notes_pkey.
SELECT
    n.text AS text,
    '100%' AS share,
    n.id % 4 AS rest
FROM notes AS n
WHERE n.id = CAST(:id AS bigint) AND '%(id)s%%' <> '100%';

-- name: last_day()$
-- record_class: Day(day: date)
-- The last day there is. Index: none.
SELECT MAX(n.day) AS day
FROM notes AS n;

-- name: last_time()$
-- record_class: Time(at: datetime)
-- The last moment there is. Index: none.
SELECT MAX(n.at) AS at
FROM notes AS n;

-- name: count_since(day)$
-- record_class: Count(notes: int)
-- How many notes there are since a day. Index: none.
SELECT COUNT(*) AS notes
FROM notes AS n
WHERE n.day >= CAST(:day AS date);

-- name: forget(id)!
-- Deletes a note. Index: notes_pkey.
DELETE FROM notes
WHERE id = CAST(:id AS bigint);
""",
}
MOMENT = datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC)
FIRST = (1, date(2024, 2, 29), MOMENT, 0.1, "it's 100% (:id)")
EMPTY = (7, None, None, None, "")
FIELDS = ("id", "day", "at", "ratio", "text")


@pytest.fixture
def application(url: str, tmp_path: Path) -> Iterator[Database]:
    """A database with an application's queries, and two notes written by them."""
    with repo.connect(url, queries=[folder(tmp_path / "queries", APPLICATION)]) as db:
        notes = db.queries.notes
        notes.create()
        for row in (FIRST, EMPTY):
            assert notes.put(**dict(zip(FIELDS, row, strict=True))) == 1
        yield db


def test_application_rows_are_typed(application: Database) -> None:
    """Rows of an application's queries are records of its own, dates and times decoded."""
    rows = application.queries.notes.all()
    assert rows == [FIRST, EMPTY]
    assert [type(value) for value in rows[0]] == [int, date, datetime, float, str]
    assert type(rows[0]).__name__ == "Note"
    assert (rows[0].day, rows[0].at, rows[0].at.utcoffset()) == (FIRST[1], MOMENT, UTC.utcoffset(None))


def test_application_row_and_values(application: Database) -> None:
    """One row comes by itself or as None, one value decoded or as None."""
    notes = application.queries.notes
    assert notes.get(id=7) == ("", "100%", 3)
    assert notes.get(id=7).share == "100%"
    assert notes.get(id=8) is None
    assert (notes.last_day(), notes.last_time()) == (FIRST[1], MOMENT)
    assert notes.count_since(day=date(2024, 2, 29)) == 1
    assert [notes.forget(id=each) for each in (1, 1, 7)] == [1, 0, 1]
    assert (notes.last_day(), notes.last_time()) == (None, None)


def test_application_row_of_a_write(application: Database) -> None:
    """RETURNING with ^ gives the row that was written, as a record."""
    notes = application.queries.notes
    row = (2, date(1969, 12, 31), datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC), -0.0, "100%")
    written = notes.add(**dict(zip(FIELDS, row, strict=True)))
    assert written == row
    assert (type(written).__name__, str(written.ratio)) == ("Note", "0.0")
    assert [each.id for each in notes.all()] == [1, 2, 7]


def test_application_row_of_a_change(application: Database) -> None:
    """So does <!, whole floats included."""
    changed = application.queries.notes.weigh(id=7, ratio=2.0)
    assert (type(changed).__name__, *changed) == ("Weighed", 7, 2.0)
    assert type(changed.ratio) is float
    assert [each.ratio for each in application.queries.notes.all()] == [FIRST[3], 2.0]


def test_application_rows_by_the_many(application: Database) -> None:
    """Rows are mappings of the declared parameters, in any order; they are counted."""
    notes = application.queries.notes
    rows = [
        {"id": 3, "ratio": -0.0, "text": "", "day": date(2020, 1, 2), "at": None},
        {"day": None, "id": 2, "ratio": None, "text": "", "at": None},
    ]
    assert notes.add_many(rows) == 2
    added = [(each.id, each.day, str(each.ratio)) for each in notes.all() if each.id in (2, 3)]
    assert added == [(2, None, "None"), (3, date(2020, 1, 2), "0.0")]


def test_a_bad_row_among_many_is_named_and_nothing_is_written(application: Database) -> None:
    """The row's number, the parameter and the reason are in the error."""
    notes = application.queries.notes
    good = dict(zip(FIELDS, (2, *EMPTY[1:]), strict=True))
    for bad in ({**good, "ratio": float("nan")}, {k: v for k, v in good.items() if k != "ratio"}):
        with pytest.raises(repo.InvalidRecord) as caught:
            notes.add_many([good, bad])
        assert (caught.value.row, caught.value.field) == (1, "ratio")
    with pytest.raises(repo.InvalidRecord, match=r"wieght.* is no parameter"):
        notes.add_many([good, {**good, "id": 3, "wieght": 1.0}])
    rows: list[Any] = [[EMPTY], [None], good, None, "rows", 5]
    for each in rows:
        with pytest.raises(repo.InvalidRecord, match="mapping"):
            notes.add_many(each)
    with pytest.raises(repo.UniqueViolation):
        notes.add_many([good, good])
    assert notes.all() == [FIRST, EMPTY]


def test_application_writes_are_in_the_transaction(application: Database) -> None:
    """What an application's query writes is undone with the transaction that it is in."""
    notes = application.queries.notes

    def fail_half_way() -> None:
        with application.transaction():
            notes.forget(id=1)
            notes.put(id=2, day=None, at=None, ratio=None, text="")
            assert [row.id for row in notes.all()] == [2, 7]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert [row.id for row in notes.all()] == [1, 7]


def test_application_errors_are_the_package_s(application: Database) -> None:
    """A violation and a bad value raise the package's errors, and leave no trace."""
    notes = application.queries.notes
    with pytest.raises(repo.UniqueViolation):
        notes.put(id=1, day=None, at=None, ratio=None, text="again")
    with pytest.raises(repo.InvalidRecord, match=r"at = .*: must have a time zone"):
        notes.put(id=3, day=None, at=MOMENT.replace(tzinfo=None), ratio=None, text="")
    with pytest.raises(repo.InvalidRecord, match="ratio = nan: must be finite"):
        notes.put(id=3, day=None, at=None, ratio=float("nan"), text="")
    assert notes.all() == [FIRST, EMPTY]


@pytest.mark.parametrize("given", [{}, {"ident": 1}, {"id": 1, "day": None}], ids=str)
def test_application_parameters_are_those_declared(application: Database, given: dict[str, Any]) -> None:
    """A query takes its declared parameters by name, all of them and no other."""
    with pytest.raises(QueryContractError, match=r"notes\.get takes id; given: "):
        application.queries.notes.get(**given)
    with pytest.raises(QueryContractError, match=r"takes id; given: one without a name"):
        application.queries.notes.get(1)
    with pytest.raises(QueryContractError, match=r"notes\.all takes no parameters; given: id"):
        application.queries.notes.all(id=1)


def test_application_names_that_are_not_there(application: Database) -> None:
    """A file or a query that is not there is an AttributeError that names it."""
    with pytest.raises(AttributeError, match=r"no file note\.sql"):
        _ = application.queries.note
    with pytest.raises(AttributeError, match=r"no query notes\.everything"):
        _ = application.queries.notes.everything
    assert str(application.queries.notes.get.__doc__).startswith("One note, with percent signs.")


# What real engines say of the package's own queries.

Q1, Q2, FEBRUARY, MAY = date(2023, 12, 31), date(2024, 3, 31), date(2024, 2, 14), date(2024, 5, 15)
START, END = date(2024, 1, 1), date(2024, 12, 31)


KEYS_OF_ALL = {"first": 0, "last": 10**6}
DAYS_OF_ALL = {"since": START, "until": date.max}
ALONE: dict[str, dict[str, dict[str, Any]]] = {
    "sqlite": {
        "introspection.definitions": {},
        "introspection.table_columns": {},
        "backup.tables": {},
        "relations.all": {},
        "rows.tickers": KEYS_OF_ALL,
        "rows.institutions": KEYS_OF_ALL,
        "rows.market": {**KEYS_OF_ALL, **DAYS_OF_ALL},
        "rows.holdings": {**KEYS_OF_ALL, **DAYS_OF_ALL},
        "rows.sentiment": {**KEYS_OF_ALL, **DAYS_OF_ALL},
    },
    "postgresql": {
        "footprint.tables": {},
        "introspection.columns": {},
        "introspection.constraints": {},
        "introspection.index_columns": {},
        "introspection.indexes": {},
        "introspection.relations": {},
        "introspection.triggers": {},
        "transaction.changes": {"relation": "tickers"},
        "backup.fixed_extensions": {},
        "backup.left_behind": {"before": 0},
        "backup.relations": {},
        "backup.snapshot": {},
        "digests.tickers": KEYS_OF_ALL,
        "digests.institutions": KEYS_OF_ALL,
        "digests.market": KEYS_OF_ALL,
        "digests.holdings": KEYS_OF_ALL,
        "digests.sentiment": KEYS_OF_ALL,
    },
}
"""Of every query that only one engine has, arguments with which it returns some rows."""

CATALOGUE = load()
TYPES = {
    "int8": int,
    "int4": int,
    "float8": float,
    "text": str,
    "name": str,
    "date": date,
    "timestamptz": datetime,
}
"""Of PostgreSQL's types, what Python makes of each; a type that is not here has no place in a query."""

NAMED = {**TYPES, "name": str}
"""The same of a query of PostgreSQL's alone, which asks the server for names of what it keeps."""


def fill(db: Database) -> None:
    """A few rows, with a NULL in every column that may hold one."""
    db.tickers.upsert([Ticker("AAA", "One", "037833100"), Ticker("BBB", "Two")])
    db.institutions.upsert([Institution(1, "First"), Institution(2, "Second")])
    days = [date(2024, 5, day) for day in (2, 10, 15, 20)]
    db.market.upsert([Bar("AAA", day, 1.5, 3.0, 1.0, 2.5, 100) for day in days])
    db.market.upsert([Bar("AAA", date(2024, 5, 3), None, None, None, 2.0, None)])
    db.market.upsert([Bar("BBB", date(2024, 5, 20), None, None, None, 2.0, None)])
    db.holdings.upsert(
        Holding(symbol, cik, quarter, filed, shares, 1000, percent)
        for symbol in ("AAA", "BBB")
        for cik, percent in ((1, None), (2, 0.5))
        for quarter, filed, shares in ((Q1, FEBRUARY, 10), (Q2, MAY, 20))
    )
    db.sentiment.upsert(
        Sentiment(symbol, "trends", day, 5, score)
        for symbol in ("AAA", "BBB")
        for day, score in zip(days, (None, 0.5, -1.0, None), strict=True)
    )


@pytest.fixture(scope="module")
def filled(
    server: servers.Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Database, Database]]:
    """The same few rows on SQLite and on PostgreSQL."""
    name = server.create(template)
    place = tmp_path_factory.mktemp("contract") / "filled.db"
    with (
        repo.connect(f"sqlite:///{place}") as sqlite,
        repo.connect(server.url_of(name, min_size="1")) as postgresql,
    ):
        sqlite.migrate()
        fill(sqlite)
        fill(postgresql)
        yield sqlite, postgresql
    server.drop(name)


def columns_on(db: Database, asked: Query, arguments: dict[str, Any]) -> list[tuple[str, str]]:
    """The names of a query's columns as the driver reports them, with PostgreSQL's names of types."""
    connection = db._backend.acquire(write=False)
    try:
        if db.dialect == "sqlite":
            coded = {name: in_sqlite(value) for name, value in arguments.items()}
            described = connection.execute(asked.sql, coded).description
            return [(each[0], "") for each in described]
        sql = re.sub(r"(?<!:):([a-z]\w*)", r"%(\1)s", asked.sql.replace("%", "%%"))
        with connection.cursor(binary=True) as cursor:
            described = cursor.execute(sql, arguments).description
        return [(each.name, psycopg.adapters.types[each.type_code].name) for each in described]
    finally:
        db._backend.release(connection, write=False)


def in_sqlite(value: Any) -> Any:
    """A value as SQLite stores it."""
    if isinstance(value, date):
        return (value - date(1970, 1, 1)).days
    return json.dumps(value) if isinstance(value, list) else value


def test_every_query_fits(filled: tuple[Database, Database], tmp_path: Path) -> None:
    """Each query can be prepared and has its record's columns, on both engines and read only too."""
    for db in filled:
        assert db.check() == []
    url = f"sqlite:///{tmp_path / 'read.db'}"
    with repo.connect(url) as made:
        made.migrate()
    with repo.connect(url, read_only=True) as reading:
        assert reading.check() == []


@pytest.mark.parametrize(
    ("dialect", "name"), [(dialect, name) for dialect, names in ALONE.items() for name in names]
)
def test_what_only_one_engine_has(dialect: str, name: str, filled: tuple[Database, Database]) -> None:
    """Its columns and values are of the declared types, and the other engine says whose it is."""
    asked = CATALOGUE.query(name, dialect)
    one, other = sorted(filled, key=lambda db: db.dialect != dialect)
    with pytest.raises(QueryContractError, match=f"no query {name} for {other.dialect}: only {dialect}"):
        other._session.read(name, **ALONE[dialect][name])
    assert not asked.bare
    assert "Index:" in asked.comment
    try:
        described = columns_on(one, asked, ALONE[dialect][name])
    except (psycopg.errors.UndefinedTable, sqlite3.OperationalError) as error:
        if asked.needs is None:
            raise
        pytest.skip(f"this server does not have {asked.needs}: {error}")
    assert [column for column, _ in described] == [column.name for column in asked.columns]
    answer = one._session.read(name, **ALONE[dialect][name])
    for row in rows_of(asked, answer):
        for column, value in zip(asked.columns, row, strict=True):
            assert type(value) is column.type or (value is None and column.nullable), column.name
    if dialect == "postgresql":
        assert [NAMED[kind] for _, kind in described] == [column.type for column in asked.columns]


def test_an_application_s_own_of_one_engine(url: str, tmp_path: Path) -> None:
    """A query of one engine is there on that engine, and checked unless it needs what is not there."""
    files = {
        f"{dialect}/engine/of_{dialect}.sql": query("q()$", record="One(x: int)")
        + query("r()", "SELECT n.x AS x FROM nowhere AS n", "One(x: int)").replace(
            "Index: none.", "Index: none. Needs: nowhere."
        )
        for dialect in DIALECTS
    }
    with repo.connect(url, queries=folder(tmp_path, files)) as db:
        db.migrate()
        assert db.check() == []
        assert [each for each in dir(db.queries) if each.startswith("of_")] == [f"of_{db.dialect}"]
        assert getattr(db.queries, f"of_{db.dialect}").q() == 1


def test_the_symbol_that_was_given_is_not_sent(filled: tuple[Database, Database]) -> None:
    """The bars of one ticker come without their symbol and are given with it, however many there are."""
    days = {"start": START, "end": END}
    for name, more in (("market.history", days), ("market.latest_one", {})):
        asked = CATALOGUE.query(name, "sqlite")
        assert asked.record is BarOfTicker
        assert "AS symbol" not in asked.sql
        for db in filled:
            bars = db._session.read(name, symbol="AAA", **more)
            assert {(type(bar), bar.symbol) for bar in bars} == {(Bar, "AAA")}


def test_an_application_gets_the_record_that_it_declares(url: str, tmp_path: Path) -> None:
    """In an application's rows nothing stands that its SQL does not send."""
    sql = "SELECT m.date, m.open, m.high, m.low, m.close, m.volume FROM market_data AS m"
    text = query("of(symbol)", f"{sql} WHERE CAST(:symbol AS text) = 'AAA'", "BarOfTicker")
    with repo.connect(url, queries=[folder(tmp_path / "queries", {"app.sql": text})]) as db:
        db.tickers.upsert([Ticker("AAA", "A")])
        db.market.upsert([Bar("AAA", date(2024, 5, 1), 1.0, 2.0, 0.5, 1.5, 7)])
        (row,) = db.queries.app.of(symbol="AAA")
        assert (type(row), row) == (BarOfTicker, (date(2024, 5, 1), 1.0, 2.0, 0.5, 1.5, 7))


def rows_of(asked: Query, answer: Any) -> list[tuple[Any, ...]]:
    """An answer as rows; one whose columns are arrays is many."""
    if asked.operator != "":
        return [answer if asked.operator == "^" else (answer,)]
    arrays = [[each if isinstance(each, list) else repeat(each) for each in row] for row in answer]
    if any(isinstance(each, list) for row in answer for each in row):
        return [row for each in arrays for row in zip(*each, strict=False)]
    return list(answer)


def test_variants_cover_both_dialects() -> None:
    """Every query can be asked for in every dialect."""
    for name in CATALOGUE.names():
        assert {CATALOGUE.query(name, dialect).full_name for dialect in DIALECTS} == {name}
