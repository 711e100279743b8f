"""The schema: up, down and up again, checked against its files, by several processes at once."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

import repo
from repo import (
    ConfigurationError,
    Database,
    MigrationError,
    loading,
    migrating,
    migrations,
    transactions,
)
from repo.queries import DIALECTS, shipped
from tests.builders import bar, content, day, holding, python, raw, seed, sentiment, stored
from tests.cli_helpers import smdi

UP = ["0001_tables", "0002_indexes"]
DOWN = ["-0002_indexes", "-0001_tables"]


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    """A copy of the package's schema, to be changed."""
    return Path(shutil.copytree(shipped("schema"), tmp_path / "schema"))


def write(schema: Path, name: str, sql: str, undo: str = "SELECT 1;\n") -> None:
    """Add a migration for both engines."""
    for dialect in DIALECTS:
        (schema / dialect / f"{name}.sql").write_text(sql)
        (schema / dialect / f"{name}.undo.sql").write_text(undo)


def migrate(db: Database, schema: Path, to: int | None = None) -> list[str]:
    """Migrate with the files of another folder."""
    return migrating.migrate(db._session, to, schema)


def catalogue(url: str) -> list[tuple[str, ...]]:
    """The tables, columns, indexes and constraints that are there."""
    if url.startswith("sqlite:"):
        return raw(url, "SELECT type, name, sql FROM sqlite_master ORDER BY type, name")
    return raw(
        url,
        """
        SELECT c.relkind::text, c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0
        UNION ALL
        SELECT 'constraint', conname::text, pg_get_constraintdef(oid), ''
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        ORDER BY 1, 2, 3, 4
        """,
    )


def test_up_down_and_up(empty_url: str) -> None:
    """Every migration can be taken back and done again, and the schema is the same each time."""
    notes: list[str] = []
    with repo.connect(empty_url) as db:
        assert db.version() == 0
        assert db.migrate(on_applied=notes.append) == UP
        assert db.version() == 2
        assert notes == UP
        assert db.migrate() == []
        whole = catalogue(empty_url)
        for _ in range(7):
            assert db.migrate(0) == DOWN
            assert db.version() == 0
            assert db.migrate(0) == []
            assert db.migrate() == UP
            seed(db)
            assert catalogue(empty_url) == whole
        assert db.migrate(1) == DOWN[:1]
        assert db.version() == 1
        assert db.market.upsert([bar()]) == 1  # without the indexes all is as right, if slower
        assert db.migrate(1) == []
        assert db.migrate(2) == UP[1:]
        assert db.market.history("AAPL") == [bar()]


def test_taking_all_back_leaves_nothing_but_the_record(empty_url: str) -> None:
    """Going down to 0 deletes every table of the index."""
    with repo.connect(empty_url) as db:
        db.migrate()
        db.migrate(0)
    names = {entry[1] for entry in catalogue(empty_url)}
    assert {name for name in names if not name.startswith(("schema_migrations", "sqlite_"))} == set()


@pytest.mark.parametrize("to", [-1, 3, 99])
def test_a_number_that_is_not_there(db: Database, to: int) -> None:
    """A target beyond the migrations is a ConfigurationError, and nothing is done."""
    with pytest.raises(ConfigurationError):
        db.migrate(to)
    assert db.version() == 2


def test_migrating_inside_a_block(db: Database) -> None:
    """Migrations have transactions of their own: inside another it is a ConfigurationError."""
    with db.transaction(), pytest.raises(ConfigurationError):
        db.migrate(0)
    assert db.version() == 2


def test_reads_of_an_empty_database(empty_url: str) -> None:
    """What needs tables says that there are none, and works once they are there."""
    with repo.connect(empty_url) as db:
        for _ in range(2):
            with pytest.raises(MigrationError, match="migrate"):
                db.tickers.all()
            with pytest.raises(MigrationError, match="migrate"):
                db.tickers.upsert([repo.Ticker("A", "A")])
        db.migrate()
        assert db.tickers.all() == []


