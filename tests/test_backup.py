"""Backups: proven while others write, refused when a byte is changed, restored wholly or not at all."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

import repo
from repo import BackupError, ConfigurationError, Database
from repo import backup as backups
from repo.backends.postgresql import programs
from repo.digests import digests, other_digests
from repo.progress import no_progress
from tests.builders import bar, clear, content, day, python, raw, seed, sentiment
from tests.cli_helpers import smdi
from tests.conftest import Databases

ROWS = 2500
"""Enough that each engine restores them in more than one step."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for backups."""
    made = tmp_path / "backups"
    made.mkdir()
    return made


@pytest.fixture
def filled(db: Database) -> Database:
    """A database with two tickers, and as many bars as rows of interest."""
    seed(db)
    db.market.upsert(bar(on=day(number)) for number in range(ROWS))
    db.sentiment.upsert(sentiment(on=day(number)) for number in range(ROWS))
    return db


WRITER = """
import sys, repo
from tests.builders import bar, day, sentiment
with repo.connect(sys.argv[1]) as db:
    number = 100_000
    while True:
        with db.transaction() as tx:
            tx.market.upsert([bar(on=day(number % 900_000))])
            tx.sentiment.upsert([sentiment(on=day(number % 900_000))])
        number += 1
        print(number, flush=True)
"""
"""Adds a bar and a row of interest at a time, for ever."""


@contextmanager
def writing(url: str) -> Iterator[Callable[[], int]]:
    """Another process that writes all the while; gives what tells how often it has committed."""
    with python(WRITER, url) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline())]
        os.set_blocking(process.stdout.fileno(), False)

        def committed() -> int:
            assert process.stdout is not None
            assert process.poll() is None
            told.extend(int(line) for line in iter(process.stdout.readline, "") if line.endswith("\n"))
            return len(told)

        try:
            yield committed
        finally:
            process.kill()


def test_proven_while_others_write(filled: Database, url: str, empty_url: str, folder: Path) -> None:
    """A backup holds one state, proven by a restore, though another process never stops to write."""
    with writing(url) as committed:
        before = committed()
        made = backups.backup(filled, folder)
        between = committed() - before
        assert backups.backup(filled, folder / "unproven", verify=False).manifest.proven is False
    assert between > 0
    rows = {each.table: each.rows for each in made.manifest.tables}
    assert rows["market_data"] == rows["retail_sentiment"] > ROWS
    assert made.manifest.proven
    assert made.file.parent == folder
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert len(list(folder.iterdir())) == 4
    assert backups.restore(made.file, empty_url) == made.manifest
    for table, count in rows.items():
        assert raw(empty_url, f"SELECT COUNT(*) FROM {table}") == [(count,)]
    with repo.connect(empty_url) as db:  # which is one to go on with
        assert db.version() == made.manifest.schema_version
        assert db.tickers.upsert([repo.Ticker("NEW", "New")]) == 1


