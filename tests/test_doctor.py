"""The check list for production, and who may do what on a server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import repo
from repo import ConfigurationError, Database, DatabaseUnavailable, MigrationError, Ticker, roles
from repo.backup import backup
from repo.doctor import doctor
from repo.engine.maintenance import Status
from tests import servers
from tests.builders import path_of, raw, seed
from tests.cli_helpers import smdi


def wrong(url: str, **given: Any) -> dict[str, str]:
    """The lines that did not pass, by check."""
    found = doctor(url, **given)
    assert all(each.found for each in found)
    assert all(bool(each.advice) for each in found if each.status is not Status.PASS)
    return {
        each.check: f"{each.status} {each.found}" for each in found if each.status is not Status.PASS
    }


def test_a_good_one(db: Database, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the package makes and a proven backup pass; what is left is the test server's settings."""
    seed(db)
    (tmp_path / "backups").mkdir()
    backup(db, tmp_path / "backups")
    monkeypatch.setenv("DATABASE_URL", url)
    found = {each.check for each in doctor(backups=tmp_path / "backups") if each.status is Status.FAIL}
    # The server of the tests is reached by a superuser, and loses all in a crash.
    assert found <= {"role", "durability"}
    assert "last proven backup" not in wrong(url, backups=tmp_path / "backups")
    assert wrong(url, backups=tmp_path)["last proven backup"].startswith("fail there is none of ")


def test_what_is_wrong(db: Database, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schema that is behind or altered is found, a database that is not there, and no URL."""
    db.migrate(1)
    assert wrong(url)["schema"].startswith("fail at migration 1 of ")
    db.migrate()
    folder = tmp_path / "own"
    for name in ("sqlite", "postgresql"):
        (folder / name).mkdir(parents=True)
        (folder / name / "0001_own.sql").write_text("CREATE TABLE own (id integer);")
        (folder / name / "0001_own.undo.sql").write_text("DROP TABLE own;")
    told = smdi("doctor", "--url", url, "--schema", folder)
    assert (told.code, "fail  schema: own/0001_own is not applied" in told.out) == (1, True)
    raw(url, "DROP INDEX institutional_holdings_filed")
    assert "institutional_holdings_filed" in wrong(url)["schema as migrated"]
    gone = f"sqlite:///{tmp_path / 'none.db'}" if db.dialect == "sqlite" else url + "&dbname=none"
    assert list(wrong(gone)) == ["reachable"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert smdi("doctor").out.startswith("warn  URL: not set")


def test_commands(db: Database, url: str) -> None:
    """The command tells what the function does, and exits with 1 where something fails."""
    done = smdi("doctor", "--url", url, "--format", "json")
    found = json.loads(done.out)
    assert done.code == int("fail" in {each["status"] for each in found})
    assert [each["check"] for each in found] == [each.check for each in doctor(url)]


def test_passwords_in_files(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password that git keeps is found by its file, and is not in what is told."""
    (tmp_path / "config.ini").write_text("password = s3cret%word\n")
    for arguments in (["init", "-q"], ["add", "config.ini"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)  # noqa: S607
    monkeypatch.chdir(tmp_path)
    found = doctor("postgresql://u:s3cret%25word@127.0.0.1:1/none?connect_timeout=1")
    assert {each.check: each.found for each in found}["password in files"] == "config.ini"
    assert "s3cret" not in str(found)


def test_a_file_that_others_write(tmp_path: Path) -> None:
    """Of a file who may write it is told, and whether it is one."""
    url = f"sqlite:///{tmp_path / 'file.db'}"
    with repo.connect(url) as db:
        db.migrate()
    assert "file mode" not in wrong(url)
    path_of(url).chmod(0o666)
    assert wrong(url)["file mode"] == "fail 666: others may write it"
    assert wrong("sqlite://")["file"].startswith("fail ")
    with repo.connect(url) as db, pytest.raises(ConfigurationError, match="no roles"):
        roles.grant(db)


@pytest.fixture
def granted(server: servers.Server, databases: Any) -> Iterator[dict[str, str]]:
    """URLs of the owner, a writer and a reader of a database; the groups are the whole cluster's."""
    name = databases.take()
    owner = server.url_of(name, min_size="1")
    migrates = f"smdi_owner_{name}"
    raw(owner, f"CREATE ROLE {migrates} LOGIN")
    raw(owner, f"GRANT CREATE ON SCHEMA public TO {migrates}")
    raw(owner, f"ALTER TABLE schema_migrations OWNER TO {migrates}")
    with repo.connect(owner) as db:  # an administrator, for the one that migrates
        roles.grant(db)
        roles.grant(db)
    urls = {"owner": owner, "migrates": owner.replace("//postgres", f"//{migrates}", 1)}
    for group in ("smdi_writer", "smdi_reader"):
        raw(owner, f"CREATE ROLE {group}_{name} LOGIN IN ROLE {group}")
        urls[group] = owner.replace("//postgres", f"//{group}_{name}", 1)
    yield urls
    for group in ("smdi_writer", "smdi_reader"):
        raw(owner, f"DROP ROLE {group}_{name}")
    databases.server.drop(name)
    raw(server.url, f"DROP ROLE {migrates}")


def test_roles(granted: dict[str, str]) -> None:
    """A writer writes and cannot alter, a reader reads and cannot write, later tables included."""
    with repo.connect(granted["migrates"]) as owner:
        owner._session.run_script("CREATE TABLE later (id integer GENERATED BY DEFAULT AS IDENTITY)")
    with repo.connect(granted["smdi_writer"]) as writer:
        seed(writer)
        assert writer.tickers.upsert(Ticker(f"T{number}", "T") for number in range(300)) == 300
        writer._session.run_script("INSERT INTO later DEFAULT VALUES")
        for sql in (
            "ALTER TABLE tickers ADD COLUMN more integer",
            "CREATE TABLE mine (id integer)",
            "DROP INDEX market_data_date",
            "DELETE FROM schema_migrations",
        ):
            with pytest.raises(DatabaseUnavailable, match=r"permission denied|must be owner"):
                writer._session.run_script(sql)
        with pytest.raises(MigrationError):
            writer.migrate(0)
    with repo.connect(granted["smdi_reader"]) as reader:
        assert len(reader.tickers.all()) == 302
        reader._session.run_script("SELECT id FROM later")
        for sql in ("INSERT INTO later DEFAULT VALUES", "DELETE FROM tickers"):
            with pytest.raises(DatabaseUnavailable, match="permission denied"):
                reader._session.run_script(sql)
        with pytest.raises(DatabaseUnavailable, match="permission denied"):
            reader.tickers.upsert([Ticker("NEW", "New")])
    found = wrong(granted["smdi_reader"])
    assert "role" not in found
    assert "read-only roles" not in found
    raw(granted["owner"], "GRANT DELETE ON later TO PUBLIC")
    assert wrong(granted["owner"])["read-only roles"] == "fail PUBLIC may write later"
    assert smdi("grant", "--url", granted["owner"]).code == 0
    assert "read-only roles" not in wrong(granted["owner"])
    refused = smdi("grant", "--url", granted["smdi_writer"])
    assert (refused.code, "permission denied" in refused.err) == (1, True)
    assert "CREATE ROLE loader" in smdi("grant", "--print", "--url", granted["owner"]).out
    raw(granted["owner"], "ALTER ROLE smdi_reader RENAME TO smdi_away")
    try:
        refused = smdi("grant", "--url", granted["migrates"])
    finally:
        raw(granted["owner"], "ALTER ROLE smdi_away RENAME TO smdi_reader")
    assert (refused.code, "an administrator runs once" in refused.err) == (1, True)