def test_a_file_that_was_changed_is_refused(db: Database, url: str, schema: Path) -> None:
    """An applied file must stay as it was; the error names it, up and down, and nothing is done."""
    assert migrate(db, schema) == []
    file = schema / db.dialect / "0001_tables.sql"
    file.write_text(file.read_text() + "-- a word more\n")
    before = catalogue(url)
    for to in (None, 1, 0):
        with pytest.raises(MigrationError, match="0001_tables was changed after it was applied"):
            migrate(db, schema, to)
    assert catalogue(url) == before


def test_line_ends_are_no_change(db: Database, schema: Path) -> None:
    """A checkout with the line ends of Windows is the same schema."""
    for file in schema.rglob("*.sql"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert migrate(db, schema) == []
    assert migrate(db, schema, 0) == DOWN
    assert migrate(db, schema) == UP
    assert db.migrate() == []


def test_another_name_for_an_applied_number(db: Database, schema: Path) -> None:
    """A migration that was applied under another name is refused."""
    for file in schema.rglob("0002_indexes*"):
        file.rename(file.with_name(file.name.replace("indexes", "others")))
    with pytest.raises(
        MigrationError, match="0002_indexes was applied where the files have 0002_others"
    ):
        migrate(db, schema)


def test_a_newer_database_is_refused(db: Database, url: str) -> None:
    """A database that a newer version has migrated is not touched, in either direction."""
    raw(url, "INSERT INTO schema_migrations (version, name, checksum) VALUES (3, 'future', 'x')")
    before = catalogue(url)
    assert db.version() == 3
    for to in (None, 1, 0):
        with pytest.raises(MigrationError, match=r"0003_future.*newer"):
            db.migrate(to)
    assert catalogue(url) == before


def writes(db: Database) -> list[Callable[[], Any]]:
    """Every way to write."""
    return [
        lambda: db.market.upsert([bar()]),
        lambda: db.market.delete("AAPL"),
        lambda: db.tickers.upsert([]),
        lambda: db.queries.migrations_app.note(word="x"),
        lambda: db.queries.migrations_app.notes([{"word": "x"}]),
    ]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """An application's folder with a query that writes a row, and one that writes many."""
    folder = tmp_path / "notes"
    folder.mkdir()
    insert = "UPDATE tickers SET company_name = CAST(:word AS text) WHERE symbol = 'NONE';\n"
    (folder / "migrations_app.sql").write_text(
        f"-- name: note(word)!\n-- Notes a word, for tests. Index: none.\n{insert}"
        f"-- name: notes(word)*!\n-- Notes words, for tests. Index: none.\n{insert}"
    )
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "INSERT INTO schema_migrations (version, name, checksum) VALUES (3, 'future', 'x')",
            "0003_future was applied by a newer version",
        ),
        (
            "UPDATE schema_migrations SET checksum = 'x' WHERE version = 1",
            "0001_tables was changed after it was applied",
        ),
    ],
    ids=["newer", "edited"],
)
def test_no_write_to_a_schema_that_is_not_these_files(
    db: Database, url: str, notes: Path, tmp_path: Path, change: str, message: str
) -> None:
    """Every way to write refuses it, in a block too, and so does a load; nothing is written."""
    seed(db)
    raw(url, change)
    before = content(url)
    file = tmp_path / "tickers.csv"
    file.write_text("symbol,company_name\nNEW,New Inc.\n")
    with repo.connect(url, queries=[notes]) as other:
        attempts: list[Callable[[], Any]] = [*writes(other), lambda: loading.load(other, file)]
        for attempt in attempts:
            with pytest.raises(MigrationError, match=message):
                attempt()
        with pytest.raises(MigrationError, match=message), other.transaction() as tx:
            tx.market.upsert([bar()])
    assert content(url) == before


def test_the_record_of_another_program_is_left_alone(empty_url: str) -> None:
    """A table schema_migrations of other columns, as other frameworks have it, is not this package's."""
    raw(empty_url, "CREATE TABLE schema_migrations (version varchar(40) PRIMARY KEY)")
    before = catalogue(empty_url)
    with repo.connect(empty_url) as db:
        for attempt in (db.migrate, db.version, lambda: db.market.upsert([bar()])):
            with pytest.raises(MigrationError, match="schema_migrations is not this package's"):
                attempt()
    assert catalogue(empty_url) == before


