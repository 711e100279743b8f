"""Opening and closing: URLs, the environment, what cannot be opened, and passwords that never show."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import repo
from repo import ConfigurationError, Database, DatabaseUnavailable, RepoError, Ticker
from repo.backends.postgresql.url import demand_tls, url_settings
from repo.settings import database_url
from tests import servers
from tests.builders import raw, seed

SECRETS = ("p4ss", "w0rd")


def spelled(error: BaseException) -> str:
    """All that a traceback would show of an error."""
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    ("url", "engine", "path"),
    [
        ("sqlite:///relative.db", "sqlite", "relative.db"),
        ("sqlite:///a/b/relative.db", "sqlite", "a/b/relative.db"),
        ("sqlite:////absolute/file.db", "sqlite", "/absolute/file.db"),
        ("sqlite:////with%20space/100%25.db", "sqlite", "/with space/100%.db"),
        ("sqlite://", "sqlite", ""),
    ],
)
def test_sqlite_urls(url: str, engine: str, path: str) -> None:
    """Three slashes are a relative file, four an absolute one, none are memory."""
    assert database_url(url).engine == engine
    assert database_url(url).file == (Path(path) if path else None)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_postgresql_urls(scheme: str, server: servers.Server, template: str) -> None:
    """Both schemes are the same, and any parameter of libpq goes through."""
    name = server.create(template)
    url = f"{server.url_of(name, min_size='1')}&application_name=my%20own&options=-c%20work_mem%3D77kB"
    with repo.connect(url.replace("postgresql://", f"{scheme}://")) as db:
        assert db.dialect == "postgresql"
        seed(db)
        connection: Any = db._backend.acquire(write=False)
        found = connection.execute(
            "SELECT current_setting('application_name'), current_setting('work_mem')"
        ).fetchone()
        db._backend.release(connection, write=False)
    assert found == ("my own", "77kB")
    server.drop(name)


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ("application_name=a%20b", "application_name", "a b"),
        ("application_name=a+b", "application_name", "a+b"),
        ("password=a%2Bb", "password", "a+b"),
        ("password=a%26b%3Dc", "password", "a&b=c"),
        ("options=-c%20a%3Db", "options", "-c a=b"),
        ("application_name=", "application_name", None),
        ("min_size=1&sslrootcert=%2Fx%20y&max_size=2", "sslrootcert", "/x y"),
    ],
)
def test_parameters_of_libpq_mean_what_they_mean_to_libpq(
    query: str, name: str, value: str | None
) -> None:
    """Beside this package's own options they arrive as libpq itself would read them."""
    for start in ("postgresql://me@localhost/db", "postgres://localhost"):
        parameters, _ = url_settings(f"{start}?{query}")
        assert (parameters.get(name) or None) == value


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://", {}),
        ("postgresql:///db", {"dbname": "db"}),
        ("postgres:///db?host=/run/pg&min_size=1", {"dbname": "db", "host": "/run/pg"}),
        ("postgresql://?service=production", {"service": "production"}),
    ],
)
def test_postgresql_urls_without_a_host(url: str, expected: dict[str, str]) -> None:
    """What the URL leaves out is left to libpq and its environment."""
    parameters, _ = url_settings(url)
    assert parameters == expected


