"""Migrating where others work: locks, indexes built beside writers, processes at once, and failures."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

import repo
from repo import ConfigurationError, ConflictError, MigrationError, introspection, migrating
from repo.queries import DIALECTS, shipped
from tests import servers
from tests.builders import bar, path_of, plain_url, raw, seed, until
from tests.cli_helpers import smdi
from tests.readme import code, module

BUILD = "CREATE UNIQUE INDEX CONCURRENTLY market_data_volume ON market_data (volume);\n"


def write(schema: Path, name: str, sql: str, undo: str, **beside: str) -> None:
    """Add a migration for both engines; what one of them has instead stands beside."""
    for dialect in DIALECTS:
        (schema / dialect).mkdir(parents=True, exist_ok=True)
        (schema / dialect / f"{name}.sql").write_text(beside.get(dialect, sql))
        (schema / dialect / f"{name}.undo.sql").write_text(beside.get(f"{dialect}_undo", undo))


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    """A copy of the package's schema, to be changed."""
    return Path(shutil.copytree(shipped("schema"), tmp_path / "schema"))


@pytest.fixture
def watching(tmp_path: Path) -> Path:
    """The folder of an application's migrations, beside one of its queries."""
    folder = tmp_path / "watching"
    write(
        folder,
        "0001_watched",
        "",
        "DROP TABLE watched;\n",
        sqlite=code("watching/sqlite/0001_watched.sql"),
        postgresql=code("watching/postgresql/0001_watched.sql"),
    )
    write(
        folder,
        "0002_by_ticker",
        "CREATE INDEX watched_by_ticker ON watched (ticker_id, owner);\n",
        "DROP INDEX watched_by_ticker;\n",
        postgresql="-- transaction: none\n"
        "CREATE INDEX CONCURRENTLY watched_by_ticker ON watched (ticker_id, owner);\n",
        postgresql_undo="-- transaction: none\nDROP INDEX CONCURRENTLY watched_by_ticker;\n",
    )
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "watching.sql").write_text(code("sql/watching.sql"))
    return folder


ALL = ["0001_tables", "0002_indexes", "watching/0001_watched", "watching/0002_by_ticker"]