def test_the_schema_is_looked_at_once_in_a_while(
    url: str, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look for many writes, and another after it migrated, or after a while."""
    monkeypatch.setattr(transactions, "_CHECKED_SECONDS", 3600.0)
    seen: list[str] = []

    def looks() -> int:
        count = sum(name.startswith("migrations.") for name in seen)
        seen.clear()
        return count

    with repo.connect(url, queries=[notes], on_query=lambda name, *_: seen.append(name)) as db:
        db.tickers.all()
        assert looks() == 0
        seed(db)
        assert looks() == 2
        for write_it in writes(db):
            write_it()
        assert looks() == 0
        db.migrate(1)
        db.migrate()
        looks()
        seed(db)
        assert looks() == 2
        monkeypatch.setattr(transactions, "_CHECKED_SECONDS", 0.0)
        db._session.schema_changed()
        seed(db)
        raw(url, "INSERT INTO schema_migrations (version, name, checksum) VALUES (3, 'future', 'x')")
        with pytest.raises(MigrationError, match="0003_future was applied by a newer version"):
            db.tickers.upsert([repo.Ticker("NEW", "New")])


def test_a_load_says_which_migrations_are_missing(empty_url: str, tmp_path: Path) -> None:
    """Before it reads a row, and with what to do; other writes are done where they can be."""
    file = tmp_path / "tickers.csv"
    file.write_text("symbol,company_name\nNEW,New Inc.\n")
    with repo.connect(empty_url) as db:
        for at in (0, 1):
            db.migrate(at)
            with pytest.raises(MigrationError, match=rf"migration {at} of 2: smdi migrate"):
                loading.load(db, file)
            assert smdi("load", file, "--url", empty_url).code == (0 if at == 0 else 1)
            db.migrate(1)
        assert db.tickers.get("NEW").company_name == "New Inc."


def test_the_tables_of_another_program_are_left_alone(tmp_path: Path) -> None:
    """A SQLite file with tables and no record of migrations keeps every byte, whatever is asked."""
    path = tmp_path / "diary.db"
    url = f"sqlite:///{path}"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE diary (day TEXT); INSERT INTO diary VALUES ('monday');")
    before = path.read_bytes()
    message = "no migration of this package made, such as diary"
    with repo.connect(url) as db:
        for attempt in (db.migrate, lambda: db.market.upsert([bar()]), lambda: db.migrate(1)):
            with pytest.raises(MigrationError, match=message):
                attempt()
    file = tmp_path / "tickers.csv"
    file.write_text("symbol,company_name\nNEW,New Inc.\n")
    for arguments in (["migrate"], ["load", file]):
        outcome = smdi(*arguments, "--url", url)
        assert (outcome.code, outcome.out) == (1, "")
        assert message in outcome.err
    assert path.read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} == {"diary.db", "tickers.csv"}


def test_a_migration_that_fails_leaves_no_trace(empty_url: str, schema: Path) -> None:
    """It names itself, what came before it stays, and once mended it goes through."""
    fails = "CREATE TABLE one (id bigint);\nINSERT INTO nowhere VALUES (1);\n"
    write(schema, "0003_fails", fails, undo="DROP TABLE one;\n")
    with repo.connect(empty_url) as db:
        for done in (UP, []):
            notes: list[str] = []
            with pytest.raises(MigrationError, match="0003_fails") as raised:
                migrating.migrate(db._session, schema=schema, on_applied=notes.append)
            assert raised.value.__cause__ is not None
            assert notes == done
            assert db.version() == 2
            assert "one" not in {entry[1] for entry in catalogue(empty_url)}
        write(schema, "0003_fails", fails.replace("nowhere", "one"), undo="DROP TABLE one;\n")
        assert migrate(db, schema) == ["0003_fails"]
        assert raw(empty_url, "SELECT id FROM one") == [(1,)]


def test_an_undo_that_fails_leaves_no_trace(empty_url: str, schema: Path) -> None:
    """It names itself, and the database is as it was."""
    write(schema, "0003_stays", "CREATE TABLE one (id bigint);\n", "DROP TABLE one;\nDROP TABLE two;\n")
    with repo.connect(empty_url) as db:
        assert migrate(db, schema) == [*UP, "0003_stays"]
        with pytest.raises(MigrationError, match="0003_stays"):
            migrate(db, schema, 0)
        assert db.version() == 3
        assert raw(empty_url, "SELECT id FROM one") == []


def test_text_in_a_migration_may_look_like_its_end(empty_url: str, schema: Path) -> None:
    """Semicolons, comments and percent signs in a script are what they are."""
    sql = (
        "-- a comment; with a semicolon and 100 % of it, and :name\n"
        "CREATE TABLE one (text text);\n\n"
        "INSERT INTO one VALUES ('a; b -- no comment'); INSERT INTO one VALUES ('100 %s :c');\n"
        "/* the end; */ -- indeed\n"
    )
    write(schema, "0003_text", sql)
    with repo.connect(empty_url) as db:
        assert migrate(db, schema)[-1] == "0003_text"
    rows = raw(empty_url, "SELECT text FROM one ORDER BY text")
    assert rows == [("100 %s :c",), ("a; b -- no comment",)]


def without(name: str) -> Callable[[Path], None]:
    """Delete a file of every engine."""

    def spoil(schema: Path) -> None:
        for dialect in DIALECTS:
            (schema / dialect / name).unlink()

    return spoil


def gap(schema: Path) -> None:
    """Leave a number out."""
    write(schema, "0004_late", "SELECT 1;\n")


def rename(schema: Path) -> None:
    """Give a number another name on one engine."""
    for file in (schema / "sqlite").glob("0002_indexes*"):
        file.rename(file.with_name(file.name.replace("indexes", "others")))


def only_one(schema: Path) -> None:
    """Add a migration for one engine alone."""
    write(schema, "0003_more", "SELECT 1;\n")
    for file in (schema / "postgresql").glob("0003*"):
        file.unlink()


def twice(schema: Path) -> None:
    """Use a number twice."""
    write(schema, "0002_again", "SELECT 1;\n")


def stranger(schema: Path) -> None:
    """Add a file with a name that is no migration's."""
    (schema / "sqlite" / "notes.sql").write_text("SELECT 1;\n")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (gap, "0003 is missing"),
        (without("0002_indexes.undo.sql"), r"0002_indexes\.undo\.sql is missing"),
        (without("0002_indexes.sql"), r"0002_indexes\.sql is missing"),
        (rename, r"the dialects differ.*0002_others"),
        (only_one, r"the dialects differ.*0003_more"),
        (twice, "0002_again.* have one number"),
        (stranger, r"notes\.sql"),
    ],
    ids=["gap", "no undo", "no migration", "names differ", "one engine", "one number", "stranger"],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_files_that_do_not_belong_together(
    schema: Path, dialect: str, spoil: Callable[[Path], None], message: str
) -> None:
    """A folder that breaks the rules is refused for either engine, and the error says why."""
    assert [each.label for each in migrations.load(dialect, schema)] == UP
    spoil(schema)
    with pytest.raises(MigrationError, match=message):
        migrations.load(dialect, schema)