@pytest.mark.parametrize(
    "url",
    [
        *("", "data.db", "/data/divergence.db", "sqlite", "sqlite:data.db", "sqlite:/data.db"),
        *("sqlite://data.db", "sqlite://host/data.db", "sqlite:///data.db?mode=ro", "file:data.db"),
        *("mysql://user@host/db", "postgresql+psycopg://host/db", "postgresql:db", "://host/db"),
        *("host=localhost dbname=db", "postgresql://host/db?nonsense=1"),
        *("postgresql://[::1/db", "sqlite:///a%00b.db"),
        *("sqlite:///", "sqlite:///%20", "sqlite:///?mode=memory", "sqlite:///\ud800.db"),
    ],
)
def test_wrong_urls(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no URL of an engine there is is a ConfigurationError, and no file is made of it."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError):
        repo.connect(url)
    assert list(tmp_path.iterdir()) == []


def test_a_variable_that_is_not_set() -> None:
    """``sqlite:///$FILE`` with no FILE is no database in memory, which would be lost at the end."""
    with pytest.raises(ConfigurationError, match="names no file; is a variable in it not set"):
        repo.connect("sqlite:///")


@pytest.mark.parametrize(
    "name", ["plain.db", "with space.db", "q?.db", "h#sh.db", "100%.db", "\u00fc.db", "a'b.db"]
)
def test_any_name_of_a_file(name: str, tmp_path: Path) -> None:
    """The file that is made has the very name of the URL."""
    with repo.connect(f"sqlite:///{quote(str(tmp_path / name))}") as db:
        db.migrate()
        assert {path.name for path in tmp_path.iterdir()} == {name, f"{name}-shm", f"{name}-wal"}
    with repo.connect(f"sqlite:///{quote(str(tmp_path / name))}", read_only=True) as db:
        assert db.version() == 2


def test_the_url_of_the_environment(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DATABASE_URL is taken where no URL is given, and no other file is made."""
    monkeypatch.chdir(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    monkeypatch.setenv("DATABASE_URL", url)
    with repo.connect() as db:
        seed(db)
    assert raw(url, "SELECT COUNT(*) FROM tickers") == [(2,)]
    with repo.connect("sqlite://") as db:
        db.migrate()
        assert db.tickers.all() == []
    assert {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("value", [None, ""])
def test_without_any_url(value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a URL the database is data/divergence.db where the process runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    if value is not None:
        monkeypatch.setenv("DATABASE_URL", value)
    with repo.connect() as db:
        assert db.dialect == "sqlite"
        assert db.migrate() != []
    assert (tmp_path / "data" / "divergence.db").is_file()


@pytest.mark.parametrize("option", ["nonsense", "timeout", "password"])
def test_options_that_are_not_there(url: str, option: str) -> None:
    """An option the engine does not have is a ConfigurationError that names it, not its value."""
    options: dict[str, Any] = {option: "p4ssw0rd"}
    with pytest.raises(ConfigurationError, match=option) as raised:
        repo.connect(url, **options)
    assert "p4ss" not in str(raised.value)


@pytest.mark.parametrize("given", [Path("data.db"), 5, b"sqlite://"])
def test_a_url_that_is_no_text(given: Any) -> None:
    """What is no str is refused by its type."""
    with pytest.raises(ConfigurationError, match=f"must be a str, not {type(given).__name__}"):
        repo.connect(given)


@pytest.mark.parametrize("value", ["30", -1, True, float("inf"), float("nan")])
def test_a_time_out_that_is_none(value: Any) -> None:
    """SQLite's time-out is a number of seconds."""
    with pytest.raises(ConfigurationError, match="busy_timeout must be a number of seconds"):
        repo.connect("sqlite://", busy_timeout=value)


def test_a_parameter_that_libpq_does_not_have() -> None:
    """A parameter of nobody's is refused, and not shown: it may be the rest of a password."""
    with pytest.raises(ConfigurationError, match="neither libpq's") as raised:
        repo.connect("postgresql://user@localhost/db?p4ss=w0rd")
    assert "p4ss" not in str(raised.value)


def test_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    """A file that cannot be made or opened is DatabaseUnavailable, with its name."""
    (tmp_path / "file").write_text("")
    for url in (f"sqlite:///{tmp_path}", f"sqlite:///{tmp_path}/file/data.db"):
        for read_only in (False, True):
            with pytest.raises(DatabaseUnavailable, match=tmp_path.name):
                repo.connect(url, read_only=read_only)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """Another file is refused and left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("These are notes, and no database at all. " * 100)
    for read_only in (False, True):
        with (
            pytest.raises(DatabaseUnavailable),
            repo.connect(f"sqlite:///{path}", read_only=read_only) as db,
        ):
            db.version()
    assert path.read_text() == "These are notes, and no database at all. " * 100


def test_a_file_that_is_not_there_is_not_made_to_be_read(tmp_path: Path) -> None:
    """Opening read only makes neither the file nor its folder."""
    with pytest.raises(DatabaseUnavailable):
        repo.connect(f"sqlite:///{tmp_path}/new/data.db", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there(server: servers.Server, tmp_path: Path) -> None:
    """No server, no such database and no such user are DatabaseUnavailable at once."""
    for url in (
        "postgresql://localhost:1/db",
        f"postgresql:///db?host={tmp_path}",
        server.url_of("no_such_database"),
        server.url_of("postgres", user="no_such_user"),
    ):
        for read_only in (False, True):
            with pytest.raises(DatabaseUnavailable) as raised:
                repo.connect(url, read_only=read_only)
            assert raised.value.__cause__ is not None


CALLS: dict[str, Callable[[Database], Any]] = {
    "read": lambda db: db.tickers.all(),
    "write": lambda db: db.tickers.upsert([Ticker("A", "A")]),
    "nothing to write": lambda db: db.tickers.upsert([]),
    "block": lambda db: db.transaction().__enter__(),
    "run": lambda db: db.run(lambda inside: pytest.fail("the work began")),
    "migrate": lambda db: db.migrate(0),
    "version": lambda db: db.version(),
}


def test_a_closed_database(url: str) -> None:
    """After close every call is DatabaseUnavailable; closing again is nothing."""
    with repo.connect(url) as db:
        seed(db)
        db.tickers.all()
    for _ in range(2):
        for call in CALLS.values():
            with pytest.raises(DatabaseUnavailable):
                call(db)
        db.close()


def test_closing_inside_a_block(url: str) -> None:
    """The block ends well or with an error of this package, and the database is closed."""
    db = repo.connect(url)
    with suppress(RepoError), db.transaction():
        db.tickers.all()
        db.close()
    with pytest.raises(DatabaseUnavailable):
        db.tickers.all()
    with repo.connect(url) as again:
        seed(again)


def test_the_name_of_a_database(url: str, db: Database) -> None:
    """Repr says where the database is, without the URL's parameters."""
    shown = repr(db)
    assert shown.startswith("<Database ")
    assert "min_size" not in shown
    assert url.partition("?")[0].rpartition("/")[2] in shown


ODD = ("/", "?", "#", "[", "]", "@", ":", "%", " ", "&", "\\", "\u2100", "\t", "%40")


SECRET_URLS = [
    *(
        form.format(odd)
        for odd in ODD
        for form in (
            "postgresql://me:p4ss{}w0rd@localhost:1/db",
            "postgresql://me:p4ss{}w0rd@localhost:1/db?connect_timeout=2",
            "postgresql://localhost:1/db?user=me&password=p4ss{}w0rd",
        )
    ),
    # What libpq, old and new, and this package would repeat of what they cannot use.
    *("postgresql://me:p4ss@p4ss.invalid/x", "postgresql:///x?host=p4ss.invalid&password=p4ss"),
    *("postgresql:///x?password=p4ss&port=p4ss", "postgresql://me:p4ss%zz@localhost/x"),
    *("postgresql://me@localhost/x?password=p4ss&sslmode=p4ss", "mysql://u:p4ss@host/db"),
    *("sqlite://u:p4ss@host/db", "sqlite://u:p4ss@host/db?a=b", "sqlite:///f.db?key=p4ss"),
    *("u:p4ss@host://db", "u p4ss://", "p4ss", "sqlite:p4ss@h/db", "sqlite://p4ss"),
    *("sqlite:///a\ud800?p4ss", "sqlite://u:p4ss@host/a%00"),
]


@pytest.mark.parametrize("url", SECRET_URLS, ids=range(len(SECRET_URLS)))
def test_passwords_are_in_no_error(url: str) -> None:
    """However a password is written, right or wrong, no part of it is in the error or its causes."""
    with pytest.raises(RepoError) as raised:
        repo.connect(url)
    error: BaseException | None = raised.value
    while error is not None:
        told = f"{error} {error.args!r} {spelled(error)}"
        assert not [secret for secret in SECRETS if secret in told]
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("odd", ODD)
def test_passwords_are_in_no_name(odd: str) -> None:
    """The URL's own name hides its password, and keeps user, host and database where they are told."""
    for url in (
        f"postgresql://me:p4ss{odd}w0rd@localhost:1/db",
        f"postgresql://localhost:1/db?user=me&password=p4ss{odd}w0rd",
    ):
        with suppress(ConfigurationError):
            address = database_url(url)
            assert not [s for s in SECRETS if s in f"{address} {address!r} {[address]}"], url
    assert (
        str(database_url("postgresql://me:p4ss%40w0rd@localhost:1/db"))
        == "postgresql://me@localhost:1/db"
    )


def test_passwords_are_in_no_log(
    server: servers.Server, template: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither this package nor the driver nor its pool logs a password, whatever happens."""
    caplog.set_level(logging.DEBUG)
    name = server.create(template)
    url = server.url_of(name, min_size="1", password="p4ssw0rd", pool_timeout="0.5")  # noqa: S106  # no server asks for it
    with repo.connect(url) as db:
        seed(db)
        assert "p4ss" not in repr(db)
        with pytest.raises(RepoError) as unknown:
            db.tickers.get("NOPE")
        server.drop(name)
        with pytest.raises(DatabaseUnavailable) as gone:
            db.tickers.all()
    with pytest.raises(DatabaseUnavailable) as never:
        repo.connect(url)
    for error in (unknown, gone, never):
        assert not [secret for secret in SECRETS if secret in spelled(error.value)]
    assert caplog.records != []
    assert not [secret for secret in SECRETS if secret in caplog.text]


@pytest.mark.parametrize(
    ("url", "sslmode"),
    [
        ("postgresql://db.example.com/x", "require"),
        ("postgresql://10.0.0.5/x", "require"),
        ("postgresql://[2001:db8::1]/x", "require"),
        ("postgresql:///x?host=db.example.com", "require"),
        ("postgresql:///x?hostaddr=10.0.0.5", "require"),
        ("postgresql://localhost,db.example.com/x", "require"),
        ("postgresql://localhost/x?hostaddr=10.0.0.5", "require"),
        ("postgresql://localhost.example.com/x", "require"),
        ("postgresql://db.example.com/x?sslmode=verify-full", "verify-full"),
        ("postgresql://db.example.com/x?sslmode=disable", "disable"),
        ("postgresql://localhost/x", None),
        ("postgresql://LOCALHOST/x", None),
        ("postgresql://127.0.0.1/x", None),
        ("postgresql://[::1]/x", None),
        ("postgresql:///x", None),
        ("postgresql:///x?host=/var/run/postgresql", None),
        ("postgresql://%2Fvar%2Frun/x", None),
        ("postgresql://localhost,127.0.0.1/x", None),
        ("postgresql://localhost/x?sslmode=require", "require"),
        ("postgresql://a,b/x?hostaddr=127.0.0.1,::1", None),
        ("postgresql://localhost,b/x?hostaddr=127.0.0.1,", "require"),
    ],
)
def test_tls_is_asked_for_where_the_server_is_not_this_machine(url: str, sslmode: str | None) -> None:
    """A host elsewhere means sslmode=require, unless the URL says what it wants."""
    parameters, _ = url_settings(url)
    demand_tls(parameters)
    assert parameters.get("sslmode") == sslmode


SERVICES = """
[far]
host=db.example.com
[near]
host=/var/run/postgresql
[plain]
host=db.example.com
sslmode=disable
[strict]
host=db.example.com
sslmode=verify-full
"""


@pytest.mark.parametrize(
    ("url", "environment", "sslmode"),
    [
        ("postgresql:///x?service=far", {}, "require"),
        ("postgresql:///x?service=near", {}, None),
        ("postgresql:///x?service=plain", {}, "require"),
        ("postgresql:///x?service=strict", {}, None),
        ("postgresql:///x?service=plain&sslmode=disable", {}, "disable"),
        ("postgresql:///x", {"PGSERVICE": "far"}, "require"),
        ("postgresql:///x", {"PGHOST": "db.example.com"}, "require"),
        ("postgresql://localhost/x", {"PGHOSTADDR": "10.0.0.5"}, "require"),
        ("postgresql://localhost/x", {"PGHOST": "db.example.com"}, None),
        ("postgresql://db.example.com/x", {"PGSSLMODE": "disable"}, "require"),
        ("postgresql://db.example.com/x", {"PGSSLMODE": "verify-ca"}, None),
        ("postgresql://localhost/x", {"PGSSLMODE": "disable"}, None),
    ],
)
def test_tls_is_asked_for_where_libpq_would_connect(
    url: str,
    environment: dict[str, str],
    sslmode: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The environment and the service file may name another host, and ask for more but not for less."""
    services = tmp_path / "services.conf"
    services.write_text(SERVICES, encoding="utf-8")
    for name, value in {"PGSERVICEFILE": str(services), **environment}.items():
        monkeypatch.setenv(name, value)
    test_tls_is_asked_for_where_the_server_is_not_this_machine(url, sslmode)