def test_the_readmes_watching(
    empty_url: str, watching: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The README's program makes the package's tables and its own, and uses its queries."""
    monkeypatch.chdir(watching.parent)
    monkeypatch.setenv("DATABASE_URL", empty_url)
    module("watching.py")
    assert capsys.readouterr().out == "[Watched(symbol='AAPL', since=datetime.date(2020, 6, 1))]\n"


def test_an_applications_own_tables(empty_url: str, watching: Path, tmp_path: Path) -> None:
    """They come after the package's, in every command, and are used, in a second process and a fork."""
    own = {"schema": [watching], "queries": [tmp_path / "sql"]}
    with repo.connect(empty_url, **own) as db:  # type: ignore[arg-type]
        assert db.migrate() == ALL
        assert db.migrate() == []
        assert [each.state for each in db.migrations()] == ["applied"] * 4
        assert introspection.check(db) == []
        assert db.check() == []
        assert db.version() == 2
        seed(db)
        assert db.queries.watching.watch(symbol="AAPL", owner="me", since=bar().date) == 1
        assert db.queries.watching.of(owner="me") == [("AAPL", bar().date)]
        if hasattr(os, "fork"):
            child = os.fork()
            if child == 0:
                os._exit(0 if db.queries.watching.of(owner="me") == [("AAPL", bar().date)] else 1)
            assert os.waitpid(child, 0)[1] == 0
    second = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import repo; db = repo.connect({empty_url!r}, schema=[{str(watching)!r}],"
            f" queries=[{str(tmp_path / 'sql')!r}]); assert db.migrate() == [];"
            " print(db.queries.watching.of(owner='me')[0].symbol)",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (second.returncode, second.stdout) == (0, "AAPL\n"), second.stderr
    on = ["--url", empty_url, "--schema", watching]
    assert smdi("migrate", "--check", *on).out == "up to date and unaltered: 4 migrations\n"
    assert smdi("check", "--queries", tmp_path / "sql", *on).code == 0
    raw(empty_url, "DROP INDEX watched_by_ticker")
    outcome = smdi("migrate", "--check", *on)
    assert outcome.code == 1
    assert "table watched: index watched_by_ticker is missing" in outcome.out
    assert "watching/0002_by_ticker  applied" in smdi("migrate", "--status", *on).out


def test_without_its_folder_an_application_is_left_alone(empty_url: str, watching: Path) -> None:
    """The package migrates up, and down only to where nothing of the application stands upon it."""
    with repo.connect(empty_url) as db:
        assert db.migrate(1) == ["0001_tables"]
    with repo.connect(empty_url, schema={"mine": watching}) as db:
        with pytest.raises(MigrationError, match=r"0 of 2: smdi|1 of 2: smdi"):
            db._session.read("migrations.steps")
        assert db.migrate(1, of="mine") == ["mine/0001_watched"]
        with pytest.raises(ConfigurationError, match="no sequence 'yours'; there are smdi, mine"):
            db.migrate(0, of="yours")
    with repo.connect(empty_url) as db:
        assert db.migrate() == ["0002_indexes"]
        assert introspection.check(db) == []
        assert [each.state for each in db.migrations()] == ["applied", "applied", "other"]
        assert db.migrate(1) == ["-0002_indexes"]
        with pytest.raises(MigrationError, match="migrations of mine stand upon"):
            db.migrate(0)
        seed(db)
    with repo.connect(empty_url, schema={"mine": watching}) as db:
        assert db.migrate() == ["0002_indexes", "mine/0002_by_ticker"]
        assert db.migrate(1) == ["-mine/0002_by_ticker", "-0002_indexes"]
        assert db.migrate(0) == ["-mine/0001_watched", "-0001_tables"]
        assert db.migrate() == [*ALL[:2], "mine/0001_watched", "mine/0002_by_ticker"]
        next((watching / db.dialect).glob("0001*d.sql")).write_text("SELECT 2;\n")
        for attempt in (db.migrate, lambda: seed(db)):
            db._session.executor.forget_schema()
            with pytest.raises(MigrationError, match="mine/0001_watched was changed after"):
                attempt()
        assert introspection.check(db)[0] == "mine/0001_watched was changed after it was applied"


def test_folders_that_refer_to_those_before_them(empty_url: str, watching: Path, tmp_path: Path) -> None:
    """They are undone last first, whatever their names; one that was renamed is not applied again."""
    alarms = tmp_path / "alarms"
    write(
        alarms,
        "0001_alarms",
        "CREATE TABLE alarms (owner text, ticker_id integer,"
        " FOREIGN KEY (owner, ticker_id) REFERENCES watched (owner, ticker_id));\n",
        "DROP TABLE alarms;\n",
    )
    with repo.connect(empty_url, schema=[watching, alarms]) as db:
        assert db.migrate() == [*ALL, "alarms/0001_alarms"]
        undone = ["alarms/0001_alarms", *reversed(ALL)]
        assert db.migrate(0) == [f"-{each}" for each in undone]
        db.migrate()
    moved = alarms.rename(tmp_path / "alerts")
    told = r"alerts were applied as those of alarms: --schema alarms=FOLDER"
    with (
        repo.connect(empty_url, schema=[watching, moved]) as db,
        pytest.raises(MigrationError, match=told),
    ):
        db.migrate()
    with repo.connect(empty_url, schema={"watching": watching, "alarms": moved}) as db:
        assert db.migrate() == []


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (lambda folder: {"smdi": folder}, "cannot name a sequence"),
        (lambda folder: {"My-App": folder}, "cannot name a sequence"),
        (lambda folder: [folder, folder], "two folders are named watching"),
        (lambda folder: folder / "sqlite" / "0001_watched.sql", "cannot name a sequence"),
        (lambda folder: folder / "nowhere", "not a folder of migrations"),
    ],
)
def test_folders_that_cannot_be(watching: Path, folders: object, message: str) -> None:
    """Each is a ConfigurationError that says what to do."""
    with pytest.raises(ConfigurationError, match=message):
        repo.connect("sqlite://", schema=folders(watching))  # type: ignore[operator]
    (watching / "sqlite" / "0002_by_ticker.undo.sql").unlink()
    with pytest.raises(MigrationError, match=r"0002_by_ticker\.undo\.sql is missing"):
        repo.connect("sqlite://", schema=watching)