def test_a_bad_folder_changes_nothing(empty_url: str, schema: Path) -> None:
    """Nothing is applied from a folder that breaks the rules."""
    gap(schema)
    with repo.connect(empty_url) as db:
        with pytest.raises(MigrationError):
            migrate(db, schema)
        assert db.version() == 0
    assert catalogue(empty_url) == []


def test_the_shipped_schema_has_the_same_labels_on_both_engines() -> None:
    """The same numbers and names, gapless from 1."""
    labels = [[each.label for each in migrations.load(dialect)] for dialect in DIALECTS]
    assert labels == [UP, UP]


def test_constraints_have_the_same_names_on_both_engines() -> None:
    """Every constraint is named, and alike."""
    names = []
    for dialect in DIALECTS:
        sql = "".join(each.sql for each in migrations.load(dialect))
        named = re.findall(r"CONSTRAINT (\w+)", sql)
        assert len(named) == len(set(named)) > 20
        kinds = r"\b(?:PRIMARY KEY|UNIQUE|FOREIGN KEY|CHECK)\b"
        code = re.sub(r"--.*", "", sql)
        assert len(re.findall(kinds, code)) == len(named)
        names.append(set(named))
    assert names[0] == names[1]


CHECKS: list[tuple[str, str, list[Any]]] = [
    ("tickers", "symbol", ["", "a", "A B", "A" * 17, None]),
    ("tickers", "company_name", ["", "x" * 301, None]),
    ("tickers", "cusip", ["03783310", "0378331000", "03783310a", "03783310-"]),
    ("institutions", "cik", [0, -1, 10**10, None]),
    ("institutions", "name", ["", "x" * 301, None]),
    *(("market_data", column, [0.0, -1.0, 1e12, 1e300]) for column in ("open", "high", "low", "close")),
    ("market_data", "high", [0.5]),
    ("market_data", "low", [50.0]),
    ("market_data", "close", [None]),
    ("market_data", "volume", [-1]),
    ("institutional_holdings", "shares_held", [-1, None]),
    ("institutional_holdings", "market_value", [-1, None]),
    ("institutional_holdings", "ownership_percent", [-0.1, 100.1]),
    ("institutional_holdings", "filing_date", [day(-1), None]),
    ("institutional_holdings", "institution_id", [10**6, None]),
    ("retail_sentiment", "source", ["", "x" * 65, None]),
    ("retail_sentiment", "interest", [-1, None]),
    ("retail_sentiment", "score", [-1.1, 1.1]),
    ("retail_sentiment", "ticker_id", [10**6, None]),
]