def test_tables_of_others(
    filled: Database, url: str, empty_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application's own tables are restored, and a backup in which one differs is not proven."""
    raw(url, "CREATE TABLE watched (owner text)")
    raw(url, "INSERT INTO watched VALUES ('me'), ('you')")
    made = backups.backup(filled, folder)
    rows = {each.table.strip('"').removeprefix("public."): each.rows for each in made.manifest.others}
    assert rows == {"schema_migrations": 2, "watched": 2}
    assert backups.restore(made.file, empty_url) == made.manifest
    assert sorted(raw(empty_url, "SELECT owner FROM watched")) == [("me",), ("you",)]
    found = [{}, other_digests(filled)]
    monkeypatch.setattr("repo.backup.other_digests", lambda db: found.pop())
    with pytest.raises(BackupError, match=r'those of the manifest: .*watched"? has 0 of 2 rows'):
        backups.backup(filled, folder / "unproven")
    assert not (folder / "unproven").exists()


def test_every_changed_byte_is_noticed(filled: Database, empty_url: str, folder: Path) -> None:
    """Of the manifest each byte, of the file one in each of many places; and a byte more or less."""
    made = backups.backup(filled, folder / "it", verify=False)
    manifest = folder / "it.json"
    places = {
        manifest: range(manifest.stat().st_size),
        made.file: range(0, made.manifest.size, max(1, made.manifest.size // 97)),
    }
    for path, every in places.items():
        whole = path.read_bytes()
        for place in every:
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
            with pytest.raises(BackupError, match=r"altered|another version"):
                backups.check(made.file)
        for changed in (whole[:-1], whole + b"\n", b""):
            path.write_bytes(changed)
            with pytest.raises(BackupError, match=r"altered|truncated|longer"):
                backups.restore(made.file, empty_url)
        path.write_bytes(whole)
    assert backups.check(made.file) == made.manifest
    manifest.rename(folder / "elsewhere.json")
    with pytest.raises(BackupError, match=r"no manifest .*it\.json"):
        backups.check(made.file)


def test_a_wrong_manifest_proves_nothing(
    filled: Database, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup whose restored rows are others than those of the snapshot is none, and leaves nothing."""

    def with_one_more(db: Database) -> Any:
        raw(url, "UPDATE tickers SET company_name = 'Other' WHERE symbol = 'MSFT'")
        found = digests(db)
        return {**found, "tickers": replace(found["tickers"], sha256="0" * 64)}

    monkeypatch.setattr(backups, "digests", with_one_more)
    made = backups.backup(filled, folder / "unproven", verify=False)
    monkeypatch.undo()
    before = content(url)
    with pytest.raises(BackupError, match="tickers has other rows"):
        backups.restore(made.file, url, force=True)
    assert content(url) == before
    monkeypatch.setattr(
        backups, "digests", lambda db: digests(db) if db._url.secret == url else with_one_more(db)
    )
    with pytest.raises(BackupError, match="tickers has other rows"):
        backups.backup(filled, folder / "proven")
    assert sorted(path.name for path in folder.iterdir()) == ["unproven", "unproven.json"]


def test_rows_are_replaced_if_told(filled: Database, url: str, empty_url: str, folder: Path) -> None:
    """A database that holds rows is left as it is; --force replaces all of it, whoever has it open."""
    made = backups.backup(filled, folder)
    expected = content(url)
    clear(url)
    raw(url, "CREATE TABLE another (a integer)")
    raw(url, "INSERT INTO another VALUES (1)")
    with pytest.raises(BackupError, match=r"holds rows, in .*another.*--force"):
        backups.restore(made.file, url)
    assert raw(url, "SELECT * FROM another") == [(1,)]
    backups.restore(made.file, url, force=True)
    assert content(url) == expected
    assert filled.market.coverage()[0].rows == ROWS  # by connections that were open before
    assert filled.market.upsert([bar(close=3.0)]) == 1
    with pytest.raises(Exception, match="another"):
        raw(url, "SELECT * FROM another")
    backups.restore(made.file, empty_url)
    assert content(empty_url) == expected


KILLED = """
import os, signal, sys
from repo import backup
seen = set()
def kill(doing, done, of):
    if doing == sys.argv[1]:
        seen.add(done)
        if len(seen) == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("step", [1, 2])
def test_killed_restore(filled: Database, url: str, folder: Path, step: int) -> None:
    """A restore that is killed half way leaves the rows that were there, to be read and written."""
    made = backups.backup(filled, folder, verify=False)
    filled.tickers.upsert([repo.Ticker("AAPL", "Another name")])
    filled.market.delete("AAPL", start=day(10))
    before = content(url)
    code = KILLED + "backup.restore(sys.argv[3], sys.argv[4], force=True, progress=kill)"
    if url.startswith("sqlite:"):
        step = 1  # the second ends it
    process = python(code, "restore", str(step), str(made.file), url)
    assert process.communicate()[1] == ""
    assert process.returncode == -signal.SIGKILL
    assert content(url) == before
    assert filled.market.upsert([bar(on=day(1), close=9.0)]) == 1
    backups.restore(made.file, url, force=True)
    assert filled.tickers.get("AAPL").company_name == "Apple Inc."


def test_killed_backup(filled: Database, url: str, folder: Path) -> None:
    """A backup that is killed leaves no file that could be one, and the next run clears the rest."""
    code = KILLED + "import repo\nbackup.backup(repo.connect(sys.argv[3]), sys.argv[4], progress=kill)"
    process = python(code, "restore", "1", url, str(folder))
    assert process.communicate()[1] == ""
    assert process.returncode == -signal.SIGKILL
    (left,) = folder.iterdir()
    assert re.fullmatch(r"\..+\.smdi-partial", left.name)
    assert backups.backups(folder) == []
    made = backups.backup(filled, folder)
    assert sorted(folder.iterdir()) == [made.file, folder / f"{made.file.name}.json"]


def test_full_disk(filled: Database, url: str, folder: Path) -> None:
    """Where the disk takes no more, it is said, and nothing is left."""
    code = (
        "import resource, signal, sys\nfrom repo.cli import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "sys.argv = ['smdi', '--url', sys.argv[1], 'backup', sys.argv[2]]\nmain()"
    )
    process = python(code, url, str(folder))
    err = process.communicate()[1]
    assert (process.returncode, list(folder.iterdir())) == (1, [])
    assert re.search(r"error: .*(full|too large|disk I/O|pg_dump \S+ failed)", err)
    assert "Traceback" not in err


def test_thinning(db: Database, folder: Path) -> None:
    """The newest, those young enough and the newest proven one stay, and whatever is not ours."""
    seed(db)
    new = backups.backup(db, folder / "new", verify=False)
    (folder / "notes.json").write_text("{}")
    (folder / "notes").write_text("mine")
    made = [new]
    for age in range(1, 7):
        file = folder / f"old{age}"
        manifest = replace(new.manifest, made_at=new.manifest.made_at - timedelta(days=age))
        if age == 5:
            manifest = replace(manifest, proven=True)
        if age == 6:
            manifest = replace(manifest, source="another database")
        file.write_bytes(new.file.read_bytes())
        file.with_name(f"{file.name}.json").write_text(backups._as_text(manifest))
        made.append(backups.Backup(file, manifest))
    assert backups.backups(folder) == made
    assert backups.thin(new, keep=3, keep_days=1) == [folder / "old3", folder / "old4"]
    assert [each.file.name for each in backups.backups(folder)] == [
        "new",
        "old1",
        "old2",
        "old5",
        "old6",
    ]
    backups.backup(db, folder / "proven", keep=1)
    assert [each.file.name for each in backups.backups(folder)] == ["proven", "old6"]
    assert (folder / "notes").read_text() == "mine"
    for keep, keep_days in ((0, None), (None, 0)):
        with pytest.raises(ConfigurationError, match="must be at least 1"):
            backups.backup(db, folder / "none", keep=keep, keep_days=keep_days)


def test_refused(filled: Database, empty_url: str, folder: Path, tmp_path: Path) -> None:
    """Names that are taken, and places and moments at which no backup can be made or restored."""
    made = backups.backup(filled, folder / "it", verify=False)
    orphan = folder / "orphan.json"
    orphan.write_bytes((folder / "it.json").read_bytes())
    backups.backup(filled, folder / "orphan", verify=False)
    (folder / "mine.json").write_text("{}")
    for name, match in (("it", "already"), ("mine", "already"), ("a/b", "no folder")):
        with pytest.raises(ConfigurationError, match=match):
            backups.backup(filled, folder / name)
    with filled.transaction() as tx, pytest.raises(ConfigurationError, match="transaction"):
        backups.backup(tx, folder / "new")
    with repo.connect(empty_url) as db, pytest.raises(BackupError, match="nothing to back up"):
        backups.backup(db, folder / "new")
    urls = {
        "sqlite": "postgresql://nowhere.invalid/x",
        "postgresql": f"sqlite:///{tmp_path / 'none.db'}",
    }
    with pytest.raises(ConfigurationError, match="backup of"):
        backups.restore(made.file, urls[filled.dialect])
    assert not (tmp_path / "none.db").exists()
    assert len(list(folder.iterdir())) == 5


def test_commands(filled: Database, url: str, empty_url: str, folder: Path) -> None:
    """What backup and restore print, and how they end."""
    done = smdi("--url", url, "backup", folder / "it", "--format", "json")
    assert done.code == 0
    told = json.loads(done.out)
    assert told["proven"] is True
    assert datetime.fromisoformat(told["made_at"]) <= datetime.now(UTC)
    assert [each["rows"] for each in told["tables"] if each["table"] == "market_data"] == [ROWS]
    done = smdi("restore", folder / "it", "--check")
    assert (done.code, done.err) == (0, "")
    assert "it: proven by a restore" in done.out
    assert f"{ROWS:,}" in done.out
    assert smdi("restore", folder / "it", empty_url).code == 0
    assert content(empty_url) == content(url)
    done = smdi("restore", folder / "it", empty_url)
    assert (done.code, "--force" in done.err) == (1, True)
    for wrong in (("restore", folder / "it"), ("restore", folder / "it", empty_url, "--check")):
        assert smdi(*wrong).code == 2
    (folder / "it").write_bytes(b"")
    done = smdi("restore", folder / "it", empty_url, "--force")
    assert (done.code, "truncated" in done.err) == (1, True)


def test_sqlite_in_memory(folder: Path) -> None:
    """A database in memory can be backed up, and not restored into."""
    with repo.connect("sqlite://") as db:
        db.migrate()
        seed(db)
        made = backups.backup(db, folder)
        with pytest.raises(ConfigurationError, match="memory"):
            backups.restore(made.file, "sqlite://")


def test_sqlite_readers_go_on(tmp_path: Path, folder: Path) -> None:
    """Who reads in a transaction sees the old rows to its end, and a writer waits for the restore."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with repo.connect(url, busy_timeout=0.1) as db:
        db.migrate()
        seed(db)
        made = backups.backup(db, folder, verify=False)
        db.market.upsert([bar()])
        refused: list[Any] = []

        def look(doing: str, done: int, of: int) -> None:
            if doing == "restore" and done < of:
                with pytest.raises(repo.ConflictError) as error:
                    another.market.upsert([bar(close=5.0)])
                refused.append(error)

        with repo.connect(url, busy_timeout=0.1) as another, db.transaction(read_only=True) as tx:
            assert len(tx.market.history("AAPL")) == 1
            backups.restore(made.file, url, force=True, progress=look)
            assert len(tx.market.history("AAPL")) == 1
        assert db.market.history("AAPL") == []
        assert refused


def test_sqlite_damage_behind_a_right_manifest(tmp_path: Path, folder: Path) -> None:
    """A file that SQLite finds unsound replaces nothing, though it is the one of the manifest."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with repo.connect(url) as db:
        db.migrate()
        seed(db)
        made = backups.backup(db, folder, verify=False)
    before = content(url)
    whole = bytearray(made.file.read_bytes())
    whole[4096 * 3 : 4096 * 4] = bytes(4096)
    made.file.write_bytes(whole)
    manifest = replace(made.manifest, sha256=backups._of_file(made.file, no_progress)[1])
    backups._beside(made.file).write_text(backups._as_text(manifest))
    with pytest.raises(BackupError, match="damaged"):
        backups.restore(made.file, url, force=True)
    assert content(url) == before


def test_sqlite_pages_of_another_size(tmp_path: Path, folder: Path) -> None:
    """They are backed up and proven, and restored where nobody has the file open, or nothing changes."""
    url, other = (f"sqlite:///{tmp_path / name}" for name in ("x.db", "y.db"))
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        connection.execute("PRAGMA page_size = 1024")
        connection.execute("VACUUM")
    with repo.connect(url) as db:
        db.migrate()
        seed(db)
        made = backups.backup(db, folder)
    expected = content(url)
    with repo.connect(other) as db:
        db.migrate()
        db.tickers.upsert([repo.Ticker("NEW", "New")])
        with pytest.raises(repo.ConflictError, match=r"of 4096 bytes, and the backup of 1024: close"):
            backups.restore(made.file, other, force=True)
    before = content(other)

    def stop(doing: str, done: int, of: int) -> None:
        if doing == "restore":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backups.restore(made.file, other, force=True, progress=stop)
    with pytest.raises(BackupError, match="--force"):
        backups.restore(made.file, other)
    assert content(other) == before
    backups.restore(made.file, other, force=True)
    assert content(other) == expected
    with closing(sqlite3.connect(tmp_path / "y.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_sqlite_a_backup_is_not_restored_into(tmp_path: Path, folder: Path) -> None:
    """To open a backup for writing would change it: neither itself, nor by a link, nor another."""
    with repo.connect(f"sqlite:///{tmp_path / 'x.db'}") as db:
        db.migrate()
        made = [backups.backup(db, folder / name, verify=False) for name in ("one", "two")]
    (tmp_path / "link").symlink_to(folder / "one")
    for target in (folder / "one", folder / "two", tmp_path / "link"):
        with pytest.raises(ConfigurationError, match="is a backup itself"):
            backups.restore(folder / "one", f"sqlite:///{target}", force=True)
    assert [backups.check(each.file) for each in made] == [each.manifest for each in made]


def test_sqlite_what_lies_in_the_folder(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strange files do not disturb, links are not followed, and what cannot be deleted is named."""
    (folder / "deep").touch()
    (folder / "deep.json").write_text("[" * 100_000)
    (tmp_path / "elsewhere").mkdir()
    (folder / ".x.smdi-partial").symlink_to(tmp_path / "elsewhere")
    with repo.connect(f"sqlite:///{tmp_path / 'x.db'}") as db:
        db.migrate()
        with pytest.raises(ConfigurationError, match=r"no folder .*not-mounted"):
            backups.backup(db, f"{folder}/not-mounted/")
        backups.backup(db, folder / "one", verify=False)
        made = backups.backup(db, folder / "two", verify=False)
        assert [each.file.name for each in backups.backups(folder)] == ["two", "one"]
        assert list((tmp_path / "elsewhere").iterdir()) == []

        def refuse(path: Path, **_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(Path, "unlink", refuse)
        with pytest.raises(BackupError, match=r"two is there, and the older .*one cannot be deleted"):
            backups.thin(made, keep=1)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a shell script in the place of pg_dump."""

    def put(script: str) -> None:
        path = tmp_path / "bin" / "pg_dump"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        monkeypatch.setenv("SMDI_PG_BIN", str(path.parent))

    return put


def test_pg_dump_is_told_the_password_in_private(
    databases: Databases, folder: Path, tmp_path: Path, program: Callable[[str], None]
) -> None:
    """The password is in pg_dump's environment and not in its arguments; TLS is as the URL says."""
    real = programs.find("pg_dump", 18).path
    program(f'echo "$PGPASSWORD|$@" >> {tmp_path}/seen\nexec {shlex.quote(real)} "$@"')
    name = databases.take()
    url = databases.server.url_of(name, min_size="1", password="s3 cr&t", sslmode="prefer")  # noqa: S106
    with repo.connect(url) as db:
        seed(db)
        backups.backup(db, folder, verify=False)
    version, told = (tmp_path / "seen").read_text().splitlines()
    assert version == "|--version"
    password, arguments = told.split("|")
    assert password == "s3 cr&t"  # noqa: S105
    assert "s3 cr&t" not in arguments
    assert "sslmode=prefer" in arguments
    databases.give_back(name)


def test_no_secret_is_an_argument(tmp_path: Path) -> None:
    """Neither the password nor what stands for it."""
    names = ["password", "sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"]
    shown, environment = programs.connection_for(
        {"host": "localhost", **{name: f"s3cret-{name}" for name in names}}, tmp_path
    )
    assert "s3cret" not in shown
    assert environment["PGPASSWORD"] == "s3cret-password"
    (file,) = tmp_path.iterdir()
    assert environment["PGSERVICEFILE"] == str(file)
    assert "sslpassword=s3cret-sslpassword\n" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_is_set_for_a_database(
    databases: Databases, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its search_path holds in the proof, lines like pg_restore's stay, and idle sessions may end."""
    server = databases.server
    name, other = server.create(), server.create()
    monkeypatch.setattr("secrets.token_hex", lambda _: f"{os.getpid():x}")
    url = server.url_of(name, min_size="1")
    lines = "\n\\restrict it\nSET transaction_timeout = 0;\nCOPY tickers FROM stdin;\n"
    with closing(psycopg.connect(server.url, autocommit=True)) as connection:

        def end_idle(doing: str, done: int, of: int) -> None:
            if doing == "compare":
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = %s AND state = 'idle'",
                    [name],
                )

        raw(url, 'CREATE SCHEMA "an app"')
        raw(url, f"CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $$SELECT '{lines}'$$")
        connection.execute(f'ALTER DATABASE {name} SET search_path TO "an app"')
        with repo.connect(url) as db:
            db.migrate()
            seed(db)
            made = backups.backup(db, folder, progress=end_idle)
        assert made.manifest.proven
        left = connection.execute("SELECT datname FROM pg_database").fetchall()
        assert [
            each for (each,) in left if re.fullmatch(rf"smdi_scratch_\d+_{os.getpid():x}", each)
        ] == []
    with pytest.raises(BackupError, match="search_path"):
        backups.restore(made.file, server.url_of(other, min_size="1"))
    found = server.url_of(other, min_size="1", options=r'-csearch_path="an\ app"')
    backups.restore(made.file, found)
    assert raw(found, "SELECT public.f()") == [(lines,)]
    for each in (name, other):
        server.drop(each)


def test_rows_that_a_policy_hides(databases: Databases, folder: Path) -> None:
    """A role that may not see rows does not replace them without being told."""
    server = databases.server
    name, taken = server.create(), databases.take()
    with repo.connect(server.url_of(taken, min_size="1")) as db:
        made = backups.backup(db, folder, verify=False)
    databases.give_back(taken)
    with closing(psycopg.connect(server.url_of(name), autocommit=True)) as connection:
        connection.execute("CREATE ROLE smdi_blind LOGIN PASSWORD 'blind'")
        try:
            connection.execute(f"ALTER DATABASE {name} OWNER TO smdi_blind")
            connection.execute("CREATE TABLE hidden (a integer)")
            connection.execute("INSERT INTO hidden VALUES (1)")
            connection.execute("ALTER TABLE hidden OWNER TO smdi_blind")
            connection.execute("ALTER TABLE hidden ENABLE ROW LEVEL SECURITY")
            connection.execute("ALTER TABLE hidden FORCE ROW LEVEL SECURITY")
            blind = server.url_of(name, min_size="1", user="smdi_blind", password="blind")  # noqa: S106
            with pytest.raises(BackupError, match="row-level security policy"):
                backups.restore(made.file, blind)
            assert connection.execute("SELECT a FROM hidden").fetchall() == [(1,)]
            backups.restore(made.file, blind, force=True)
        finally:
            connection.execute(f"ALTER DATABASE {name} OWNER TO CURRENT_USER")
            connection.execute("DROP OWNED BY smdi_blind CASCADE")
            connection.execute("DROP ROLE smdi_blind")
    server.drop(name)


def test_pg_dump_has_to_be_there_and_new_enough(
    databases: Databases, folder: Path, program: Callable[[str], None]
) -> None:
    """An older pg_dump than the server is refused; what it says when it fails is told."""
    name = databases.take()
    with repo.connect(databases.server.url_of(name, min_size="1")) as db:
        for script, error, match in (
            ("echo pg_dump '(PostgreSQL)' 9.6", ConfigurationError, r"or newer is needed, and .*9\.6"),
            ("exit 1", ConfigurationError, "there is none"),
            (
                "test $1 = --version && echo pg_dump '(PostgreSQL)' 99 && exit\n"
                "echo 'pg_dump: error: no such luck' >&2; exit 1",
                BackupError,
                "pg_dump 99 failed: no such luck",
            ),
        ):
            program(script)
            with pytest.raises(error, match=match):
                backups.backup(db, folder)
    assert list(folder.iterdir()) == []
    databases.give_back(name)


def test_a_role_that_may_make_no_database(databases: Databases, folder: Path) -> None:
    """It is told what to do, and so is who restores its rights where it is missing."""
    name = databases.take()
    server = databases.server
    with closing(psycopg.connect(server.url_of(name), autocommit=True)) as connection:
        connection.execute("CREATE ROLE smdi_poor LOGIN PASSWORD 'poor'")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO smdi_poor")
        connection.execute("GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO smdi_poor")
        connection.execute(f"CREATE DATABASE smdi_scratch_1_{os.getpid():x}")
        try:
            poor = server.url_of(name, min_size="1", user="smdi_poor", password="poor")  # noqa: S106
            with repo.connect(poor, read_only=True) as db:
                with pytest.raises(BackupError, match=r"CREATEDB.*--scratch"):
                    backups.backup(db, folder)
                assert list(folder.iterdir()) == []
                made = backups.backup(db, folder, scratch=server.url)
                assert made.manifest.proven
            left = connection.execute("SELECT datname FROM pg_database").fetchall()
            assert [each for (each,) in left if each.startswith("smdi_scratch_1_")] == []
            backups.restore(made.file, server.url_of(name), force=True)
            ((granted,),) = connection.execute(
                "SELECT has_table_privilege('smdi_poor', 'tickers', 'SELECT')"
            ).fetchall()
            assert granted
            backups.restore(made.file, server.url_of(name), force=True, privileges=False)
            ((granted,),) = connection.execute(
                "SELECT has_table_privilege('smdi_poor', 'tickers', 'SELECT')"
            ).fetchall()
            assert not granted
        finally:
            connection.execute("DROP OWNED BY smdi_poor")
            connection.execute("DROP ROLE smdi_poor")
    # As on another server, which does not have the role.
    with pytest.raises(BackupError, match=r'"smdi_poor" does not exist.*--no-privileges'):
        backups.restore(made.file, server.url_of(name), force=True)
    databases.give_back(name)