def test_the_commands_that_change_nothing(empty_url: str, tmp_path: Path) -> None:
    """--check, --status and --dry-run, before, half way and after."""
    on = ["--url", empty_url]
    if empty_url.startswith("sqlite"):  # and of a file that is not there
        done = smdi("migrate", "--dry-run", *on)
        assert (done.code, done.err.endswith(".db is not there yet\n")) == (0, True)
        assert "-- 0002_indexes: " in done.out
        assert not path_of(empty_url).exists()
    with repo.connect(empty_url):
        pass  # which makes the file
    assert smdi("migrate", "--check", *on).out.splitlines() == [
        "0001_tables is not applied",
        "0002_indexes is not applied",
    ]
    planned = smdi("migrate", "--dry-run", *on).out
    assert planned.index("-- 0001_tables: ") < planned.index("CREATE TABLE tickers")
    assert planned.index("CREATE TABLE tickers") < planned.index("-- 0002_indexes: ")
    assert smdi("migrate", "--to", "1", *on).out == "applied 0001_tables\n"
    told = smdi("migrate", "--status", "--format", "json", *on).out
    assert '"state": "pending"' in told
    assert "DROP TABLE tickers" in smdi("migrate", "--dry-run", "--to", "0", *on).out
    assert smdi("migrate", *on).code == 0
    assert smdi("migrate", "--check", *on).code == 0
    assert smdi("migrate", "--dry-run", *on).err == "nothing to do\n"
    assert smdi("migrate", "--check", "--status", *on).code == 2
    outcome = smdi("migrate", "--to", "1", *on)
    assert (outcome.code, "undoes 0002_indexes" in outcome.err) == (2, True)


def test_what_failed_is_told(empty_url: str, schema: Path) -> None:
    """The file, the line, the statement, and the engine's words; nothing of the step is left."""
    write(
        schema,
        "0003_fails",
        "-- First one; then the other.\nCREATE TABLE one (id bigint);\n\n-- This:\n"
        "INSERT INTO nowhere\nVALUES (1);\n",
        "DROP TABLE one;\n",
    )
    with repo.connect(empty_url) as db:
        with pytest.raises(MigrationError) as raised:
            migrating.migrate(db._session, schema=schema)
        told = str(raised.value)
        file = schema / db.dialect / "0003_fails.sql"
        assert told.startswith(f"0003_fails failed: {file}:5: INSERT INTO nowhere VALUES (1);: ")
        assert "nowhere" in told.partition("(1);: ")[2]
        assert told.endswith("; nothing of it was kept: mend the cause, then migrate again")
        assert introspection.describe(db).table("one") is None
        assert db.version() == 2


def test_what_a_query_lacks_is_told(empty_url: str, watching: Path) -> None:
    """Of an application's table that is not there yet: what to type for it."""
    sql = watching.parent / "sql"
    for schema, option in ((watching, str(watching)), ({"mine": watching}, f"mine={watching}")):
        with repo.connect(empty_url, schema=schema, queries=sql) as db:
            db.migrate(2)
            with pytest.raises(MigrationError) as raised:
                db.queries.watching.of(owner="me")
            assert f": smdi migrate --schema {option}, or db.migrate()" in str(raised.value)