def test_the_schema_checks_by_itself(db: Database, url: str) -> None:
    """What the package refuses the database refuses too, whoever writes it."""
    seed(db)
    db.market.upsert([bar()])
    db.holdings.upsert([holding()])
    db.sentiment.upsert([sentiment()])
    before = content(url)
    errors = (sqlite3.IntegrityError, psycopg.IntegrityError)
    for table, column, values in CHECKS:
        for value in values:
            bad = stored(url, value) if isinstance(value, date) else value
            with pytest.raises(errors):
                raw(url, f"UPDATE {table} SET {column} = ?", bad)
    assert content(url) == before


_START = """
import sys, repo
print("ready", flush=True)
sys.stdin.readline()
with repo.connect(sys.argv[1]) as db:
    done = db.migrate()
    db.tickers.upsert([repo.Ticker(sys.argv[2], "Somebody")])
print(len(done))
"""


def test_processes_that_start_at_once(empty_url: str) -> None:
    """Each finds a whole schema, one of them having made it, and none fails."""
    starting = [python(_START, empty_url, f"P{number}") for number in range(4)]
    for process in starting:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in starting:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    results = [process.communicate(timeout=300) for process in starting]
    assert [errors for _, errors in results] == [""] * 4
    assert sum(int(output) for output, _ in results) == 2
    assert [row[1] for row in content(empty_url)["tickers"]] != []
    assert raw(empty_url, "SELECT COUNT(*) FROM tickers") == [(4,)]


def test_two_databases_of_one_server_or_file(url: str) -> None:
    """Somebody else's migration, down and up, is no trouble for connections that were there."""
    with repo.connect(url) as here, repo.connect(url) as there:
        for _ in range(3):
            for _ in range(7):  # often enough for statements to be prepared
                here.tickers.all()
                here.run(lambda db: db.tickers.upsert([repo.Ticker("A", "Somebody")]))
            there.migrate(0)
            with pytest.raises(MigrationError):
                here.tickers.all()
            there.migrate()
            assert here.tickers.all() == []
            assert here.run(lambda db: db.tickers.upsert([repo.Ticker("A", "Somebody")])) == 1