def test_several_processes_apply_each_step_once(empty_url: str, watching: Path) -> None:
    """Whoever comes second waits and finds the work done, with an index that is built beside it too."""
    command = [sys.executable, "-m", "repo", "migrate", "--url", empty_url, "--schema", str(watching)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outcomes = [each.communicate(timeout=300) for each in running]
    assert [each.returncode for each in running] == [0, 0, 0], outcomes
    applied = [line for out, _ in outcomes for line in out.splitlines() if line.startswith("applied ")]
    assert sorted(applied) == [f"applied {each}" for each in ALL]


def test_who_waits_for_another_process_holds_up_no_index(pg: str, watching: Path) -> None:
    """It waits in one short transaction after another: a build waits for those that are older."""
    with (
        repo.connect(pg, schema=watching) as db,
        ThreadPoolExecutor(1) as pool,
        closing(psycopg.connect(plain_url(pg))) as other,
    ):
        other.execute("SELECT pg_advisory_xact_lock(5786219400)")
        waiting = pool.submit(db.migrate)
        seen: set[object] = set()

        def another() -> bool:
            seen.update(
                raw(
                    pg,
                    "SELECT xact_start FROM pg_stat_activity WHERE datname = current_database()"
                    " AND xact_start IS NOT NULL AND pid NOT IN (pg_backend_pid(), ?)",
                    other.info.backend_pid,
                )
            )
            return len(seen) > 1

        until(another)
        other.rollback()
        assert waiting.result(60) == list(ALL[-2:])


@pytest.fixture
def pg(server: servers.Server, template: str) -> str:
    """The URL of a migrated database on PostgreSQL with two bars of one volume."""
    name = server.create(template)
    url = server.url_of(name, min_size="1")
    with repo.connect(url) as db:
        seed(db)
        db.market.upsert([bar(), bar(symbol="MSFT")])
    return url


def test_a_lock_that_is_held_stops_nobody_else(pg: str, schema: Path) -> None:
    """An ALTER gives up soon and tries again, so that readers go on; at last it is a conflict."""
    write(schema, "0003_alter", "ALTER TABLE market_data ADD COLUMN note text;\n", "SELECT 1;\n")
    with (
        repo.connect(pg) as db,
        closing(psycopg.connect(plain_url(pg))) as other,
        ThreadPoolExecutor(1) as thread,
    ):
        other.execute("SELECT * FROM market_data")  # and the transaction stays open
        with pytest.raises(ConflictError, match=r"0003_alter failed: .*tried 2 times"):
            migrating.migrate(db._session, schema=schema, lock_timeout=0.05, attempts=2)
        assert db.version() == 2
        waiting = thread.submit(
            migrating.migrate, db._session, schema=schema, lock_timeout=0.05, attempts=1000
        )
        for _ in range(20):
            assert db.market.history("AAPL")  # which would wait behind the ALTER
        assert not waiting.done()
        other.rollback()
        assert waiting.result(60) == ["0003_alter"]


def test_a_build_that_failed_is_taken_up_again(pg: str, schema: Path) -> None:
    """An invalid index is dropped and built anew; the record says that the step was begun."""
    write(
        schema,
        "0003_build",
        "SELECT 1;\n",
        "SELECT 1;\n",
        postgresql="-- An index.\n-- transaction: none\n"
        "CREATE INDEX CONCURRENTLY market_data_close ON market_data (close);\n" + BUILD,
        postgresql_undo="-- transaction: none\n"
        "DROP INDEX CONCURRENTLY market_data_volume;\nDROP INDEX CONCURRENTLY market_data_close;\n",
    )
    indexes = (
        "SELECT c.relname, x.indisvalid FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid"
        " WHERE c.relname IN ('market_data_close', 'market_data_volume') ORDER BY 1"
    )
    with repo.connect(pg) as db:
        session = db._session
        for _ in range(2):
            with pytest.raises(MigrationError, match=r"0003_build\.sql:4: CREATE UNIQUE INDEX"):
                migrating.migrate(session, schema=schema)
            assert raw(pg, indexes) == [("market_data_close", True), ("market_data_volume", False)]
            assert raw(pg, "SELECT sequence, version, state FROM schema_steps") == [
                ("smdi", 3, "applying")
            ]
        assert db.version() == 2
        assert "market_data_volume" in "\n".join(introspection.check(db))
        # Back instead: what was begun is undone.
        assert migrating.migrate(session, 2, schema) == ["-0003_build"]
        assert raw(pg, indexes) == raw(pg, "SELECT 1 FROM schema_steps") == []
        with pytest.raises(MigrationError, match="0003_build"):
            migrating.migrate(session, schema=schema)
        db.market.delete("MSFT")
        assert migrating.migrate(session, schema=schema) == ["0003_build"]
        assert raw(pg, indexes) == [("market_data_close", True), ("market_data_volume", True)]
        assert raw(pg, "SELECT 1 FROM schema_steps") == []
        assert migrating.migrate(session, 2, schema) == ["-0003_build"]
        assert introspection.check(db) == []


def test_a_build_that_was_killed_is_taken_up_again(pg: str, watching: Path) -> None:
    """Killed while an index waits for an open transaction; the next run ends what was begun."""
    command = [sys.executable, "-m", "repo", "migrate", "--url", pg, "--schema", str(watching)]
    with closing(psycopg.connect(plain_url(pg))) as other:
        with repo.connect(pg, schema=watching) as db:
            db.migrate(1, of="watching")
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("INSERT INTO watched SELECT 'me', ticker_id, now() FROM tickers LIMIT 1")
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        building = (
            "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%' AND state = 'active'"
        )
        until(lambda: bool(raw(pg, f"{building} AND datname = current_database()")))
        running.send_signal(signal.SIGKILL)
        running.communicate()
        other.commit()
    with repo.connect(pg, schema=watching) as db:
        states = [each.state for each in db.migrations()]
        assert states[:3] == ["applied"] * 3
        assert states[3] == "unfinished"
        assert db.migrate() == ["watching/0002_by_ticker"]
        assert introspection.check(db) == []
